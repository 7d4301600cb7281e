"""Small whole files of every format, made here: name -> bytes."""

import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import cv2
import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from self2align.images import png

SIDE = (20, 27)
FOOTAGE = (32, 48)
Seeds = dict[str, bytes]


def values(shape: tuple[int, ...], dtype: Any = np.uint8) -> NDArray[Any]:
    """Return noise about a ramp, over the middle of the range of a type; of floats [0, 1]."""
    draw = np.random.default_rng(3)
    found = np.clip(draw.normal(0.5, 0.1, shape) + np.linspace(-0.2, 0.2, shape[-1]), 0, 1)
    kind = np.dtype(dtype)
    return found.astype(kind) if kind.kind == "f" else np.rint(found * np.iinfo(kind).max).astype(kind)


def _saved(image: Image.Image, kind: str, **told: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **told)
    return file.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[271], exif[274], exif[306] = "Camera", 6, "2026:01:01 00:00:00"
    exif.get_ifd(34665)[33434] = (1, 50)
    exif.get_ifd(34853)[1] = "N"
    return exif


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


_GRAY = Image.fromarray(values(SIDE))
_RGB = Image.fromarray(values((*SIDE, 3)))
_RGBA = Image.fromarray(values((*SIDE, 4)))
_XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a>b</a></x:xmpmeta>"


