"""Errors of denoised frames block by block, and their file: the report compares those of two methods."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from self2align.runtime.scratch import write_atomically

BLOCK = 16  # px a side
Blocks = NDArray[np.float32]


def block_errors(result: NDArray[np.float32], clean: NDArray[np.float32]) -> Blocks:
    """Return the mean squared error of each block, ``(H // 16, W // 16)``, in squared levels of 255.

    Parameters
    ----------
    result, clean
        ``(C, H, W)``, white being 1.0. Rows and columns beyond the last whole block are left out.
    """
    squared = np.square((result - clean) * np.float32(255)).mean(0)
    rows, columns = (side // BLOCK for side in squared.shape)
    whole = squared[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    errors: Blocks = whole.mean((1, 3), dtype=np.float64).astype(np.float32)
    return errors


def write_blocks(path: Path, errors: Mapping[str, Blocks]) -> None:
    """Write errors by name, whole or not at all. The same errors give the same bytes."""
    write_atomically(path, save(dict(errors)))


def read_blocks(path: Path) -> dict[str, Blocks]:
    """Return errors by name.

    Raises
    ------
    ValueError
        Without the file, or if it is damaged.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found no file, expected the errors of blocks of an earlier stage")
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path}: found a damaged file ({error}), expected the errors of blocks") from error
