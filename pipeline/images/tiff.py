"""TIFF files: opening, what a page holds, and the footage as an array."""

import logging
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, TIFF, TiffFile, TiffPage

from self2align.images.ome import Alone, open_alone

SUFFIXES = frozenset({".btf", ".tf8", ".tif", ".tiff"})

_ALPHA = (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA)
_JPEG = (COMPRESSION.OJPEG, COMPRESSION.JPEG)
# tifffile trusts a file; a broken one can raise any of these.
_BROKEN = (
    *(ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    *(struct.error, zlib.error),
)
# Colours that are not read, and what to call them.
_COLOURS: dict[int, str] = {
    PHOTOMETRIC.PALETTE: "colours from a palette, whose numbers are no light",
    PHOTOMETRIC.SEPARATED: "CMYK",
    PHOTOMETRIC.MASK: "a mask of transparency",
    PHOTOMETRIC.YCBCR: "YCbCr without JPEG",
    PHOTOMETRIC.CFA: "raw values of a sensor's colour mosaic",
}

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its errors are reported in one line here


@contextmanager
def as_line(source: Path) -> Iterator[None]:
    """Report any error of tifffile on a broken file in one line."""
    try:
        yield
    except _BROKEN as error:
        text = _text(error)
        if text.startswith(str(source)):
            raise
        size = source.stat().st_size if source.is_file() else 0
        raise ValueError(f"{source}: found {text} ({size} bytes), expected a TIFF file whole to its end") from error


def _text(error: BaseException) -> str:
    """Return an error's own words on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def opened(source: Path, told: list[Alone] | None = None) -> Iterator[TiffFile]:
    """Open a file of at least one page, without the others of its OME series.

    Parameters
    ----------
    source
        The file.
    told
        Receives what the file holds of an OME series, if it is of one.

    Raises
    ------
    ValueError
        If it is missing or no TIFF file, or its list of pages is broken.
    """
    if not source.is_file() or not source.stat().st_size:
        raise ValueError(f"{source}: found no bytes, expected a TIFF file")
    with as_line(source):
        file, alone = open_alone(source)
        pages = len(file.pages)
    if told is not None and alone is not None:
        told.append(alone)
    with file:
        if not pages:
            raise ValueError(f"{source}: found no page, expected a TIFF file of one or more")
        with as_line(source):
            _check_chain(file)
        yield file


def _check_chain(file: TiffFile) -> None:
    """Refuse a list of pages that leads out of the file, which tifffile ends there without an error."""
    following = file.pages.next_page_offset
    if following is None:
        return
    file.filehandle.seek(following)
    told = file.filehandle.read(file.tiff.offsetsize)
    leads = struct.unpack(file.tiff.offsetformat, told)[0] if len(told) == file.tiff.offsetsize else -1
    # A list may also lead back to a page that it has.
    if leads and all(page_of(file, number).offset != leads for number in range(len(file.pages))):
        raise ValueError(f"a list of pages that breaks off after {len(file.pages)}")


def page_of(file: TiffFile, number: int) -> TiffPage:
    """Return a page by its number, from 0."""
    page = file.pages.get(number)
    assert isinstance(page, TiffPage)
    return page


def colours_of(page: TiffPage) -> int:
    """Return the number of samples of a pixel that are light: all but alpha. See `unread` for where alpha lies."""
    alpha = untold_alpha(page) or sum(kind in _ALPHA for kind in page.extrasamples)
    return max(page.samplesperpixel - alpha, 3 if page.photometric in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR) else 1)


def untold_alpha(page: TiffPage) -> bool:
    """Whether a page has a fourth sample beside RGB without a word about it; OpenCV writes alpha so."""
    return page.photometric == PHOTOMETRIC.RGB and page.samplesperpixel == 4 and not page.extrasamples


def _has_alpha_within(page: TiffPage) -> bool:
    """Whether samples that are no alpha follow alpha."""
    alpha = [kind in _ALPHA for kind in page.extrasamples]
    return alpha != sorted(alpha)


def _name(kinds: type[IntEnum], value: int) -> str:
    """Return the name of a kind, or the number of one that has none."""
    return next((kind.name for kind in kinds if kind == value), str(int(value)))


def unread(page: TiffPage) -> str | None:
    """Return what a page holds that is not read; None if it is read.

    Read are gray and RGB of integers and floats of 3 to 64 bits, in every compression that tifffile decodes. YCbCr is
    read where it is JPEG, whose decoder gives RGB. Zero may stand for white: values are as stored.
    """
    jpeg = page.photometric == PHOTOMETRIC.YCBCR and page.compression in _JPEG and page.planarconfig == 1
    if page.photometric not in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB) and not jpeg:
        named = _COLOURS.get(page.photometric, f"colours of kind {_name(PHOTOMETRIC, page.photometric)}")
        if page.photometric == PHOTOMETRIC.YCBCR and page.is_subsampled:
            named = "subsampled YCbCr without JPEG"
        return f"{named}; gray and RGB are read"
    if _has_alpha_within(page):
        return "alpha before other samples of a pixel; alpha that comes last is read"
    if page.dtype is None:
        return f"values of {page.bitspersample} bits (sample format {page.sampleformat}); integers and floats are read"
    if page.dtype.kind == "b":
        return "values of 1 bit, black or white; gray and RGB of more bits are read"
    if page.dtype.kind not in "uif" or page.dtype.itemsize > 8:
        return f"values of type {page.dtype}; integers and real numbers are read"
    if page.compression != COMPRESSION.NONE and page.compression not in TIFF.DECOMPRESSORS:
        return f"compression {_name(COMPRESSION, page.compression)}, which has no decoder here"
    return None


class TiffArray:
    """The footage of an open file as an array: pages are decoded when a region asks for them.

    Parameters
    ----------
    file
        The file.
    numbers
        Shape ``lead``: the number of each page, by the axes that lie across pages.
    inside
        Lengths of the axes that lie within a page, as stored.
    cut
        Which of these axes are samples, and how many of them are light; None if all are.
    dtype
        Type of the values, in the machine's byte order.
    virtual
        The page that is listed, where the others lie behind it; None if all are.
    scattered
        Whether a frame is spread over many pages, as when time is the last axis: then all are held in memory.
    """

    def __init__(
        self,
        file: TiffFile,
        *,
        numbers: NDArray[np.int64],
        inside: tuple[int, ...],
        cut: tuple[int, int] | None,
        dtype: np.dtype[Any],
        virtual: int | None,
        scattered: bool,
    ) -> None:
        self.file, self.numbers, self.inside, self.cut = file, numbers, inside, cut
        self.dtype, self.virtual, self.scattered = dtype, virtual, scattered
        self._last: tuple[int, NDArray[Any]] | None = None
        self._whole: NDArray[Any] | None = None

    def __getitem__(self, region: Sequence[int | slice]) -> NDArray[Any]:
        """Return the values of a region: an integer or a slice for each axis."""
        if self.scattered:
            if self._whole is None:
                self._whole = self._read(tuple(slice(None) for _ in range(self.numbers.ndim + len(self.inside))))
            return self._whole[tuple(region)]
        return self._read(tuple(region))

    def _read(self, region: tuple[int | slice, ...]) -> NDArray[Any]:
        lead = self.numbers.ndim
        wanted = np.asarray(self.numbers[region[:lead]])
        pages = (self.light(self.stored(int(number)))[region[lead:]] for number in wanted.ravel())
        if not wanted.ndim:
            return next(pages)
        first = next(pages)
        block = np.empty((wanted.size, *first.shape), self.dtype)
        block[0] = first
        for place, page in enumerate(pages, 1):
            block[place] = page
        return block.reshape(*wanted.shape, *first.shape)

    def light(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return a view of a page without alpha and other samples that are no light."""
        if self.cut is None:
            return stored
        axis, count = self.cut
        return stored[(slice(None),) * axis + (slice(count),)]

    def stored(self, number: int) -> NDArray[Any]:
        """Return a page as stored, with all samples, by the axes that lie within it."""
        if self._last is not None and self._last[0] == number:
            return self._last[1]
        page = page_of(self.file, number if self.virtual is None else self.virtual)
        if self.virtual is not None:
            kind = self.dtype.newbyteorder(self.file.byteorder)
            offset = page.dataoffsets[0] + number * page.nbytes
            pixels: NDArray[Any] = np.memmap(self.file.filehandle.path, kind, "r", offset, page.shape)
        else:
            with as_line(Path(self.file.filehandle.path)):
                pixels = decoded(page, number)
        kept = pixels.astype(self.dtype, copy=False).reshape(self.inside)
        self._last = number, kept
        return kept


def decoded(page: TiffPage, number: int) -> NDArray[Any]:
    """Return the pixels of a page; a ValueError says that they do not decode."""
    try:
        pixels = np.asarray(page.asarray())
    except _BROKEN as error:
        raise ValueError(f"pixels of page {number} that do not decode ({_text(error)})") from error
    if pixels.shape != page.shape:
        raise ValueError(f"pixels of page {number} of shape {pixels.shape} instead of {page.shape}")
    return pixels