def pngs() -> Seeds:
    """Gray, RGB and alpha of 8 and 16 bits, a palette, transparency, and metadata."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "t")
    texts.add_itxt("Author", "a", zip=True)
    told = {"icc_profile": _profile(), "exif": _exif(), "dpi": (72, 72), "pnginfo": texts}
    kinds = [(channels, kind) for channels in (1, 2, 3, 4) for kind in (np.uint8, np.uint16)]
    return {
        **{f"{one}x{kind(0).nbytes}.png": png.encode_png(values((*SIDE, one), kind)) for one, kind in kinds},
        "told.png": _saved(_RGB, "PNG", **told),
        "palette.png": _saved(_RGB.quantize(32), "PNG", transparency=3),
        "bilevel.png": _saved(_GRAY.convert("1"), "PNG"),
        "key.png": _saved(_GRAY, "PNG", transparency=128),
        "key16.png": png.encode_png(values((*SIDE, 3), np.uint16), [(b"tRNS", b"\0\1\0\2\0\3")]),
        "optimal.png": _saved(_GRAY, "PNG", optimize=True),
    }  # fmt: skip


def jpegs() -> Seeds:
    """Gray and RGB, progressive, with restarts, EXIF, XMP, a profile; two pictures in one file (MPO)."""
    told = {"exif": _exif(), "xmp": _XMP, "icc_profile": _profile(), "comment": b"c", "dpi": (72, 72)}
    return {
        "gray.jpg": _saved(_GRAY, "JPEG", quality=90),
        "rgb.jpg": _saved(_RGB, "JPEG", quality=90),
        "told.jpg": _saved(_RGB, "JPEG", **told),
        "progressive.jpg": _saved(_RGB, "JPEG", progressive=True),
        "restarts.jpg": _saved(_RGB, "JPEG", restart_marker_rows=1),
        "mpo.jpg": _saved(_RGB, "MPO", save_all=True, append_images=[_RGB.rotate(180)]),
    }


def webps() -> Seeds:
    """With and without loss and alpha, and with metadata."""
    return {
        "lossless.webp": _saved(_RGB, "WEBP", lossless=True),
        "alpha.webp": _saved(_RGBA, "WEBP", lossless=True, exact=True),
        "lossy.webp": _saved(_RGBA, "WEBP", quality=80),
        "told.webp": _saved(_RGB, "WEBP", exif=_exif(), xmp=_XMP, icc_profile=_profile()),
    }


def bmps() -> Seeds:
    """Gray, RGB, palette, alpha, bilevel."""
    bilevel = _saved(_GRAY.convert("1"), "BMP")
    return {
        "gray.bmp": _saved(_GRAY, "BMP"),
        "rgb.bmp": _saved(_RGB, "BMP"),
        "palette.bmp": _saved(_RGB.quantize(32), "BMP"),
        "alpha.bmp": _saved(_RGBA, "BMP"),
        "bilevel.bmp": bilevel,
    }


def _tiff(array: NDArray[Any], **told: Any) -> bytes:
    file = io.BytesIO()
    kind = {name: told.pop(name) for name in ("imagej", "ome", "bigtiff", "byteorder") if name in told}
    with tifffile.TiffWriter(file, **kind) as out:
        out.write(array, **{"metadata": None if not kind.get("imagej") and not kind.get("ome") else {}, **told})
    return file.getvalue()


def _with_levels() -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as out:
        out.write(values(SIDE), subifds=1, photometric="minisblack", metadata=None)
        out.write(values(SIDE)[::2, ::2], subfiletype=1, photometric="minisblack", metadata=None)
    return file.getvalue()


def tiffs() -> Seeds:
    """Every layout: strips, tiles, planes, pages; compressions; ImageJ, OME, BigTIFF, levels in SubIFDs."""
    gray = {"photometric": "minisblack"}
    stack = values((5, *SIDE), np.uint16)
    return {
        "page.tif": _tiff(values(SIDE), **gray),
        "pages.tif": _tiff(stack, **gray),
        "many.tif": _tiff(values((40, 16, 16)), **gray),
        "strips.tif": _tiff(values((64, 48)), rowsperstrip=7, **gray),
        "float.tif": _tiff(values((3, *SIDE), np.float32), **gray),
        "rgb.tif": _tiff(values((2, *SIDE, 3)), photometric="rgb"),
        "rgba16.tif": _tiff(values((*SIDE, 4), np.uint16), photometric="rgb", extrasamples=["unassalpha"]),
        "planar.tif": _tiff(values((3, *SIDE)), photometric="rgb", planarconfig="separate"),
        "tiles.tif": _tiff(values((40, 50)), tile=(16, 16), **gray),
        "lzw.tif": _tiff(stack, compression="lzw", predictor=True, **gray),
        "deflate.tif": _tiff(stack, compression="zlib", predictor=True, **gray),
        "packbits.tif": _tiff(values((2, *SIDE)), compression="packbits", **gray),
        "jpeg.tif": _tiff(values((32, 48)), compression="jpeg", **gray),
        "zstd.tif": _tiff(stack, compression="zstd", **gray),
        "big.tif": _tiff(stack, bigtiff=True, byteorder=">", **gray),
        "imagej.tif": _tiff(stack, imagej=True, metadata={"axes": "TYX"}),
        "ome.ome.tif": _tiff(values((2, 3, *SIDE), np.uint16), ome=True, metadata={"axes": "TCYX"}, **gray),
        "shaped.tif": _tiff(stack, metadata={"axes": "TYX"}, **gray),
        "levels.tif": _with_levels(),
    }


def film(container: str, codec: str, pixels: str = "yuv420p", frames: int = 7, **options: str) -> bytes:
    """Return a short film of noise on a moving ramp."""
    height, width = FOOTAGE
    told = {"movflags": "faststart"} if options.pop("fast", "") else {}
    with TemporaryDirectory() as folder, av.open(f"{folder}/film", "w", format=container, options=told) as out:
        stream: Any = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.options = options
        draw = np.random.default_rng(5)
        picture = draw.integers(60, 190, (height, width + frames, 3)).astype(np.uint8)
        for at in range(frames):
            shown = np.asarray(cv2.blur(picture[:, at : at + width], (3, 3)), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        out.mux(stream.encode(None))
        out.close()
        return Path(folder, "film").read_bytes()


def mp4s() -> Seeds:
    """H.264 with B frames, its index at the end or the front; MPEG-4, MJPEG."""
    return {
        "h264.mp4": film("mp4", "libx264", preset="ultrafast"),
        "fast.mp4": film("mp4", "libx264", fast="1", bf="2"),
        "mpeg4.mp4": film("mp4", "mpeg4"),
        "mjpeg.mp4": film("mov", "mjpeg", "yuvj420p"),
    }


def mkvs() -> Seeds:
    """Matroska of H.264, FFV1, 10 bits; WebM of VP9 and VP8."""
    return {
        "h264.mkv": film("matroska", "libx264", preset="ultrafast"),
        "ffv1.mkv": film("matroska", "ffv1", level="3"),
        "ten.mkv": film("matroska", "ffv1", "yuv420p10le", level="3"),
        "vp9.webm": film("webm", "libvpx-vp9", deadline="realtime"),
        "vp8.webm": film("webm", "libvpx", deadline="realtime"),
    }


def avis() -> Seeds:
    """MPEG-4, MJPEG, raw; and Y4M."""
    return {
        "mpeg4.avi": film("avi", "mpeg4"),
        "mjpeg.avi": film("avi", "mjpeg", "yuvj420p"),
        "raw.avi": film("avi", "rawvideo", "bgr24", frames=3),
        "420.y4m": film("yuv4mpegpipe", "rawvideo", frames=3),
        "444.y4m": film("yuv4mpegpipe", "rawvideo", "yuv444p", frames=3),
    }


FILES: dict[str, Callable[[], Seeds]] = {
    "png": pngs,
    "jpeg": jpegs,
    "webp": webps,
    "bmp": bmps,
    "tiff": tiffs,
    "mp4": mp4s,
    "mkv": mkvs,
    "avi": avis,
}


def make_arrays(folder: Path) -> list[Path]:
    """Write Zarr arrays of both formats, with and without compression, shards, names and scale."""
    stack = values((3, *SIDE), np.uint16)
    named = {"_ARRAY_DIMENSIONS": ["time", "y", "x"]}
    kinds: dict[str, dict[str, Any]] = {
        "v2": {"zarr_format": 2, "chunks": (1, 16, 16), "compressors": None, "attributes": named},
        "v2z": {"zarr_format": 2, "chunks": (2, *SIDE)},
        "v3": {"chunks": (1, *SIDE), "dimension_names": ("time", "y", "x"), "compressors": None},
        "v3z": {"chunks": (1, 16, 16), "attributes": {"scale_factor": 1 / 4095, "add_offset": 0.0, "note": "n"}},
        "v3s": {"chunks": (1, 10, 10), "shards": (1, 20, 30)},
    }  # fmt: skip
    for name, told in kinds.items():
        array = zarr.create_array(folder / f"{name}.zarr", shape=stack.shape, dtype=stack.dtype, **told)
        array[:] = stack
    return [folder / f"{name}.zarr" for name in kinds]
