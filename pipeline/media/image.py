"""PNG, JPEG, WebP and BMP."""

import io
import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from self2align.denoising.frames import DenoiseFrames
from self2align.images import png
from self2align.images.files import read_image
from self2align.media.medium import (
    Choices,
    Frames,
    check_channels,
    check_size,
    coding_of,
    finish_frames,
    finished_frame,
)
from self2align.runtime.progress import Progress

# Lossy formats at high quality; WebP without loss.
SAVED: dict[str, tuple[str, dict[str, Any]]] = {
    ".bmp": ("BMP", {}),
    ".jpeg": ("JPEG", {"quality": 97, "subsampling": 0}),
    ".jpg": ("JPEG", {"quality": 97, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"lossless": True, "exact": True}),
}
SUFFIXES = frozenset(SAVED)
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16B")
# What Pillow raises for broken files; the exceptions have no common base.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


class ImageFile:
    """One picture, gray or RGB, 8 or 16 bits; alpha, color profile, EXIF and resolution are kept. See `Pictures`."""

    count = lines = 1

    def __init__(self, source: Path, target: Path, choices: Choices) -> None:
        choices.refuse(source, "codec", "axes")
        self.source, self.target = source, target
        self.notes: list[str] = []
        self.info = _picture_info(source)
        self.shape = (self.info.channels, self.info.height, self.info.width)
        check_size(source, *self.shape)
        check_channels(source, self.info.channels, choices)
        self.sigma = choices.sigma
        self.coding = coding_of(source, np.dtype(np.uint16 if self.info.deep else np.uint8), choices)
        if self.info.palette:
            self.notes.append(f"{source}: its palette holds no denoised colours; they are written as such")
        suffix = target.suffix.lower()
        if suffix not in SAVED:
            raise ValueError(f"{target}: found suffix {suffix!r}, expected one of {', '.join(sorted(SAVED))}")
        if self.info.deep and suffix != ".png":
            raise ValueError(f"{target}: found suffix {suffix!r} for 16 bits, expected .png")
        if self.info.alpha and suffix in (".bmp", ".jpeg", ".jpg"):
            raise ValueError(f"{target}: found suffix {suffix!r} for a picture with alpha, expected .png or .webp")

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress) -> None:
        """See `Medium`."""
        finish_frames(self.still(), scratch, denoise, progress)

    def still(self) -> Frames:
        """See `Pictures`."""
        return Frames(self.source, 1, self.coding, lambda _: read_image(self.source)[0], self.sigma)

    def assemble(self, scratch: Path, made: Path) -> None:
        """See `Medium`."""
        pixels = np.asarray(finished_frame(scratch, 0)).transpose(1, 2, 0)
        if self.info.alpha:
            pixels = np.concatenate([pixels, _alpha(self.source, pixels.dtype)[..., None]], axis=2)
        kind, options = SAVED[self.target.suffix.lower()]
        if kind == "PNG":
            data = png.encode_png(pixels, self._chunks())
        else:
            shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
            file = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(shown)).save(
                file, format=kind, **options, **_writable_metadata(kind, self.info.metadata)
            )
            data = file.getvalue()
        made.write_bytes(data)

    def _chunks(self) -> list[png.Chunk]:
        if self.info.format == "PNG":
            return png.kept_chunks(self.source.read_bytes())
        metadata = self.info.metadata
        return png.described(metadata.get("icc_profile"), metadata.get("exif"), metadata.get("dpi"))


@dataclass(frozen=True)
class _PictureInfo:
    """A picture before its pixels are decoded: format, size, color channels without alpha, and metadata."""

    format: str
    height: int
    width: int
    channels: int
    deep: bool
    alpha: bool
    palette: bool
    metadata: dict[str, Any]


def _picture_info(source: Path) -> _PictureInfo:
    if not source.is_file() or not source.stat().st_size:
        raise ValueError(f"{source}: found no bytes, expected a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source) as image:
                name, mode, (width, height) = str(image.format), image.mode, image.size
                metadata: dict[str, Any] = {str(key): value for key, value in image.info.items()}
                if "exif" not in metadata and (exif := image.getexif()):
                    metadata["exif"] = exif.tobytes()
    except _BROKEN as error:
        raise ValueError(f"{source}: found {' '.join(str(error).split())}, expected a whole picture") from error
    if name not in ("BMP", "JPEG", "MPO", "PNG", "WEBP"):
        raise ValueError(f"{source}: found a file of format {name}, expected BMP, JPEG, PNG or WebP by that name")
    if mode not in _MODES:
        raise ValueError(f"{source}: found pixels of mode {mode}, expected gray or RGB")
    # Pillow reads 16-bit color as 8 bits.
    depth, kind = _png_header(source) if name == "PNG" else (8, 0)
    gray = mode in ("1", "L", "LA") or mode.startswith("I") if depth < 16 else kind in (0, 4)
    return _PictureInfo(
        name,
        height,
        width,
        channels=1 if gray else 3,
        deep=depth == 16,
        alpha="A" in mode or kind in (4, 6) or (depth < 16 and "transparency" in metadata),
        palette=mode.startswith("P"),
        metadata=metadata,
    )


def _png_header(source: Path) -> tuple[int, int]:
    """Return depth and colour type of a PNG file."""
    with source.open("rb") as file:
        header = file.read(26)
    return header[24], header[25]


def _alpha(source: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the alpha of a picture, ``(H, W)``."""
    if dtype == np.uint16:
        pixels: NDArray[Any] = np.asarray(cv2.imread(str(source), cv2.IMREAD_UNCHANGED))
        return pixels[..., 3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(source) as image:
            return np.asarray(image.convert("RGBA").getchannel("A"))


def _writable_metadata(kind: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a picture that Pillow can write into a file of this kind."""
    known = {
        "BMP": ("dpi",),
        "JPEG": ("icc_profile", "exif", "dpi", "comment", "xmp"),
        "WEBP": ("icc_profile", "exif", "xmp"),
    }
    return {name: metadata[name] for name in known[kind] if metadata.get(name)}
