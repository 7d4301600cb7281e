"""profile NAME: write one of the shipped parameter files."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def profile(
    name: Annotated[str, Argument(help="default, quality, gpu or paper; without a name: list them.")] = "",
    out: Annotated[Path, Option(help="Parameter file to write.")] = Path("params.yaml"),
    force: Annotated[bool, Option("--force", help="Replace an edited parameter file.")] = False,
) -> None:
    """Write a profile as params.yaml."""
    from self2align.runtime.scratch import write_atomically
    from self2align.runtime.shipped import shipped
    from self2align.stages.screen import say

    folder = shipped("profiles")
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if not name:
        say("profiles: " + ", ".join(known))
        return
    if name not in known:
        raise ValueError(f"profile: found {name!r}, expected one of {', '.join(known)}")
    profiles = [(folder / f"{one}.yaml").read_bytes() for one in known]
    if out.is_file() and out.read_bytes() not in profiles and not force:
        raise ValueError(f"{out}: found an edited parameter file, expected an unchanged profile; --force replaces it")
    write_atomically(out, (folder / f"{name}.yaml").read_bytes())
    say(f"{out}: profile {name}; next: dvc repro")
