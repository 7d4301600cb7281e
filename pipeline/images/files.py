"""Image files: reading at their own depth, writing pictures, and the colours in between."""

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from self2align.runtime.scratch import write_atomically
from self2align.stores.codes import WHITES

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

# Rec. 601, as in every JPEG and in the field's gray test images.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

# What Pillow raises on files that are not whole; it has no common base for them.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)

_EXPECTED = "expected a whole image of 8 or 16 bits, or of 32-bit floats"


def read_image(path: Path) -> tuple[Pixels, float]:
    """Read one image as it is stored: no rescaling, no colour management, no EXIF rotation.

    Alpha is dropped, palettes are looked up, bilevel becomes 8-bit gray.

    Parameters
    ----------
    path
        BMP, JPEG, PNG, TIFF or WebP.

    Returns
    -------
    image
        ``(C, H, W)``, C = 1 or 3 (RGB), uint8, uint16 or float32.
    white
        The value that stands for 1.0: 255, 65535 or 1.

    Raises
    ------
    ValueError
        If the file is missing, cut short, not an image, or holds several images.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found no such file, expected an image")
    data = path.read_bytes()
    try:
        # Pillow warns of odd metadata and of palettes; none of it changes a pixel.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = _read_pillow(data)
    except _BROKEN as error:
        # Pillow knows no TIFF of three floats. OpenCV does, and refuses one that is cut short.
        if data[:4] not in (b"II*\0", b"MM\0*"):
            raise ValueError(f"{path}: found {len(data)} bytes with {_told(error)}, {_EXPECTED}") from error
        pixels = _read_opencv(data)
    if pixels is None:
        raise ValueError(f"{path}: found {len(data)} bytes that do not decode, {_EXPECTED}")
    if isinstance(pixels, str):
        raise ValueError(f"{path}: found {pixels}, {_EXPECTED}")
    if pixels.dtype.name not in ("uint8", "uint16", "float32"):
        raise ValueError(f"{path}: found pixels of type {pixels.dtype.name}, {_EXPECTED}")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)), WHITES[pixels.dtype.name]


def _told(error: BaseException) -> str:
    """Return an error's own words on one line."""
    return " ".join(f"{error}".split()).replace("<_io.BytesIO object at ", "<bytes at ") or type(error).__name__


def _read_pillow(data: bytes) -> NDArray[Any] | str | None:
    """Decode with Pillow, which raises on files cut short; or say what was found instead of an image."""
    with Image.open(io.BytesIO(data)) as image:
        # A phone's JPEG carries its preview as a second picture (MPO): the first is the photograph.
        count = 1 if image.format in ("JPEG", "MPO") else int(getattr(image, "n_frames", 1))
        if count > 1:
            return f"{count} images in one file"
        image.load()
        if _is_deep(data, image):
            return _read_opencv(data)
        if image.mode == "1":
            return np.asarray(image.convert("L"))
        if image.mode in ("LA", "La"):
            return np.asarray(image.getchannel(0))
        if image.mode in ("L", "I;16", "F"):
            return np.asarray(image)
        if image.mode == "I;16B":
            return np.asarray(image).astype(np.uint16)
        if image.mode.startswith(("I", "F")):
            return f"pixels of mode {image.mode}"
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _is_deep(data: bytes, image: Image.Image) -> bool:
    """Whether the file has several channels of 16 bits, which Pillow silently reduces to 8."""
    if image.format == "PNG":
        depth, kind = data[24], data[25]  # IHDR; kinds 2, 4, 6: RGB, gray with alpha, RGB with alpha
        return depth == 16 and kind in (2, 4, 6)
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(258, (1,))
        return len(bits) > 1 and max(bits) > 8
    return False


def _read_opencv(data: bytes) -> NDArray[Any] | str | None:
    """Decode with OpenCV at full depth, to RGB or gray; None when it cannot."""
    try:
        done, images = cv2.imdecodemulti(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if not done or not images:
        return None
    if len(images) > 1:
        return f"{len(images)} images in one file"
    pixels: NDArray[Any] = np.asarray(images[0])
    if pixels.ndim == 2:
        return pixels
    gray_with_alpha = data[:4] == b"\x89PNG" and data[25] == 4
    if pixels.shape[2] < 3 or gray_with_alpha:
        return pixels[..., 0]
    return pixels[..., 2::-1]


def to_color(frames: Pixels, color: str) -> Pixels:
    """Make frames RGB or gray.

    Parameters
    ----------
    frames
        ``(..., C, H, W)``, C = 1 or 3; any range.
    color
        "rgb" (gray is repeated) or "gray" (RGB becomes Rec. 601 luma, rounded for integers).

    Returns
    -------
    NDArray
        ``(..., 3, H, W)`` or ``(..., 1, H, W)``, same dtype and range.
    """
    channels = frames.shape[-3]
    if color not in ("rgb", "gray"):
        raise ValueError(f"color: found {color!r}, expected 'rgb' or 'gray'")
    if channels not in (1, 3):
        raise ValueError(f"frames: found {channels} channels, expected 1 or 3")
    if color == "rgb":
        repeated: Pixels = frames if channels == 3 else frames.repeat(3, axis=-3)
        return repeated
    if channels == 1:
        return frames
    luma = np.einsum("...chw,c->...hw", frames.astype(np.float32, copy=False), LUMA)[..., None, :, :]
    if frames.dtype.kind == "u":
        luma = np.rint(luma)
    gray: Pixels = luma.astype(frames.dtype)
    return gray


def write_png(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an ``(H, W, 3)`` uint8 RGB picture as PNG, with its folders; it is there whole or not at all."""
    assert array.dtype == np.uint8, array.dtype
    assert array.ndim == 3, array.shape
    assert array.shape[2] == 3, array.shape
    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(data, format="PNG")
    write_atomically(path, data.getvalue())
