"""doctor: check environment, device, disk, parameters, stages, stores and weights, on one page."""

from pathlib import Path
from typing import Annotated

from typer import Exit, Option


def doctor(
    check: Annotated[bool, Option(help="Compare stores with their digests (reads all of them).")] = True,
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Check everything and say what to do; exit code 1 if something is broken."""
    from self2align.stages.screen import say
    from self2align.survey.checks import examine

    broken = 0
    for finding in examine(params, read_stores=check):
        say(str(finding))
        broken += finding.broken
    if broken:
        say(f"{broken} broken")
        raise Exit(1)
