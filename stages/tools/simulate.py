"""simulate CLEAN OUTPUT: clean footage as a camera with noise records it."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option


def simulate(
    source: Annotated[
        Path,
        Argument(metavar="CLEAN", help="Video, folder of pictures, TIFF stack, Zarr array or picture without noise."),
    ],
    output: Annotated[Path, Argument(metavar="OUTPUT", help="Video (.mp4, .mkv, .mov), or folder for pictures (PNG).")],
    codec: Annotated[
        str | None, Option(help="h264, hevc, or none for pictures; default: h264 for a video, else none.")
    ] = None,
    quality: Annotated[int, Option(help="Constant rate factor of the codec, 0 to 51; higher is worse.")] = 18,
    rate: Annotated[float | None, Option(min=0.1, help="Frames a second; default: as the input, or 25.")] = None,
    clean: Annotated[Path | None, Option(help="Folder for the clean frames too, as PNG: the truth.")] = None,
    frames: Annotated[int | None, Option(min=1, help="At most so many, from the first; default: all.")] = None,
    axes: Annotated[str | None, Option(help="Axes of a TIFF stack or Zarr array; see denoise.")] = None,
    seed: Annotated[int, Option(min=0, help="Of the noise, and of the sensor's pattern.")] = 0,
    peak: Annotated[
        float, Option(min=1, help="Expected photons at white, under a green filter: 1000 is bright, 100 dark.")
    ] = 300.0,
    read: Annotated[float | None, Option(help="Read noise, electrons; default: 3.")] = None,
    rows: Annotated[float | None, Option(help="Noise that a row shares, electrons; default: 0.")] = None,
    dsnu: Annotated[float | None, Option(help="Fixed pattern of offsets, electrons; default: 0.")] = None,
    prnu: Annotated[float | None, Option(help="Fixed pattern of gains, a share; default: 0.")] = None,
    bits: Annotated[int | None, Option(help="Of raw values, 8 to 16; default: 10.")] = None,
    black: Annotated[int | None, Option(help="Raw value of no light; default: 64.")] = None,
    headroom: Annotated[float | None, Option(help="Light at the largest raw value; white is 1; default: 1.4.")] = None,
    demosaic: Annotated[str | None, Option(help="edge_aware or bilinear; default: edge_aware.")] = None,
    red: Annotated[float | None, Option(help="Gain of red in the white balance; default: 2.")] = None,
    blue: Annotated[float | None, Option(help="Gain of blue in the white balance; default: 1.6.")] = None,
    matrix: Annotated[
        bool | None, Option("--matrix/--no-matrix", help="Turn a camera's colours into sRGB; default: no.")
    ] = None,
    curve: Annotated[str | None, Option(help="srgb, bt709 or linear, from light to values; default: srgb.")] = None,
    zoom: Annotated[
        float | None, Option(help="Pixels of the picture for one of the sensor, each way: 1 to 4; default: 1.")
    ] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Film clean footage with a noisy camera, through a real codec if wanted: footage whose truth is known."""
    from self2align.media.jobs import known_kinds

    if not source.exists():
        raise ValueError(f"{source}: found nothing there, expected {known_kinds()} or a folder of pictures")

    from fractions import Fraction

    from self2align.media.clean import open_clean
    from self2align.media.containers import CONTAINERS
    from self2align.media.recording import Recording, check_recording, record
    from self2align.noise.camera import camera_of
    from self2align.stages.screen import bar, say

    options: dict[str, Any] = {
        "read": read,
        "rows": rows,
        "dsnu": dsnu,
        "prnu": prnu,
        "bits": bits,
        "black": black,
        "headroom": headroom,
        "demosaic": demosaic,
        "red": red,
        "blue": blue,
        "matrix": matrix,
        "curve": curve,
        "zoom": zoom,
    }
    camera = camera_of(peak, {name: value for name, value in options.items() if value is not None})
    chosen = codec or ("h264" if output.suffix.lower() in CONTAINERS else "none")
    recording = Recording(
        None if chosen == "none" else chosen, quality, None if rate is None else Fraction(rate).limit_denominator(1001)
    )
    footage = open_clean(source, frames, axes)
    check_recording(footage, recording, output, clean, overwrite)
    with bar(f"filming {source}") as progress:
        count = record(footage, camera, output, recording=recording, seed=seed, clean=clean, progress=progress)
    how = "" if recording.codec is None else f", {recording.codec} at quality {quality}"
    say(f"{output}: {count} frames of {camera.describe()}, seed {seed}{how}")
    if clean is not None:
        say(f"{clean}: the same frames without noise")
