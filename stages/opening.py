"""Opening what earlier stages left."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.stores.frames import FrameStore


def open_sources(folder: Path, keys: Sequence[str]) -> list[FrameStore]:
    """Open the store of each key, in order.

    Stores of sources that the parameters no longer name are removed (DVC's cache keeps them): the folder is a
    dependency, and its hash must not tell of runs that went before.
    """
    wanted = {f"{key}.zarr" for key in keys}
    for leftover in sorted(folder.glob("*.zarr")):
        if leftover.name not in wanted:
            shutil.rmtree(leftover)
    return [FrameStore(folder / f"{key}.zarr") for key in keys]
