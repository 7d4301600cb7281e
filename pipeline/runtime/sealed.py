"""Finished parts of unfinished work, with a checksum at their end: a damaged part is made again and never used.

The checksum covers the name as well, so a part in the place of another is not taken for it.
"""

import io
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from self2align.runtime.disk import part_of, written

_SUM = 4  # bytes of the checksum, CRC-32
_PIECE = 2**24  # bytes that are read at a time


def _begun(path: Path) -> int:
    return zlib.crc32(os.fsencode(path.name))


def _seal(file: BinaryIO, path: Path, *pieces: Any) -> None:
    """Write the pieces of a part's bytes, and their checksum behind them."""
    found = _begun(path)
    for piece in pieces:
        file.write(piece)
        found = zlib.crc32(piece, found)
    file.write(found.to_bytes(_SUM, "big"))


def write_sealed(path: Path, data: bytes) -> None:
    """Write a part, completely or not at all."""
    with written(path, part_of(path)) as file:
        _seal(file, path, data)


def is_whole(path: Path) -> bool:
    """Return whether a part is there and as it was written."""
    if not path.is_file():
        return False
    found, left = _begun(path), path.stat().st_size - _SUM
    with path.open("rb") as file:
        while left > 0:
            piece = file.read(min(left, _PIECE))
            found = zlib.crc32(piece, found)
            left -= max(1, len(piece))
        return left == 0 and file.read() == found.to_bytes(_SUM, "big")


def read_sealed(path: Path) -> bytes:
    """Return what a part holds.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    if not is_whole(path):
        raise ValueError(f"{path}: found a damaged part of unfinished work, expected it as it was written; delete it")
    return path.read_bytes()[:-_SUM]


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as a part in the form of ``.npy``, completely or not at all."""
    values = np.ascontiguousarray(array)
    head = io.BytesIO()
    # numpy's own writing of values names no error but the number of bytes.
    np.lib.format.write_array_header_2_0(head, np.lib.format.header_data_from_array_1_0(values))
    with written(path, part_of(path)) as file:
        _seal(file, path, head.getvalue(), values.data)
