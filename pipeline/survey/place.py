"""What `init` refuses before the footage is read: places and names, told before torch is loaded."""

from pathlib import Path

from self2align.media import SUFFIXES
from self2align.runtime.disk import move
from self2align.stores.presence import is_zarr

# Of an existing folder, while it is filled.
UNFINISHED, FINISHED = ".init.unfinished", ".init.finished"


def check_source(path: Path) -> None:
    """Refuse a path that is no footage, by its name alone.

    Raises
    ------
    ValueError
        If there is nothing, or a file of another kind.
    """
    known = SUFFIXES["tiff"] | SUFFIXES["video"]
    if path.is_file() and path.suffix.lower() not in known:
        expected = f"a file of {', '.join(sorted(known))}, or a folder"
        raise ValueError(f"{path}: found suffix {path.suffix!r}, expected footage: {expected}")
    if not (path.is_file() or path.is_dir() or is_zarr(path)):
        raise ValueError(
            f"{path}: found nothing, expected a video, a TIFF stack, or a folder of videos, stacks or images"
        )


def check_place(folder: Path, source: Path) -> None:
    """Check that a working folder can be made at a path.

    Raises
    ------
    ValueError
        If it exists and is not empty, or lies within the footage. Stages depend on all files of the footage.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: found a file, expected a new or empty folder")
    if (folder / FINISHED).is_dir():
        put_items(folder)  # which a kill has interrupted
    if folder.is_dir() and any(item.name != UNFINISHED for item in folder.iterdir()):
        raise ValueError(f"{folder}: found files in it, expected a new or empty folder")
    if folder.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{folder}: found a folder within the footage ({source}), expected one outside it")


def put_items(place: Path) -> None:
    """Move the items of a finished folder up into the existing folder that it lies in."""
    for item in sorted((place / FINISHED).iterdir()):
        move(item, place / item.name)
    (place / FINISHED).rmdir()
