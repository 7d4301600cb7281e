"""LZW in TIFF files, which tifffile decodes with the package imagecodecs only.

Pillow decodes LZW too, but as a picture: it knows few kinds of pixels and planes. Here it is given the bytes alone, as
a gray picture of 8 bits; samples, predictor and planes are ours.
"""

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tifffile import COMPRESSION, FILLORDER, PHOTOMETRIC, PREDICTOR, TiffFile, TiffPage, TiffWriter


def read_lzw(file: TiffFile, page: TiffPage) -> NDArray[Any]:
    """Return the pixels of an LZW page as stored: ``(H, W)``, ``(H, W, S)`` or ``(S, H, W)``.

    Raises
    ------
    ValueError
        If the bytes do not decode, or were stored in a way that is not read.
    """
    if page.predictor not in (PREDICTOR.NONE, PREDICTOR.HORIZONTAL) or page.fillorder != FILLORDER.MSB2LSB:
        raise ValueError(f"LZW with predictor {page.predictor} and fill order {page.fillorder}, which is not read")
    planes = page.samplesperpixel if page.axes == "SYX" else 1
    count = len(page.dataoffsets) // planes
    read = [
        _plane(file, page, slice(at * count, (at + 1) * count), page.samplesperpixel // planes) for at in range(planes)
    ]
    return np.stack(read).reshape(page.shape)


def _plane(file: TiffFile, page: TiffPage, which: slice, samples: int) -> NDArray[Any]:
    """Return the pixels of some segments (strips or tiles) that make up a whole plane, ``(H, W, samples)``."""
    height, width = page.imagelength, page.imagewidth
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (height, width)
    # Tiles are whole, also at the edges.
    tall, wide = -(-height // rows) * rows, -(-width // columns) * columns
    assert page.dtype is not None, page
    stored = np.dtype(f"{file.byteorder}u{page.dtype.itemsize}")  # the predictor adds whole numbers, of floats too
    unit = samples * stored.itemsize
    segments = []
    for offset, size in zip(page.dataoffsets[which], page.databytecounts[which], strict=True):
        file.filehandle.seek(offset)
        segments.append(file.filehandle.read(size))
    tile = (rows, columns * unit) if page.is_tiled else None
    decoded = _bytes(segments, (tall, wide * unit), tile, min(page.rowsperstrip, height))
    values = decoded.view(stored).reshape(tall, wide // columns, columns, samples)
    if page.predictor == PREDICTOR.HORIZONTAL:
        values = np.cumsum(values, axis=2, dtype=stored)  # differences along a row, modulo the type's range
    whole = values.reshape(tall, wide, samples)[:height, :width].astype(stored.newbyteorder("="))
    pixels: NDArray[Any] = whole.view(page.dtype)
    return pixels


def _bytes(segments: list[bytes], shape: tuple[int, int], tile: tuple[int, int] | None, rows: int) -> NDArray[np.uint8]:
    """Return decoded bytes, as rows and columns of the segments put together."""
    gray = io.BytesIO()
    with TiffWriter(gray) as out:
        # tifffile writes no LZW without imagecodecs, so the tag is set below.
        out.write(
            iter(segments),
            shape=shape,
            dtype=np.uint8,
            photometric=PHOTOMETRIC.MINISBLACK,
            compression=COMPRESSION.ADOBE_DEFLATE,
            tile=tile,
            rowsperstrip=None if tile else rows,
            metadata=None,
            software=False,
        )
    gray.seek(0)
    with TiffFile(gray) as made:
        first = made.pages[0]
        assert isinstance(first, TiffPage)
        place, order = first.tags["Compression"].valueoffset, made.byteorder
    gray.seek(place)
    gray.write(struct.pack(f"{order}H", COMPRESSION.LZW))
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # the size was checked
    try:
        with Image.open(gray, formats=["TIFF"]) as picture:
            # OpenCV would return what it decodes of damaged bytes, and black.
            pixels = np.asarray(picture)
    except OSError as error:
        raise ValueError("LZW that does not decode") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise ValueError("LZW that does not decode")
    return pixels
