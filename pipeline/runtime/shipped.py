"""Where the package lies, and files that come with it: at the root of a checkout, in ``shipped`` of an installation."""

from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def shipped(name: str) -> Path:
    """Return the path of a file or folder that comes with the package.

    Raises
    ------
    ValueError
        When it is missing.
    """
    for folder in (PACKAGE / "shipped", PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise ValueError(f"{PACKAGE}: found no {name}, expected a file that comes with self2align; reinstall it")


def code_folders() -> dict[str, Path]:
    """Return the folders of the code by the names that a working folder gives them: pipeline, stages."""
    found = find_spec("self2align.stages")
    assert found is not None
    assert found.origin is not None
    return {"pipeline": PACKAGE, "stages": Path(found.origin).resolve().parent}
