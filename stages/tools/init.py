"""init DIR --source PATH: make a working folder for your own footage, ready for `dvc repro`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def init(
    folder: Annotated[Path, Argument(metavar="DIR", help="Folder to make: new, or empty.")],
    source: Annotated[
        Path, Option(help="Noisy footage: a video, a TIFF stack, a Zarr array, folders of these or of images.")
    ],
    profile: Annotated[str, Option(help="default (minutes to half an hour on a CPU), or quality (hours).")] = "default",
    axes: Annotated[
        str | None, Option(help="Axes of TIFF stacks or Zarr arrays, a letter each: TYX; default: as they say.")
    ] = None,
    skip_damaged: Annotated[bool, Option("--skip-damaged", help="Leave out damaged frames of videos.")] = False,
) -> None:
    """Survey noisy footage and make a working folder for it: dvc.yaml and params.yaml."""
    from self2align.survey.place import check_place, check_source

    if profile not in ("default", "quality"):
        raise ValueError(f"--profile: found {profile!r}, expected default or quality")
    check_source(source)
    check_place(folder, source)

    from self2align.runtime.cores import cores
    from self2align.runtime.shipped import shipped
    from self2align.stages.screen import say
    from self2align.survey.findings import findings, first_look
    from self2align.survey.folder import make_folder
    from self2align.survey.footage import survey_footage
    from self2align.survey.profile import read_profile
    from self2align.survey.settings import apply, choose

    say(f"reading {source}")
    survey = survey_footage(source, axes, skip_damaged)
    for line in survey.readings:
        say(line)
    content = read_profile(shipped("profiles") / f"{profile}.yaml")
    chosen = choose(survey, content)
    apply(content, survey, chosen, min(cores(), 8))
    for line in make_folder(folder, content, lambda params: findings(survey, chosen, params, profile)):
        say(line)
    say(f"{folder}: made; next: cd {folder} && dvc repro")
    say(first_look(survey))
