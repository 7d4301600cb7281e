"""Maps of trust while frames are denoised: of each frame of footage, how far its aligned neighbours help it.

A value is the share of the noise's variance that the mean of a frame and its trusted neighbours takes off, in [0, 1):
see `self2align.denoising.fusion.fuse`. It is kept in 8 bits, 255 being 1.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from self2align.images.png import decode_png, encode_png
from self2align.runtime.sealed import is_whole, read_sealed, write_sealed

WHITE = 255


class LastTrust:
    """Holds the map of the frame that was denoised last, ``(H, W)``."""

    def __init__(self) -> None:
        self.map: NDArray[np.float32] = np.zeros((1, 1), np.float32)

    def __call__(self, values: NDArray[np.float32]) -> None:
        """Take the map of the next frame."""
        self.map = values


def save_map(scratch: Path, index: int, values: NDArray[np.float32]) -> None:
    """Write the map of a frame, ``(H, W)``, as a finished part of unfinished work."""
    codes = np.rint(WHITE * values.clip(0, 1)).astype(np.uint8)
    write_sealed(_place(scratch, index), encode_png(codes[..., None]))


def has_map(scratch: Path, index: int) -> bool:
    """Return whether the map of a frame is finished."""
    return is_whole(_place(scratch, index))


def saved_map(scratch: Path, index: int) -> NDArray[np.uint8]:
    """Return the map of a frame, ``(H, W)``."""
    codes: NDArray[np.uint8] = decode_png(read_sealed(_place(scratch, index)))
    return codes


def _place(scratch: Path, index: int) -> Path:
    return scratch / f"{index:08d}.trust"
