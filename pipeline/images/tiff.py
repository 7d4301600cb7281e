"""TIFF files: opening, and what their pages hold."""

import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage

from self2align.images.ome import open_alone

_ALPHA = (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA)
# tifffile trusts a file; a broken one can raise any of these.
_BROKEN = (
    *(ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    *(struct.error, zlib.error),
)

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its errors are reported in one line here


@contextmanager
def as_line(source: Path) -> Iterator[None]:
    """Report any error of tifffile on a broken file in one line."""
    try:
        yield
    except _BROKEN as error:
        text = " ".join(str(error).split()) or type(error).__name__
        if text.startswith(str(source)):
            raise
        raise ValueError(f"{source}: found {text}, expected a whole TIFF file") from error


@contextmanager
def opened(source: Path, told: list[str] | None = None) -> Iterator[TiffFile]:
    """Open a file of at least one page.

    Parameters
    ----------
    source
        The file.
    told
        Receives what to know about the file if it is a part of an OME series.
    """
    if not source.is_file() or not source.stat().st_size:
        raise ValueError(f"{source}: found no bytes, expected a TIFF file")
    with as_line(source):
        file, alone = open_alone(source)
        pages = len(file.pages)
    if told is not None and alone is not None:
        told += alone.lines
    with file:
        if not pages:
            raise ValueError(f"{source}: found no page, expected a TIFF file of one or more")
        yield file


def page_of(file: TiffFile, number: int) -> TiffPage:
    """Return a page by its number, from 0."""
    page = file.pages[number]
    assert isinstance(page, TiffPage)
    return page


def dtype_of(page: TiffPage) -> np.dtype[Any]:
    """Return the type of a page's values."""
    if page.dtype is None:
        raise ValueError(f"{page.bitspersample} bits of format {page.sampleformat}")
    return np.dtype(page.dtype)


def colours_of(page: TiffPage) -> int:
    """Return the number of samples of a page to denoise; alpha and other extra samples are copied."""
    if page.photometric == PHOTOMETRIC.RGB:
        return 3
    return page.samplesperpixel - sum(kind in _ALPHA for kind in page.extrasamples)


def virtual_pages(file: TiffFile, first: TiffPage) -> int:
    """Return the number of pages behind the only listed one; 0 if all pages are listed.

    ImageJ lists one page of a stack larger than 4 GiB; tifffile can do the same.
    """
    if len(file.pages) > 1 or not (file.is_imagej or file.is_shaped):
        return 0
    values = int(np.prod(file.series[0].shape, dtype=np.int64))
    pages = values * dtype_of(first).itemsize // first.nbytes
    if pages < 2 or not first.is_contiguous:
        return 0
    if first.dataoffsets[0] + pages * first.nbytes > file.filehandle.size:
        raise ValueError(f"{pages} pages declared in {file.filehandle.size} bytes")
    return pages
