"""Files that come with the package: at the root of a checkout, in ``stages/shipped`` of an installation."""

from pathlib import Path


def shipped(name: str) -> Path:
    """Return where a file or folder that comes with the package lies.

    Raises
    ------
    ValueError
        When it is not there.
    """
    here = Path(__file__).parent
    for folder in (here / "shipped", here.parent):
        if (folder / name).exists():
            return folder / name
    raise ValueError(f"{here}: found no {name} that came with it, expected one; is the installation whole?")
