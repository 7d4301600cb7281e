"""denoise INPUT OUTPUT: denoise files with trained weights."""

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

if TYPE_CHECKING:
    from self2align.denoising.frames import Kept
    from self2align.denoising.purpose import NoiseNotes
    from self2align.denoising.tiled import TiledDenoiser
    from self2align.media.jobs import Job
    from self2align.media.medium import Choices, Medium

WEIGHTS = Path("data/train_denoiser/denoiser.safetensors")

# How the result should look, and of what the noise is taken off.
Source = Annotated[
    str, Argument(metavar="INPUT", help="Picture, TIFF stack, video, Zarr array, folder, or quoted pattern of them.")
]
Output = Annotated[Path, Argument(metavar="OUTPUT", help="File, or folder for a folder or pattern.")]
Weights = Annotated[Path, Option(help="Denoiser (.safetensors).")]
Temporal = Annotated[
    int, Option(min=0, max=8, help="Aligned frames before and after that help each frame; 2 is a good value.")
]
OnePass = Annotated[
    bool, Option("--one-pass", help="With --temporal: faster; the mean with the neighbours is denoised once.")
]
Aligner = Annotated[Path | None, Option(help="Aligner, for --temporal; default: that of the bundle.")]
Pattern = Annotated[
    Path | None, Option(help="Fixed pattern (self2align pattern), or dark frame, to take off every frame first.")
]
Unclip = Annotated[
    bool, Option("--unclip/--no-unclip", help="Correct the mean where noise was clipped at black or white.")
]

Overall = Annotated[
    float, Option(help="Share of the noise that is taken off, 0 to 1: 0.7 leaves 0.3 of its standard deviation.")
]
Luma = Annotated[float | None, Option(help="The same of luma alone; default: --strength.")]
Chroma = Annotated[float | None, Option(help="The same of chroma alone; default: --strength.")]
Trust = Annotated[
    Path | None,
    Option(help="With --temporal: also write how far neighbours are trusted (.tif, .zarr, .mkv, .mp4, .mov)."),
]

# How the values of a file are read.
White = Annotated[
    float | None, Option(help="Value at which noise was clipped; default: as in training, or 255, 65535, 1.")
]
Sigma = Annotated[
    float | None, Option(help="Standard deviation of the noise, in the values of the file; default: measured.")
]
Axes = Annotated[
    str | None, Option(help="Axes of a TIFF stack or Zarr array, a letter each: TCYX; default: as it says.")
]
SkipDamaged = Annotated[
    bool, Option("--skip-damaged", help="Leave out damaged frames of a video, and say which; else refuse it.")
]

# How the result is written.
Dtype = Annotated[
    str | None,
    Option(help="Type of the result: same, or float32 (TIFF, Zarr); default: same, unless rounding undoes it all."),
]
Codec = Annotated[str | None, Option(help="Encoder of a video; default: libx264, in WebM libvpx-vp9.")]
Crf = Annotated[
    float | None, Option(help="Constant rate factor of a video's encoder, higher is worse; default: 14 to 16.")
]
Preset = Annotated[
    str | None, Option(help="Preset of a video's encoder, from ultrafast to placebo; libsvtav1: 13 to 0.")
]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace an existing output.")]
Preview = Annotated[
    int | None,
    Option(min=1, max=16, help="Only look: so many frames of a crop, before and after, as a picture beside OUTPUT."),
]
Memory = Annotated[
    int, Option(min=1, envvar="SELF2ALIGN_MEMORY", help="MiB that the network may use; decides the tiles.")
]


