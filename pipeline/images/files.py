"""Image files: reading at their own depth, writing pictures, and the colours in between."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from self2align.images import png
from self2align.images.picture import BROKEN, Picture, picture_of, told
from self2align.images.tiff import SUFFIXES as TIFF
from self2align.images.tiff_layout import Layout, footage, listed
from self2align.images.types import Pixels, stored
from self2align.runtime.scratch import write_atomically
from self2align.stores.codes import WHITES

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"}) | TIFF

# Rec. 601, as in every JPEG and in the field's gray test images.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

_EXPECTED = "expected a whole picture"


def check_image(path: Path, remarks: list[str] | None = None) -> tuple[int, int]:
    """Refuse what `read_image` would refuse, as far as the heads of the file show it.

    Parameters
    ----------
    path
        The file.
    remarks
        Receives what to know of how it is read, if that is not plain.

    Returns
    -------
    tuple
        Height and width, px.

    Raises
    ------
    ValueError
        See `read_image`.
    """
    if path.suffix.lower() in TIFF:
        with footage(path) as (_, layout):
            _check_single(path, layout)
        if remarks is not None:
            remarks += layout.remarks
        return layout.axes.size
    picture = picture_of(path)
    return picture.height, picture.width


def read_image(path: Path) -> tuple[Pixels, float]:
    """Read one image as it is stored: no rescaling, no colour management, no EXIF rotation.

    Alpha is dropped, palettes of PNG, BMP and WebP are looked up, bilevel PNG becomes 8-bit gray.

    Parameters
    ----------
    path
        BMP, JPEG, PNG, TIFF or WebP.

    Returns
    -------
    image
        ``(C, H, W)``, C = 1 or 3 (RGB), uint8, uint16 or float32.
    white
        The value that stands for 1.0: 255, 65535 or 1; of a TIFF of packed bits their greatest.

    Raises
    ------
    ValueError
        If the file is missing, cut short, not an image, or holds several images or colours other than gray and RGB.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found no such file, expected an image")
    if path.suffix.lower() in TIFF:
        return _read_tiff(path)
    picture = picture_of(path)
    try:
        # Pillow warns of odd metadata and of palettes; none of it changes a pixel.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = _read_picture(path, picture)
    except BROKEN as error:
        raise ValueError(f"{path}: found {path.stat().st_size} bytes with {told(error)}, {_EXPECTED}") from error
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)), WHITES[pixels.dtype.name]


def _read_picture(path: Path, picture: Picture) -> NDArray[Any]:
    """Return pixels without alpha, ``(H, W)`` or ``(H, W, C)``, uint8 or uint16."""
    if picture.format == "PNG":  # Pillow reduces 16 bits to 8, and leaves rows that are missing black
        whole = png.decode_png(path.read_bytes())
        return whole if whole.ndim == 2 else whole[..., : picture.channels]
    with Image.open(path) as image:
        image.load()  # raises for a file cut short
        if picture.channels == 3:
            return np.asarray(image.convert("RGB"))
        if image.mode == "1":  # of BMP
            return np.asarray(image.convert("L"))
        return np.asarray(image.getchannel(0) if image.mode == "LA" else image)


def _check_single(path: Path, layout: Layout) -> None:
    if layout.axes.count > 1:
        raise ValueError(f"{path}: found {layout.axes.count} images in one file ({layout.axes.told()}), expected one")
    if layout.rivals:
        raise ValueError(f"{path}: found further images in one file (pages {listed(layout.rivals)}), expected one")
    if layout.axes.channels not in (1, 3):
        raise ValueError(f"{path}: found {layout.axes.channels} channels ({layout.axes.told()}), expected 1 or 3")


def _read_tiff(path: Path) -> tuple[Pixels, float]:
    with footage(path) as (file, layout):
        _check_single(path, layout)
        axes = layout.axes
        block = layout.array(file)[[slice(None)] * len(axes.shape)]
    pixels = stored(str(path), np.ascontiguousarray(axes.ordered(block)[0]))
    return pixels, layout.white or WHITES[pixels.dtype.name]


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
