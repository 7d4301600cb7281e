"""What is told beside the pixels of a picture: what a result of each format keeps."""

import struct
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from self2align.images import png
from self2align.images.exif import NAME, without_thumbnail
from self2align.images.files import read_image
from self2align.images.picture import Picture, picture_of

# Properties by which the XMP of a phone's JPEG announces what follows the picture in the file.
_VIDEO = (b"MotionPhoto", b"MicroVideo")
_GAIN_MAP = (b"hdrgm:", b"HDRGainMap", b'"GainMap"')
_SAMSUNG_VIDEO = b"MotionPhoto_Data"  # in the file itself, without XMP
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"  # IPTC captions and keywords


def to_write(source: Path) -> tuple[Picture, list[str]]:
    """Return what a picture file holds and the result can keep, and what of it is left out.

    Without what announces parts that are left out, such as the video of a motion photo.

    Raises
    ------
    ValueError
        See `self2align.images.picture.picture_of`.
    """
    picture = picture_of(source)
    left_out = _appended(source, picture.metadata) if picture.format in ("JPEG", "MPO") else []
    metadata = {name: value for name, value in picture.metadata.items() if not (left_out and name == "xmp")}
    if isinstance(told := metadata.get("exif"), bytes):
        told, had = without_thumbnail(told)
        metadata["exif"] = NAME + told.removeprefix(NAME)  # WebP has no name before them, and JPEG needs it
        left_out += ["the thumbnail in its EXIF data, which shows the picture as it was"] * had
    return replace(picture, metadata=metadata, segments=_kept_segments(picture.segments, "xmp" in metadata)), left_out


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


def _kept_segments(segments: list[tuple[str, bytes]], xmp: bool) -> list[tuple[str, bytes]]:
    """Return the segments of a JPEG that Pillow does not write: Photoshop's, with IPTC, and the rest of long XMP."""
    kept = [(name, body) for name, body in segments if name == "APP13" and body.startswith(_PHOTOSHOP)]
    if xmp:
        kept += [(name, body) for name, body in segments if name == "APP1" and body.startswith(_EXTENDED_XMP)]
    return kept


def _packed(segments: list[tuple[str, bytes]]) -> bytes:
    """Return segments as they lie in a JPEG file."""
    markers = {"APP1": b"\xff\xe1", "APP13": b"\xff\xed"}
    return b"".join(markers[name] + struct.pack(">H", len(body) + 2) + body for name, body in segments)


def alpha_of(source: Path, picture: Picture) -> NDArray[Any]:
    """Return the alpha of a picture, ``(H, W)``, uint8 or uint16."""
    if picture.deep and (key := picture.metadata.get("transparency")) is not None:
        opaque = (read_image(source)[0] != np.reshape(key, (-1, 1, 1))).any(0)
        return np.where(opaque, np.uint16(65535), np.uint16(0))
    if picture.deep:
        try:
            return png.decode_png(source.read_bytes())[..., -1]
        except ValueError as error:
            raise ValueError(f"{source}: found {error}, expected a whole picture") from error
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
    return {**kept, "extra": _packed(picture.segments)} if kind == "JPEG" and picture.segments else kept


def lost_metadata(kind: str, source: Path, picture: Picture) -> list[str]:
    """Return the names of the metadata that a file of this kind does not hold."""
    lost = [text for name, text in _CALLED.items() if picture.metadata.get(name) and name not in _WRITTEN[kind]]
    if picture.format == "PNG" and kind != "PNG":
        named = (body.split(b"\0")[0] for name, body in png.chunks(source.read_bytes()) if name[1:] in (b"EXt", b"TXt"))
        texts = [name.decode("latin-1") for name in named]
        lost += [f"text {name!r}" for name in texts if name != "XML:com.adobe.xmp"]
    if picture.format == kind == "PNG":
        lost += png.lost_chunks(source.read_bytes())
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