def denoise(
    source: Source,
    output: Output,
    weights: Weights = WEIGHTS,
    temporal: Temporal = 0,
    one_pass: OnePass = False,
    aligner: Aligner = None,
    trust: Trust = None,
    strength: Overall = 1.0,
    luma: Luma = None,
    chroma: Chroma = None,
    white: White = None,
    sigma: Sigma = None,
    axes: Axes = None,
    dtype: Dtype = None,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    memory: Memory = 2048,
    unclip: Unclip = True,
    fixed_pattern: Pattern = None,
    skip_damaged: SkipDamaged = False,
    overwrite: Overwrite = False,
    preview: Preview = None,
) -> None:
    """Denoise files; a killed run continues where it stopped."""
    jobs = _asked(source, output, weights, sigma, dtype, overwrite, preview, trust)

    from self2align.denoising.frames import choose_denoise
    from self2align.denoising.strength import Strength
    from self2align.media.medium import Choices
    from self2align.media.run import denoise_media
    from self2align.media.spans import Recipe, finish_on_cluster
    from self2align.media.trust import LastTrust
    from self2align.media.trust_file import check_trust
    from self2align.sources.pattern import load_pattern
    from self2align.stages.screen import bar, say

    denoiser, seen = _loaded(weights, memory)
    last = None if trust is None else LastTrust()
    denoise_frames = choose_denoise(
        denoiser, radius=temporal, aligner=aligner or weights, unclip=unclip, trust=last, one_pass=one_pass
    )
    pattern = None if fixed_pattern is None else load_pattern(fixed_pattern)
    choices = Choices(
        denoiser.channels,
        white=white,
        codec=codec,
        axes=axes,
        sigma=sigma,
        trained=denoiser.whites,
        skip_damaged=skip_damaged,
        dtype=dtype,
        pattern=pattern,
        crf=crf,
        preset=preset,
        strength=Strength.told(strength, luma, chroma),
        trust=last,
    )
    if preview is not None:
        _preview(source, output, jobs, denoise_frames, choices, preview, temporal)
        return
    media = _opened(source, jobs, choices, temporal)
    if trust is not None:
        check_trust(trust, source, media, output, overwrite)
    if unclip and denoiser.clipping:
        ends = denoiser.clipping.ends
        say(f"noise was clipped at {ends} in training: its mean is corrected (--no-unclip turns this off)")
    inputs = {**choices.record(), "temporal": temporal, "memory": memory, "unclip": unclip, "one_pass": one_pass}
    inputs |= _digests(denoiser, weights, aligner if temporal else None)
    with bar(f"denoising {source}") as progress:
        recipe = Recipe(weights, memory * 2**20, temporal, aligner or weights, unclip, one_pass)
        elsewhere = partial(finish_on_cluster, recipe, denoise_frames, seen)
        denoise_media(media, output, denoise_frames, inputs, progress, trust, elsewhere)
    frames = sum(medium.count for _, medium in media)
    seen.summarise(frames)
    if denoise_frames.note:
        say(denoise_frames.note)
    if trust is not None:
        say(f"{trust}: how far neighbours are trusted, 0 to 1 (white)")
    say(f"{output}: denoised, files: {len(media)}, frames: {frames}")


def _loaded(weights: Path, memory: int) -> "tuple[TiledDenoiser, NoiseNotes]":
    """Return the denoiser, and what tells the noise of the frames that it sees."""
    from self2align.denoising.purpose import NoiseNotes, Purpose
    from self2align.denoising.tiled import TiledDenoiser
    from self2align.runtime.devices import device
    from self2align.stages.screen import say
    from self2align.stores.header import load_checked

    where = device()
    seen = NoiseNotes(Purpose.of(load_checked(weights)[1]), say)
    return TiledDenoiser.load(weights, device=where, memory=memory * 2**20, watch=seen), seen


def _digests(denoiser: "TiledDenoiser", weights: Path, aligner: Path | None) -> dict[str, str | None]:
    """Return what decides the result besides the user's choices."""
    from self2align.runtime.provenance import code_digest
    from self2align.runtime.scratch import file_digest

    return {
        "weights": file_digest(weights),
        "aligner": file_digest(aligner) if aligner else None,
        "network": code_digest(type(denoiser.network)),
        "device": denoiser.device.type,
    }


def _asked(
    source: str,
    output: Path,
    weights: Path,
    sigma: float | None,
    dtype: str | None,
    overwrite: bool,
    preview: int | None,
    trust: Path | None,
) -> "list[Job]":
    """Return the files to denoise; what needs no torch to be refused is refused before it is loaded."""
    from self2align.media import DTYPES
    from self2align.media.jobs import find_jobs
    from self2align.media.staging import asked
    from self2align.stores.presence import check_weights

    if sigma is not None and not 0 < sigma < math.inf:
        raise ValueError(f"--sigma: found {sigma:g}, expected more than 0")
    if dtype not in (None, *DTYPES):
        raise ValueError(f"--dtype: found {dtype!r}, expected {' or '.join(DTYPES)}")
    if preview is not None and trust is not None:
        raise ValueError("--trust: found it together with --preview, expected one of them")
    # A preview leaves the output alone, so that one may be there.
    jobs = find_jobs(source, output) if preview is not None else asked(source, output, overwrite)
    check_weights(weights)
    return jobs


def _opened(source: str, jobs: "list[Job]", choices: "Choices", temporal: int) -> "list[tuple[Job, Medium]]":
    """Return the files to denoise, checked; say how they are read, and what their results do not keep."""
    from self2align.media.footage import check_footage
    from self2align.media.run import open_media
    from self2align.stages.screen import bar, say

    with bar(f"checking {source}", stays=False) as checking:
        media = open_media(jobs, choices, checking)
    for _, medium in media:
        for line in [medium.reading, *medium.notes]:
            if line:
                say(line)
    if temporal:
        check_footage(source, media)
    return media


def _preview(
    source: str, output: Path, jobs: "list[Job]", denoise: "Kept", choices: "Choices", count: int, temporal: int
) -> None:
    """Write a picture of a few frames, before and after, and say where it lies."""
    from self2align.images.png import encode_png
    from self2align.media.preview import looked_at, preview, preview_of
    from self2align.runtime.scratch import write_atomically
    from self2align.stages.screen import bar, say

    place = preview_of(output, jobs)
    media = _opened(source, looked_at(jobs, count, temporal), choices, temporal)
    with bar(f"looking at {source}") as progress:
        sheet = preview(media, denoise, choices.strength, count, place, progress)
    write_atomically(place, encode_png(sheet))
    say(f"{place}: the middle of some frames, noisy on the left, denoised on the right; {output} was not touched")
