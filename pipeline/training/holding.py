"""Arrays that trainings read at random: in memory as far as they fit, else mapped from files."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.runtime.disk import mapped_array
from self2align.training.launched import is_first, processes
from self2align.training.ranks import wait


def memory_limit() -> int:
    """Return how many bytes of decoded data fit in memory; arrays beyond that are mapped from files.

    ``$SELF2ALIGN_MEMORY`` in MiB; 1024 by default.

    Raises
    ------
    ValueError
        If the variable is no number.
    """
    text = os.environ.get("SELF2ALIGN_MEMORY", "1024")
    if not text.isdigit():
        raise ValueError(f"SELF2ALIGN_MEMORY: found {text!r}, expected a number of MiB")
    return int(text) * 2**20


def hold(
    name: str,
    blocks: Iterator[NDArray[Any]],
    shape: tuple[int, ...],
    dtype: Any,
    folder: Path,
    budget: int,
) -> NDArray[Any]:
    """Collect blocks of rows in one array: in memory within the budget, otherwise in a mapped file.

    A training loop reads hundreds of crops per second from a compressed store, and hundreds of thousands from memory.
    With several processes the first one writes the file, and all read it; in memory each has its own.

    Parameters
    ----------
    name
        Name of the file.
    blocks
        Consecutive rows, of the type ``dtype``.
    shape
        Shape of the whole array.
    dtype
        Its type.
    folder
        Folder of the file.
    budget
        Bytes that may be used in memory.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    held: NDArray[Any]
    if size <= budget:
        held = np.empty(shape, dtype)
    elif is_first():
        held = mapped_array(folder / f"{name}.npy", shape, dtype)
    else:
        wait()
        mapped: NDArray[Any] = np.lib.format.open_memmap(folder / f"{name}.npy", mode="r")
        return mapped
    row = 0
    for block in blocks:
        assert block.dtype == held.dtype, (name, block.dtype, held.dtype)
        held[row : row + len(block)] = block
        row += len(block)
    assert row == shape[0], (name, row, shape)
    if isinstance(held, np.memmap) and processes() > 1:
        held.flush()
        wait()
    return held


def memory_of(held: NDArray[Any]) -> int:
    """Return how many bytes of the budget an array from `hold` takes: none if it is mapped."""
    return 0 if isinstance(held, np.memmap) else held.nbytes
