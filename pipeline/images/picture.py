"""What a picture file holds, before its pixels are decoded."""

import struct
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from self2align.images import png

_FORMATS = ("BMP", "JPEG", "MPO", "PNG", "WEBP")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16B")
# What Pillow raises for broken files: there is no common base, and it asserts what a header only claims.
BROKEN = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, struct.error, zlib.error, Image.DecompressionBombError),
)


@dataclass(frozen=True)
class Picture:
    """A picture before its pixels are decoded.

    Attributes
    ----------
    format
        Pillow's name: BMP, JPEG, MPO, PNG or WEBP.
    height, width
        Size in pixels.
    channels
        Colours without alpha: 1 or 3.
    deep
        Whether it has 16 bits.
    alpha
        Whether it has alpha, or a colour that stands for transparent.
    palette
        Whether its colours come from a palette.
    metadata
        As Pillow has it.
    segments
        Application segments of a JPEG: name and content.
    """

    format: str
    height: int
    width: int
    channels: int
    deep: bool
    alpha: bool
    palette: bool
    metadata: dict[str, Any]
    segments: list[tuple[str, bytes]] = field(default_factory=list)


def picture_of(source: Path) -> Picture:
    """Return what a file holds.

    Raises
    ------
    ValueError
        If it is no whole picture, is animated, or its pixels are neither gray nor RGB.
    """
    if not source.is_file() or not source.stat().st_size:
        raise ValueError(f"{source}: found no bytes, expected a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source) as image:
                name, mode, (width, height) = str(image.format), image.mode, image.size
                count = int(getattr(image, "n_frames", 1))
                metadata: dict[str, Any] = {str(key): value for key, value in image.info.items()}
                if "exif" not in metadata and (exif := _exif(source, image)):
                    metadata["exif"] = exif
                segments: list[tuple[str, bytes]] = list(getattr(image, "applist", []))
                # Pillow reads a gray palette of fewer bits as bytes, on into the next lines.
                packed = (
                    name == "BMP"
                    and mode == "L"
                    and any(
                        tile.args[0] == "L" and tile.args[1] < width
                        for tile in image.tile
                        if isinstance(tile.args, tuple)
                    )
                )
    except BROKEN as error:
        if (brand := _iso_brand(source)) is not None:
            raise ValueError(
                f"{source}: found a file of brand {brand} (HEIF or video), expected BMP, JPEG, PNG or WebP by that "
                "name; convert it to PNG"
            ) from error
        raise ValueError(f"{source}: found {told(error)}, expected a whole picture") from error
    if name == "PNG" and (fault := png.fault_of(source.read_bytes())):
        raise ValueError(f"{source}: found {fault}, expected a whole picture")
    if packed:
        raise ValueError(
            f"{source}: found a gray palette of less than 8 bits, expected one of colours or 8 bits: convert it"
        )
    if name not in _FORMATS:
        raise ValueError(f"{source}: found a file of format {name}, expected BMP, JPEG, PNG or WebP by that name")
    if count > 1 and name in ("PNG", "WEBP"):
        raise ValueError(
            f"{source}: found an animation of {count} frames, expected a single picture; "
            "a video or a folder of pictures can hold its frames"
        )
    if mode not in _MODES:
        raise ValueError(f"{source}: found pixels of mode {mode}, expected gray or RGB: convert it")
    # Pillow reads 16-bit color as 8 bits.
    depth, kind = _png_header(source) if name == "PNG" else (8, 0)
    gray = mode in ("1", "L", "LA") or mode.startswith("I") if depth < 16 else kind in (0, 4)
    return Picture(
        name,
        height,
        width,
        channels=1 if gray else 3,
        deep=depth == 16,
        alpha="A" in mode or kind in (4, 6) or "transparency" in metadata,
        palette=mode.startswith("P"),
        metadata=metadata,
        segments=segments,
    )


def _exif(source: Path, image: Image.Image) -> bytes:
    """Return EXIF that lies elsewhere than usual: in a text of a PNG file, or after its pixels."""
    # PNG's own method decodes all pixels to get behind them.
    exif = Image.Image.getexif(image)
    if exif or image.format != "PNG":
        return exif.tobytes() if exif else b""
    return next((content for name, content in png.chunks(source.read_bytes()) if name == b"eXIf"), b"")


def told(error: BaseException) -> str:
    """Return an error's own words on one line."""
    return " ".join(f"{error}".split()).replace("<_io.BytesIO object at ", "<bytes at ") or type(error).__name__


def _iso_brand(source: Path) -> str | None:
    """Return the brand of an ISO media file, such as heic or mp42; None for any other file."""
    with source.open("rb") as file:
        head = file.read(12)
    return head[8:12].decode("ascii", "replace").strip() if head[4:8] == b"ftyp" else None


def _png_header(source: Path) -> tuple[int, int]:
    """Return depth and colour type of a PNG file."""
    with source.open("rb") as file:
        header = file.read(26)
    return header[24], header[25]
