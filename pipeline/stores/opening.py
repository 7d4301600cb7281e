"""Opening what earlier stages left."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from self2align.stores.frames import FrameStore


def keep_only(folder: Path, keys: Sequence[str]) -> None:
    """Remove what stages left for items that the parameters no longer name; DVC's cache keeps it.

    The folder is a dependency, and its hash must not tell of runs that went before.
    """
    for leftover in sorted(folder.glob("*")):
        if leftover.name.startswith(".") or leftover.name.split(".")[0] in keys:
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def open_sources(folder: Path, keys: Sequence[str]) -> list[FrameStore]:
    """Open the store of each key, in order; stores of other keys are removed."""
    keep_only(folder, keys)
    return [FrameStore(folder / f"{key}.zarr") for key in keys]
