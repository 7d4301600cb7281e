"""TIFF pages as they are written: in the layout of the source, with what it says that stays true."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC, PREDICTOR, TiffFile, TiffPage, TiffWriter

from self2align.images.ome import retyped
from self2align.media.tiff_tags import (
    Directory,
    Told,
    directories_of,
    kept_tags,
    lost_tags,
    write_directories,
)

_BIG = 2**32 - 2**25  # bytes of pixels above which 32-bit offsets are not enough
# Compressions that lose nothing and are written again; others become deflate.
_CODECS = {COMPRESSION.NONE: None, COMPRESSION.LZW: "lzw", COMPRESSION.LZMA: "lzma", COMPRESSION.ZSTD: "zstd"}
_CODECS |= {COMPRESSION.ADOBE_DEFLATE: "zlib", COMPRESSION.DEFLATE: "zlib", COMPRESSION.PACKBITS: "packbits"}
_UNPREDICTED = (None, "packbits")
_DESCRIPTION, _GDAL = 270, 42112
# ImageJ's counts, and what tifffile says of a stack that lists its first page only.
_IMAGES = re.compile(rb"(?m)^images=(\d{1,9})[\r\n]+")
_COUNTS = re.compile(rb"(?m)^(?:channels|slices|frames|hyperstack)=\w*[\r\n]+")
_TRUNCATED = re.compile(rb', "truncated": true')
# GDAL's minimum, maximum, mean and standard deviation of the pixels.
_STATISTICS = re.compile(rb'\s*<Item name="STATISTICS_[A-Z_]+"[^>]*>[^<]*</Item>')


def not_written(file: TiffFile, first: TiffPage, dtype: str) -> list[str]:
    """Return what a result does not keep of its source, for lines.

    Parameters
    ----------
    file, first
        The source, and its first page.
    dtype
        Of the result.
    """
    lost = [f"not written: {what}" for what in lost_tags(file, first)]
    if first.subifds:
        lost.append("its reduced levels are not written")
    if file.is_mmstack:
        lost.append("not written: the index and summary of Micro-Manager before the first page")
    if first.compression not in _CODECS:
        lost.append(f"its compression, {COMPRESSION(first.compression).name}, is not written; deflate is")
    if _packed_bits(first) and (first.compression != COMPRESSION.NONE or np.dtype(dtype).kind == "f"):
        lost.append(f"its {first.bitspersample} bits are written as {np.dtype(dtype).itemsize * 8}")
    return lost


def write_stack(
    made: Path,
    file: TiffFile,
    pages: Iterable[tuple[TiffPage, NDArray[Any]]],
    kind: TiffPage,
    count: int,
    dtype: str,
) -> None:
    """Write pages, each with the layout and tags of one of another file.

    Parameters
    ----------
    made
        Path of the new file.
    file
        The other file.
    pages
        A page of that file and pixels in the order of its axes. A page in a row stands for pages that the file does
        not list; its tags are written once.
    kind
        A page of the footage.
    count
        How many.
    dtype
        Type of its values in the result; pages of another type are copies.
    """
    directories: dict[int, dict[int, Directory]] = {}
    size = count * kind.size * np.dtype(dtype).itemsize
    previous: TiffPage | None = None
    big = file.is_bigtiff or size > _BIG
    with TiffWriter(made, bigtiff=big, byteorder=file.byteorder) as out:
        for number, (page, pixels) in enumerate(pages):
            told: list[Told] = []
            if page is not previous:
                told = [
                    _true(file, page, tag, count, dtype)
                    for tag in kept_tags(file, page, big, pixels.dtype != page.dtype)
                ]
                directories[number] = directories_of(file, page)
            _write(out, page, pixels, [tag for tag in told if tag[3] != b""])
            previous = page
    pointing = {number: found for number, found in directories.items() if found}
    if pointing:
        write_directories(made, pointing)


def _write(out: TiffWriter, page: TiffPage, pixels: NDArray[Any], told: list[Told]) -> None:
    """Append a page with the layout of another and new pixels, in the order of its axes."""
    codec = _CODECS.get(COMPRESSION(page.compression), "zlib")
    floats = pixels.dtype.kind == "f"
    predictor: Any = None
    if page.predictor != PREDICTOR.NONE and codec not in _UNPREDICTED:
        predictor = PREDICTOR.FLOATINGPOINT if floats else PREDICTOR.HORIZONTAL
    bits = _packed_bits(page) if codec is None and not floats else None
    out.write(
        pixels,
        photometric=_photometric(page),
        planarconfig=None if page.axes == "YX" else page.planarconfig,
        extrasamples=page.extrasamples or None,
        bitspersample=bits,
        compression=codec,
        predictor=predictor,
        tile=(page.tilelength, page.tilewidth) if page.is_tiled else None,
        subfiletype=page.subfiletype or None,
        resolution=_resolution(page),
        resolutionunit=page.resolutionunit if 282 in page.tags else None,
        software=False,
        metadata=None,
        extratags=told,
    )


def _photometric(page: TiffPage) -> int:
    """Return what the values mean: YCbCr is decoded to RGB, and without the tag tifffile takes zero for white."""
    if page.photometric == PHOTOMETRIC.YCBCR:
        return PHOTOMETRIC.RGB
    return page.photometric if 262 in page.tags else PHOTOMETRIC.MINISBLACK


def _packed_bits(page: TiffPage) -> int | None:
    """Return the bits of a sample, where they are fewer than its type has."""
    bits = page.bitspersample
    return bits if page.dtype is not None and page.dtype.kind == "u" and 1 < bits < page.dtype.itemsize * 8 else None


def _resolution(page: TiffPage) -> tuple[tuple[int, int], tuple[int, int]] | None:
    x, y = (page.tags.valueof(code) for code in (282, 283))
    told = all(isinstance(value, tuple) and len(value) == 2 and value[1] for value in (x, y))
    return (x, y) if told else None


def _true(file: TiffFile, page: TiffPage, tag: Told, count: int, dtype: str) -> Told:
    """Return a tag with a text that is true of the result; with no text if none is."""
    code, kind, number, value, once = tag
    if code == _GDAL and isinstance(value, bytes):
        value = _STATISTICS.sub(b"", value)
    elif code == _DESCRIPTION and isinstance(value, bytes):
        value = _description(file, page, value, count, dtype)
    return (code, kind, number if value is tag[3] else len(value), value, once)


def _description(file: TiffFile, page: TiffPage, text: bytes, count: int, dtype: str) -> bytes:
    """Return a description that holds for a file of so many pages of a type."""
    if page.is_ome and text.rstrip(b"\0 \r\n").endswith(b"OME>"):
        xml = file.ome_metadata  # of this file alone: see `self2align.images.ome.open_alone`
        if xml is None:
            return b""
        if np.dtype(dtype) != page.dtype:
            xml = retyped(xml, dtype)
        return text if xml == page.description else xml.encode() + b"\0"
    if text.startswith(b"ImageJ=") and page.index == 0 and (told := _IMAGES.search(text)) and int(told[1]) != count:
        return _IMAGES.sub(b"images=%d\n" % count, _COUNTS.sub(b"", text))
    if text.startswith(b'{"shape":'):
        return _TRUNCATED.sub(b"", text)  # all pages are listed
    return text
