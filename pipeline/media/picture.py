"""What a picture file holds: pixels of which kind, and what is told beside them."""

import struct
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from self2align.images import png
from self2align.images.files import read_image

_FORMATS = ("BMP", "JPEG", "MPO", "PNG", "WEBP")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16B")
# What Pillow raises for broken files; the exceptions have no common base.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
# Properties by which the XMP of a phone's JPEG announces what follows the picture in the file.
_VIDEO = (b"MotionPhoto", b"MicroVideo")
_GAIN_MAP = (b"hdrgm:", b"HDRGainMap", b'"GainMap"')
_SAMSUNG_VIDEO = b"MotionPhoto_Data"  # in the file itself, without XMP
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"  # IPTC captions and keywords


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
        As Pillow has it, without what announces parts that are left out.
    segments
        Further metadata segments of a JPEG, as stored.
    left_out
        What else is in the file and does not come into the result, such as the video of a motion photo.
    """

    format: str
    height: int
    width: int
    channels: int
    deep: bool
    alpha: bool
    palette: bool
    metadata: dict[str, Any]
    segments: bytes = b""
    left_out: list[str] = field(default_factory=list)


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
                if "exif" not in metadata and (exif := image.getexif()):
                    metadata["exif"] = exif.tobytes()
                segments: list[tuple[str, bytes]] = list(getattr(image, "applist", []))
    except _BROKEN as error:
        if (brand := _iso_brand(source)) is not None:
            raise ValueError(
                f"{source}: found a file of brand {brand} (HEIF or video), expected BMP, JPEG, PNG or WebP by that "
                "name; convert it to PNG"
            ) from error
        raise ValueError(f"{source}: found {' '.join(str(error).split())}, expected a whole picture") from error
    if name not in _FORMATS:
        raise ValueError(f"{source}: found a file of format {name}, expected BMP, JPEG, PNG or WebP by that name")
    if count > 1 and name in ("PNG", "WEBP"):
        raise ValueError(
            f"{source}: found an animation of {count} frames, expected a single picture; "
            "a video or a folder of pictures can hold its frames"
        )
    if mode not in _MODES:
        raise ValueError(f"{source}: found pixels of mode {mode}, expected gray or RGB")
    left_out = _appended(source, metadata) if name in ("JPEG", "MPO") else []
    if left_out:
        metadata.pop("xmp", None)
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
        segments=_kept_segments(segments, "xmp" in metadata),
        left_out=left_out,
    )


def _iso_brand(source: Path) -> str | None:
    """Return the brand of an ISO media file, such as heic or mp42; None for any other file."""
    with source.open("rb") as file:
        head = file.read(12)
    return head[8:12].decode("ascii", "replace").strip() if head[4:8] == b"ftyp" else None


def _appended(source: Path, metadata: dict[str, Any]) -> list[str]:
    """Return what follows the picture in a JPEG file, and the XMP that would still announce it."""
    xmp = metadata.get("xmp", b"")
    found = []
    if any(name in xmp for name in _VIDEO) or _SAMSUNG_VIDEO in source.read_bytes():
        found.append("the video of this motion photo")
    if any(name in xmp for name in _GAIN_MAP):
        found.append("the HDR gain map")
    elif "mp" in metadata:
        found.append("the further pictures of this file")
    return [*found, "its XMP, which announces them"] if found and xmp else found


def _kept_segments(segments: list[tuple[str, bytes]], xmp: bool) -> bytes:
    """Return the segments of a JPEG that Pillow does not write: Photoshop's, with IPTC, and the rest of long XMP."""
    kept = [(b"\xff\xed", body) for name, body in segments if name == "APP13" and body.startswith(_PHOTOSHOP)]
    if xmp:
        kept += [(b"\xff\xe1", body) for name, body in segments if name == "APP1" and body.startswith(_EXTENDED_XMP)]
    return b"".join(marker + struct.pack(">H", len(body) + 2) + body for marker, body in kept)


def _png_header(source: Path) -> tuple[int, int]:
    """Return depth and colour type of a PNG file."""
    with source.open("rb") as file:
        header = file.read(26)
    return header[24], header[25]


def alpha_of(source: Path, picture: Picture) -> NDArray[Any]:
    """Return the alpha of a picture, ``(H, W)``, uint8 or uint16."""
    if picture.deep and (key := picture.metadata.get("transparency")) is not None:
        opaque = (read_image(source)[0] != np.reshape(key, (-1, 1, 1))).any(0)
        return np.where(opaque, np.uint16(65535), np.uint16(0))
    if picture.deep:
        pixels: NDArray[Any] = np.asarray(cv2.imread(str(source), cv2.IMREAD_UNCHANGED))
        return pixels[..., 3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(source) as image:
            return np.asarray(image.convert("RGBA").getchannel("A"))


# Metadata that Pillow can write into a file of each kind, and what a note calls it.
_WRITTEN = {
    "BMP": ("dpi",),
    "JPEG": ("icc_profile", "exif", "dpi", "comment", "xmp"),
    "PNG": ("icc_profile", "exif", "dpi", "comment", "xmp"),
    "WEBP": ("icc_profile", "exif", "xmp"),
}
_CALLED = {"icc_profile": "colour profile", "exif": "EXIF", "xmp": "XMP", "comment": "comment"}


def written_metadata(kind: str, picture: Picture) -> dict[str, Any]:
    """Return the metadata of a picture that Pillow can write into a file of this kind, as options of ``save``."""
    kept = {name: picture.metadata[name] for name in _WRITTEN[kind] if picture.metadata.get(name)}
    return {**kept, "extra": picture.segments} if kind == "JPEG" and picture.segments else kept


def lost_metadata(kind: str, source: Path, picture: Picture) -> list[str]:
    """Return the names of the metadata that a file of this kind does not hold."""
    lost = [text for name, text in _CALLED.items() if picture.metadata.get(name) and name not in _WRITTEN[kind]]
    if picture.format == "PNG" and kind != "PNG":
        named = (body.split(b"\0")[0] for name, body in png.chunks(source.read_bytes()) if name[1:] in (b"EXt", b"TXt"))
        texts = [name.decode("latin-1") for name in named]
        lost += [f"text {name!r}" for name in texts if name != "XML:com.adobe.xmp"]
    if picture.segments and kind != "JPEG":
        lost.append("Photoshop (IPTC) data")
    return lost


def png_chunks(source: Path, picture: Picture) -> list[png.Chunk]:
    """Return the metadata chunks of a picture that is written as PNG."""
    if picture.format == "PNG":
        return png.kept_chunks(source.read_bytes())
    metadata = picture.metadata
    chunks = png.described(metadata.get("icc_profile"), metadata.get("exif"), metadata.get("dpi"))
    if xmp := metadata.get("xmp"):
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    if comment := metadata.get("comment"):
        chunks.append((b"tEXt", b"Comment\0" + comment.replace(b"\0", b"")))
    return chunks
