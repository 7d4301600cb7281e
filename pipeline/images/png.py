"""PNG files with their metadata, chunk by chunk, which imagecodecs does not write; Pillow writes no 16-bit colour."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from self2align.images.exif import without_thumbnail

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Metadata chunks that stay valid when the pixels are denoised.
KEPT = (
    b"cHRM",
    b"gAMA",
    b"iCCP",
    b"sRGB",
    b"cICP",
    b"mDCV",
    b"cLLI",
    b"pHYs",
    b"eXIf",
    b"tEXt",
    b"zTXt",
    b"iTXt",
    b"tIME",
    b"bKGD",
    b"sPLT",
    b"oFFs",
    b"pCAL",
    b"sCAL",
    b"sTER",
)
# Chunks of the picture itself, of its palette, or of its encoder's own use; tRNS becomes alpha.
_PICTURE = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"hIST", b"iDOT")

_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")

_INDEXED = 3  # type of colour

Chunk = tuple[bytes, bytes]


def chunks(data: bytes) -> Iterator[Chunk]:
    """Yield name and content of a file's chunks, as far as they are whole."""
    return ((name, content) for name, content, _ in _chunks(data))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield name, content and checksum of the chunks that are whole."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        if at + 12 + length > len(data):
            return
        yield name, data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        at += 12 + length


def fault_of(data: bytes) -> str:
    """Return what is damaged or missing of the picture of a PNG file; empty for a whole one.

    Checksums are compared for chunks that a picture needs, as the format has it; Pillow passes over those of pixels.
    """
    for name, content, sum_ in _chunks(data):
        if name[0] & 32 == 0 and zlib.crc32(name + content).to_bytes(4, "big") != sum_:
            return f"a wrong checksum of chunk {name.decode('latin-1')!r}"
        if name == b"IEND":
            return ""
    return "no end"


def decode_png(data: bytes) -> NDArray[Any]:
    """Return the pixels of a file, ``(H, W)`` or ``(H, W, C)`` with alpha last, at their own depth: Pillow has 8 bits.

    Raises
    ------
    ValueError
        If pixels are missing or damaged.
    """
    # The rest is metadata: of what is odd in it, libpng writes to the terminal.
    needed = [chunk for chunk in _chunks(data) if chunk[0] in _PIXELS]
    parts = (struct.pack(">I", len(content)) + name + content + sum_ for name, content, sum_ in needed)
    try:
        pixels = np.asarray(imagecodecs.png_decode(b"".join([SIGNATURE, *parts])))
        # libpng lets the sum over all pixels be wrong. A line has a byte for its filter, and interlaced ones are more.
        body = b"".join(content for name, content, _ in needed if name == b"IDAT")
        zlib.decompressobj().decompress(body, pixels.nbytes + 16 * (len(pixels) + 4))
    except (imagecodecs.PngError, zlib.error) as error:
        raise ValueError(f"pixels that are damaged ({error})") from error
    return pixels


def kept_chunks(data: bytes) -> list[Chunk]:
    """Return the metadata chunks of a file that stay valid: `KEPT`, and unknown ones that say so themselves.

    An EXIF thumbnail is left out; see `self2align.images.exif`.
    """
    told = [chunk for chunk in chunks(data) if _stays(data, chunk[0])]
    return [(name, without_thumbnail(content)[0] if name == b"eXIf" else content) for name, content in told]


def lost_chunks(data: bytes) -> list[str]:
    """Return the names of the chunks that do not stay valid, such as the significant bits of the old values (sBIT)."""
    names = dict.fromkeys(name for name, _ in chunks(data) if name not in _PICTURE and not _stays(data, name))
    return [f"chunk {name.decode('latin-1')}" for name in names]


def _stays(data: bytes, name: bytes) -> bool:
    depth, kind = data[24], data[25]
    if name == b"bKGD":  # an index of the palette, or a gray of fewer bits
        return kind != _INDEXED and depth >= 8
    # A small last letter: what is told does not depend on the pixels, as the format has it. sBIT is known and does.
    return name in KEPT or (name not in _PICTURE and name != b"sBIT" and bool(name[3] & 32))


def described(icc: bytes | None, exif: bytes | None, dpi: tuple[float, float] | None) -> list[Chunk]:
    """Return chunks for the metadata of an image in another format.

    Parameters
    ----------
    icc
        Colour profile.
    exif
        As in a JPEG's segment, with or without its name.
    dpi
        Pixels per inch, x first.
    """
    told: list[Chunk] = []
    if icc:
        told.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if dpi:
        x, y = (round(value / 0.0254) for value in dpi)
        told.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif:
        told.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    return told


def encode_png(pixels: NDArray[Any], told: Iterable[Chunk] = ()) -> bytes:
    """Return a PNG file.

    Parameters
    ----------
    pixels
        ``(H, W, C)``, uint8 or uint16, C = 1 or 3, and one more for alpha.
    told
        Chunks that precede the pixels.
    """
    assert pixels.dtype in (np.uint8, np.uint16), pixels.dtype
    shown = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    data = bytes(imagecodecs.png_encode(shown))
    # The encoder's own chunks are IHDR, IDAT and IEND.
    own = [chunk for chunk in chunks(data) if chunk[0] in (b"IHDR", b"IDAT", b"IEND")]
    return SIGNATURE + b"".join(_packed(*chunk) for chunk in [own[0], *told, *own[1:]])


def _packed(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
