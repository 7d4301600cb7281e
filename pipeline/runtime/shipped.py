"""Files that come with the package: at the root of a checkout, in ``self2align/shipped`` of an installation."""

from pathlib import Path


def shipped(name: str) -> Path:
    """Return the path of a file or folder that comes with the package.

    Raises
    ------
    ValueError
        When it is missing.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "shipped", package.parent):
        if (folder / name).exists():
            return folder / name
    raise ValueError(f"{package}: found no {name}, expected a file that comes with self2align; reinstall it")
