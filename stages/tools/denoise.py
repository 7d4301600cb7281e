"""denoise INPUT OUTPUT: denoise files with trained weights."""

import math
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

WEIGHTS = Path("data/train_denoiser/denoiser.safetensors")


def denoise(
    source: Annotated[
        str,
        Argument(metavar="INPUT", help="Picture, TIFF stack, video, Zarr array, folder, or quoted pattern of them."),
    ],
    output: Annotated[Path, Argument(metavar="OUTPUT", help="File, or folder for a folder or pattern.")],
    weights: Annotated[Path, Option(help="Denoiser (.safetensors).")] = WEIGHTS,
    temporal: Annotated[
        int,
        Option(min=0, max=8, help="Aligned frames before and after that help each frame; 2 is a good value."),
    ] = 0,
    aligner: Annotated[Path | None, Option(help="Aligner, for --temporal; default: that of the bundle.")] = None,
    white: Annotated[
        float | None, Option(help="Value at which noise was clipped; default: as in training, or 255, 65535, 1.")
    ] = None,
    sigma: Annotated[
        float | None, Option(help="Standard deviation of the noise, in the values of the file; default: measured.")
    ] = None,
    axes: Annotated[
        str | None, Option(help="Axes of a TIFF stack or Zarr array, a letter each: TCYX; default: as it says.")
    ] = None,
    dtype: Annotated[
        str | None,
        Option(help="Type of the result: same, or float32 (TIFF, Zarr); default: same, unless rounding undoes it all."),
    ] = None,
    codec: Annotated[str | None, Option(help="Encoder of a video; default: libx264, in WebM libvpx-vp9.")] = None,
    memory: Annotated[
        int, Option(min=1, envvar="SELF2ALIGN_MEMORY", help="MiB that the network may use; decides the tiles.")
    ] = 2048,
    unclip: Annotated[
        bool, Option("--unclip/--no-unclip", help="Correct the mean where noise was clipped at black or white.")
    ] = True,
    fixed_pattern: Annotated[
        Path | None, Option(help="Fixed pattern (self2align pattern), or dark frame, to take off every frame first.")
    ] = None,
    skip_damaged: Annotated[
        bool, Option("--skip-damaged", help="Leave out damaged frames of a video, and say which; else refuse it.")
    ] = False,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Denoise files; a killed run continues where it stopped."""
    from self2align.denoising.frames import choose_denoise
    from self2align.denoising.purpose import NoiseNotes, Purpose
    from self2align.denoising.tiled import TiledDenoiser
    from self2align.media.footage import check_footage
    from self2align.media.medium import Choices
    from self2align.media.rounding import DTYPES
    from self2align.media.run import denoise_media, open_media
    from self2align.runtime.devices import device
    from self2align.runtime.provenance import code_digest
    from self2align.runtime.scratch import file_digest
    from self2align.sources.pattern import load_pattern
    from self2align.stages.screen import bar, say
    from self2align.stores.header import load_checked

    where = device()
    if sigma is not None and not 0 < sigma < math.inf:
        raise ValueError(f"--sigma: found {sigma:g}, expected more than 0")
    if dtype not in (None, *DTYPES):
        raise ValueError(f"--dtype: found {dtype!r}, expected {' or '.join(DTYPES)}")
    seen = NoiseNotes(Purpose.of(load_checked(weights)[1]), say)
    denoiser = TiledDenoiser.load(weights, device=where, memory=memory * 2**20, watch=seen)
    denoise_frames = choose_denoise(denoiser, radius=temporal, aligner=aligner or weights, unclip=unclip)
    pattern = None if fixed_pattern is None else load_pattern(fixed_pattern)
    choice = Choices(denoiser.channels, white, codec, axes, sigma, denoiser.whites, skip_damaged, dtype, pattern)
    with bar(f"checking {source}", stays=False) as checking:
        media = open_media(source, output, choice, overwrite, checking)
    for _, medium in media:
        for line in [medium.reading, *medium.notes]:
            if line:
                say(line)
    if temporal:
        check_footage(source, media)
    if unclip and denoiser.clipping:
        ends = denoiser.clipping.ends
        say(f"noise was clipped at {ends} in training: its mean is corrected (--no-unclip turns this off)")
    choices = {
        "temporal": temporal,
        "white": white,
        "sigma": sigma,
        "axes": axes,
        "codec": codec,
        "dtype": dtype,
        "memory": memory,
        "unclip": unclip,
        "skip_damaged": skip_damaged,
        **({} if pattern is None else {"fixed_pattern": pattern.digest}),
    }
    inputs = {
        **choices,
        "weights": file_digest(weights),
        "aligner": file_digest(aligner) if temporal and aligner else None,
        "network": code_digest(type(denoiser.network)),
        "device": where.type,
    }
    with bar(f"denoising {source}") as progress:
        denoise_media(media, output, denoise_frames, inputs, progress)
    frames = sum(medium.count for _, medium in media)
    seen.summarise(frames)
    if denoise_frames.note:
        say(denoise_frames.note)
    say(f"{output}: denoised, files: {len(media)}, frames: {frames}")
