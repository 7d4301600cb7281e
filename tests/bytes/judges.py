"""Readings by others than the project: what a file holds, by libpng, libjpeg, libwebp, OpenCV, Pillow and FFmpeg."""

import io
import os
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

Pages = list[NDArray[Any]]
LARGEST = 10**7  # values: what is larger is not read a second time


def _pillow(data: bytes) -> Pages:
    """Decode every page with Pillow: RGB with alpha of 8 bits, or gray of more."""
    pages = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data)) as image:
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                if image.width * image.height > LARGEST:
                    raise ValueError("large")
                pages.append(np.asarray(image if image.mode.startswith(("I", "F")) else image.convert("RGBA")))
    return pages


def _codec(decode: Callable[[bytes], NDArray[Any]]) -> Callable[[bytes], Pages]:
    def read(data: bytes) -> Pages:
        array = decode(data)
        planes = array[..., None] if array.ndim == 2 else array
        colours, alpha = (planes[..., :-1], planes[..., -1:]) if planes.shape[-1] in (2, 4) else (planes, None)
        most = 65535 if array.dtype == np.uint16 else 255
        shown = np.broadcast_to(colours, (*planes.shape[:2], 3))
        return [np.concatenate([shown, np.full_like(shown[..., :1], most) if alpha is None else alpha], axis=-1)]

    return read


def _opencv(data: bytes) -> Pages:
    done, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if not done:
        raise ValueError("no pages")
    return [
        page if page.ndim == 2 else page[..., [2, 1, 0, *range(3, page.shape[2])]] for page in map(np.asarray, pages)
    ]


# What the readers raise has no common base; a reader that fails in any way has not accepted the file.
REFUSED = (
    *(
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        LookupError,
        TypeError,
        ArithmeticError,
        AttributeError,
        RuntimeError,
    ),
    *(MemoryError, struct.error, zlib.error, cv2.error, Image.DecompressionBombError),
)
READERS: dict[str, tuple[Callable[[bytes], Pages], ...]] = {
    ".bmp": (_pillow, _opencv),
    ".jpg": (_pillow, _codec(imagecodecs.jpeg8_decode)),
    ".png": (_codec(imagecodecs.png_decode), _pillow),
    ".tif": (_pillow, _opencv),
    ".webp": (_codec(imagecodecs.webp_decode), _pillow),
}


def readings(suffix: str, data: bytes) -> Iterator[tuple[Callable[[bytes], Pages], Pages]]:
    """Yield the readers that accept a picture, with what each finds."""
    for read in READERS[suffix]:
        try:
            pages = read(data)
        except REFUSED:
            continue
        if pages:
            yield read, pages


def alike(first: Pages, second: Pages) -> bool:
    """Whether two readings hold the same pixels; channels that are repeated, and alpha that is opaque, do not count."""
    if len(first) != len(second):
        return False
    return all(_alike(one, other) for one, other in zip(first, second, strict=True))


def _alike(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype != other.dtype:
        return False
    if one.dtype.kind != "f":
        return np.array_equal(one, other)
    # The mean of three equal floats may differ from them in the last bit.
    return np.allclose(one, other, rtol=2e-7, atol=0, equal_nan=True)


def tiff_pages(data: bytes) -> Pages:
    """Return the pages of a whole TIFF file as tifffile has them."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return [np.asarray(page.asarray()) for page in file.pages]


def png_faults(data: bytes) -> str:
    """Return what is missing or damaged of a PNG's picture; empty for a whole one."""
    at, body = 8, b""
    names = []
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            return f"{name!r} cut short"
        names.append(name)
        if (
            name in (b"IHDR", b"PLTE", b"IDAT")
            and zlib.crc32(data[at + 4 : end - 4]).to_bytes(4, "big") != data[end - 4 : end]
        ):
            return f"checksum of {name!r}"
        if name == b"IDAT":
            body += data[at + 8 : end - 4]
        if name == b"IEND":
            break
        at = end
    stream = zlib.decompressobj()
    try:
        stream.decompress(body)
    except zlib.error as error:
        return str(error)
    return "" if stream.eof else "deflate cut short"


@contextmanager
def said_by_libraries() -> Iterator[list[str]]:
    """Collect what C libraries print of damage while pictures are decoded."""
    lines: list[str] = []
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()


def jpeg_faults(data: bytes) -> str:
    """Return what libjpeg warns of, such as data that end early and are filled with gray; empty for none."""
    with said_by_libraries() as lines:
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return next(
        (line for line in lines if ("Corrupt JPEG" in line and "extraneous" not in line) or "Premature end" in line), ""
    )


def film_frames(path: Path) -> tuple[Pages, str]:
    """Return the frames of a video as FFmpeg decodes them, with their planes in one row, and its first complaint."""
    frames: Pages = []
    complaint = ""
    previous = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture(False) as logs:
            try:
                with av.open(str(path), metadata_errors="replace") as container:
                    for frame in container.decode(video=0):
                        frames.append(np.concatenate([_plane(plane) for plane in frame.planes]))
            except (av.FFmpegError, *REFUSED) as error:
                complaint = str(error)
    finally:
        av.logging.set_level(previous)
    return frames, complaint or next((text.strip() for _, _, text in logs), "")


def _plane(plane: Any) -> NDArray[np.uint8]:
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
    return lines[:, : plane.width * max(1, plane.line_size // max(1, plane.width))].ravel()
