"""What the head of a TIFF page shows of damage, before its pixels are decoded."""

import io
import math
import struct
from pathlib import Path

from PIL import Image
from tifffile import COMPRESSION, TiffPage

from self2align.images.tiff import unread

LARGEST = 2**29  # values in one frame

_DENSEST = 1100  # decoded bytes per byte of file; deflate reaches at most 1032
# Tags that say what and where pixels are.
_NEEDED = frozenset({256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339, 347})


def check_page(source: Path, page: TiffPage, number: int, followers: int = 0) -> None:
    """Refuse a page whose head shows that it cannot be read whole.

    Parameters
    ----------
    source
        The file.
    page, number
        The page.
    followers
        Pages of the same size that lie behind it without being listed.

    Raises
    ------
    ValueError
        If it holds what is not read, or claims pixels that the file does not hold.
    """
    check_tags(source, page, number)
    if (what := unread(page)) is not None:
        raise ValueError(f"{source}: found in page {number} {what}")
    where = f"{source}: found {{}} in page {number}, expected {{}}"
    if min(page.shape, default=0) < 1 or math.prod(page.shape) > LARGEST:
        sides = f"{page.imagewidth} x {page.imagelength} px of {page.samplesperpixel} values"
        raise ValueError(where.format(sides, f"at least one and at most {LARGEST} values"))
    size = source.stat().st_size
    if page.nbytes > _DENSEST * size:
        declared = f"{page.imagewidth} x {page.imagelength} pixels, {page.nbytes} bytes, declared"
        raise ValueError(where.format(declared, f"what a file of {size} bytes can hold"))
    # tifffile reads missing pixels as zeros, or as what stands for no data.
    wanted = math.prod(page.chunked)
    pieces = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    there = sum(at > 0 and count > 0 for at, count in pieces)
    if there < (1 if page.is_contiguous else wanted):
        raise ValueError(where.format(f"no data for {wanted - there} of {wanted} strips or tiles", "all of them"))
    end = max(at + count for at, count in pieces) + followers * page.nbytes
    if end > size:
        raise ValueError(where.format(f"pixels until byte {end}", f"a whole file, not {size} bytes of it"))
    # tifffile reads on behind strips that are too short, and cuts JPEG to the size of the page.
    held = sum(count for _, count in pieces)
    whole = page.dtype is not None and page.bitspersample == 8 * page.dtype.itemsize
    if page.compression == COMPRESSION.NONE and whole and held < page.nbytes:
        raise ValueError(where.format(f"{held} bytes of pixels", f"the {page.nbytes} that its size needs"))
    if page.compression == COMPRESSION.JPEG and (other := _other_size(page)) is not None:
        raise ValueError(where.format(f"a JPEG of {other}", f"no more than {page.imagewidth} x {page.imagelength} px"))


def check_tags(source: Path, page: TiffPage, number: int) -> None:
    """Refuse a page with a tag that pixels need and that tifffile leaves out, since it cannot be read."""
    kind, file = page.parent.tiff, page.parent.filehandle
    file.seek(page.offset)
    count = struct.unpack(kind.tagnoformat, file.read(kind.tagnosize))[0]
    heads = file.read(count * kind.tagsize)
    codes = {struct.unpack_from(f"{kind.byteorder}H", heads, at)[0] for at in range(0, len(heads) - 1, kind.tagsize)}
    for code in sorted(codes & _NEEDED):
        if code not in page.tags:
            raise ValueError(f"{source}: found in page {number} tag {code} damaged, expected a TIFF file that is whole")


def _other_size(page: TiffPage) -> str | None:
    """Return the size of the first JPEG of a page if it is larger than its strips or tiles; None if it fits."""
    file = page.parent.filehandle
    file.seek(page.dataoffsets[0])
    try:
        with Image.open(io.BytesIO(file.read(page.databytecounts[0]))) as image:
            width, height = image.size
    except (OSError, SyntaxError):  # kinds that Pillow does not know are left to the decoder
        return None
    rows = page.tilelength if page.is_tiled else page.imagelength
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    return f"{width} x {height} px" if width > columns or height > rows else None
