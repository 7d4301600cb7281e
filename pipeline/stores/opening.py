"""Open stores that earlier stages wrote."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from self2align.stores.frames import FrameStore


def keep_only(folder: Path, keys: Sequence[str]) -> None:
    """Remove outputs for items that the parameters no longer name; they stay in DVC's cache.

    The folder is a dependency, and its hash must not depend on earlier runs.
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
