"""doctor: environment, device, disk, parameters, stages, stores and weights, in one page of plain words."""

from pathlib import Path
from typing import Annotated

from typer import Exit, Option


def doctor(
    check: Annotated[bool, Option(help="Compare stores with their own digests (reads all of them).")] = True,
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Say what is well here and what to do about the rest; ends with an error where something is broken."""
    from self2align.stages.screen import say
    from self2align.survey.checks import examine

    broken = 0
    for finding in examine(params, whole=check):
        say(str(finding))
        broken += finding.broken
    if broken:
        say(f"{broken} broken")
        raise Exit(1)
