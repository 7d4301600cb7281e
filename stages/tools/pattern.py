"""pattern SOURCE OUT: estimate the fixed pattern of a sensor from footage that moves."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def pattern(
    source: Annotated[
        Path, Argument(metavar="SOURCE", help="Noisy footage: a video, a TIFF stack, a Zarr array, a folder of these.")
    ],
    out: Annotated[Path, Argument(metavar="OUT", help="File to write (.npz).")],
    frames: Annotated[int, Option(min=8, help="Frames that are read of each scene, from its first one on.")] = 100,
    axes: Annotated[
        str | None, Option(help="Axes of TIFF stacks or Zarr arrays, a letter each: TYX; default: as they say.")
    ] = None,
    skip_damaged: Annotated[bool, Option("--skip-damaged", help="Leave out damaged frames of videos.")] = False,
) -> None:
    """Estimate the pattern that stays at its place on the sensor while the scene moves, to take it off."""
    from self2align.survey.place import check_source

    if out.suffix.lower() != ".npz":
        raise ValueError(f"OUT: found {out}, expected a name that ends in .npz")
    check_source(source)

    from self2align.sources.source import Selection
    from self2align.stages.screen import bar, say
    from self2align.survey.pattern import pattern_of_footage

    selection = Selection(max_frames=frames, skip_damaged=skip_damaged, axes=axes)
    made, lines = pattern_of_footage(source, selection, bar)
    for line in lines:
        say(line)
    if made is None:
        say(f"{out}: not written")
        return
    made.save(out)
    say(
        f"{out}: written; next: synthesize.fixed_pattern: {out} in params.yaml, and "
        f"self2align denoise --fixed-pattern {out}"
    )
