"""Pages of TIFF files, by OpenCV where they are LZW, which tifffile reads with the package imagecodecs only."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, TiffPage


def is_lzw(page: TiffPage) -> bool:
    """Return whether a page is compressed by LZW."""
    return page.compression == COMPRESSION.LZW


def read_page(source: Path, page: TiffPage, number: int) -> NDArray[Any]:
    """Return the pixels of a page, as stored: ``(H, W)``, ``(H, W, S)`` or ``(S, H, W)``.

    Parameters
    ----------
    source
        The file.
    page
        As tifffile has it.
    number
        Of the page in the file, from 0.

    Raises
    ------
    ValueError
        When OpenCV makes something else of LZW than the page's head says.
    """
    if not is_lzw(page):
        return np.asarray(page.asarray())
    done, images = cv2.imreadmulti(str(source), start=number, count=1, flags=cv2.IMREAD_UNCHANGED)
    if not done or images[0].shape != page.shape or images[0].dtype != page.dtype:
        raise ValueError(f"LZW in page {number} that does not decode")
    pixels: NDArray[Any] = np.asarray(images[0])
    return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]
