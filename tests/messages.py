"""Common mistakes and the line that `denoise` or `init` says to each: see `tests.test_messages`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image

from self2align.networks.unet import UNet
from self2align.stores.weights import save_weights

Make = Callable[[], object]


def _picture(mode: str = "L") -> Image.Image:
    return Image.fromarray(_noise(np.uint8)).convert(mode)


def _noise(dtype: Any) -> NDArray[Any]:
    return np.asarray(np.random.default_rng(0).normal(128, 20, (24, 32)).clip(0, 255), dtype)


def _bytes(name: str, data: bytes) -> Make:
    return lambda: Path(name).write_bytes(data)


def _tiff(data: NDArray[Any] | None = None, **told: Any) -> Make:
    return lambda: tifffile.imwrite(
        "in.tif", _noise(np.uint16) if data is None else data, **{"photometric": "minisblack", **told}
    )


def _png(name: str = "in.png", mode: str = "L", **told: Any) -> Make:
    return lambda: _picture(mode).save(name, **told)


def _animated(name: str) -> Make:
    frames = [Image.fromarray(_noise(np.uint8) + step) for step in (0, 9)]
    return lambda: frames[0].save(name, save_all=True, append_images=frames[1:])


def _zarr(data: NDArray[Any]) -> Make:
    return lambda: zarr.create_array("in.zarr", data=data)


def _all(*makes: Make) -> Make:
    return lambda: [make() for make in makes]


def _mixed() -> None:
    Path("in").mkdir()
    _picture().save("in/a.png")
    Path("in/b.mp4").write_bytes(b"x")


def write_weights(name: str, header: dict[str, Any], harm: Callable[[bytes], bytes] = bytes) -> None:
    """Write weights of a small network, with a header that says more, harmed or whole."""
    network = UNet(1, width=4, depth=1)
    save_weights(
        Path(name),
        network.state_dict(),
        {"network": "unet", "channels": 1, "arguments": {"width": 4, "depth": 1}, **header},
    )
    Path(name).write_bytes(harm(Path(name).read_bytes()))


DENOISER = {"kind": "denoiser"}
W = ("--weights", "w.safetensors")
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)

# name -> what is there, the command, and the line after "self2align: error: ".
DENOISE: dict[str, tuple[Make, tuple[str, ...], str]] = {}
INIT: dict[str, tuple[Make, tuple[str, ...], str]] = {}


def _row(table: dict[str, Any], name: str, make: Make, args: str, line: str) -> None:
    table[name] = (make, tuple(args.split()), line)


for name, make, args, line in [
    (
        "nothing there",
        lambda: None,
        "in.png out.png",
        "in.png: found nothing there, expected a picture, video (SUFFIXES) or Zarr array, a folder "
        "or a pattern of them",
    ),
    (
        "no kind",
        _bytes("in.xyz", b"x"),
        "in.xyz out.xyz",
        "in.xyz: found suffix '.xyz', expected a picture, video (SUFFIXES) or Zarr array",
    ),
    ("empty picture", _bytes("in.png", b""), "in.png out.png", "in.png: found no bytes, expected a picture"),
    ("empty stack", _bytes("in.tif", b""), "in.tif out.tif", "in.tif: found no bytes, expected a TIFF file"),
    (
        "empty video",
        _bytes("in.mp4", b""),
        "in.mp4 out.mp4",
        "in.mp4: found no bytes, expected a video",
    ),
    (
        "text as picture",
        _bytes("in.png", b"hello world"),
        "in.png out.png",
        "in.png: found cannot identify image file 'in.png', expected a whole picture",
    ),
    (
        "text as stack",
        _bytes("in.tif", b"hello world"),
        "in.tif out.tif",
        "in.tif: found not a TIFF file: header=b'hell' (11 bytes), expected a TIFF file whole to its end",
    ),
    (
        "text as video",
        _bytes("in.mp4", b"hello world"),
        "in.mp4 out.mp4",
        "in.mp4: found Invalid data found when processing input after 0 frames (11 bytes), expected "
        "a video whole to its end",
    ),
    (
        "cut picture",
        _all(_png(), lambda: Path("in.png").write_bytes(Path("in.png").read_bytes()[:-200])),
        "in.png out.png",
        "in.png: found no end, expected a whole picture",
    ),
    (
        "cut stack",
        _all(_tiff(), lambda: Path("in.tif").write_bytes(Path("in.tif").read_bytes()[:-200])),
        "in.tif out.tif",
        "in.tif: found pixels until byte 1792 in page 0, expected a whole file, not 1592 bytes of it",
    ),
    (
        "animated PNG",
        _animated("in.png"),
        "in.png out.png",
        "in.png: found an animation of 2 frames, expected a single picture; a video or a folder of "
        "pictures can hold its frames",
    ),
    (
        "animated WebP",
        _animated("in.webp"),
        "in.webp out.webp",
        "in.webp: found an animation of 2 frames, expected a single picture; a video or a folder of "
        "pictures can hold its frames",
    ),
    (
        "GIF",
        _animated("in.gif"),
        "in.gif out.gif",
        "in.gif: found suffix '.gif', expected a picture, video (SUFFIXES) or Zarr array; convert it "
        "to a video without loss (ffmpeg -i IN.gif -c:v ffv1 OUT.mkv)",
    ),
    (
        "HEIC as JPEG",
        _bytes("in.jpg", HEIC),
        "in.jpg out.jpg",
        "in.jpg: found a file of brand heic (HEIF or video), expected BMP, JPEG, PNG or WebP by that "
        "name; convert it to PNG",
    ),
    (
        "HEIC",
        _bytes("in.heic", HEIC),
        "in.heic out.png",
        "in.heic: found suffix '.heic', expected a picture, video (SUFFIXES) or Zarr array; convert it to PNG",
    ),
    (
        "CMYK",
        _png("in.jpg", "CMYK"),
        "in.jpg out.jpg",
        "in.jpg: found pixels of mode CMYK, expected gray or RGB: convert it",
    ),
    (
        "NIfTI",
        _bytes("in.nii.gz", b"\x1f\x8b"),
        "in.nii.gz out.nii.gz",
        "in.nii.gz: found suffix '.gz', expected a picture, video (SUFFIXES) or Zarr array; save its "
        "frames as a TIFF stack or a Zarr array",
    ),
    (
        "DICOM",
        _bytes("in.dcm", bytes(128) + b"DICM"),
        "in.dcm out.dcm",
        "in.dcm: found suffix '.dcm', expected a picture, video (SUFFIXES) or Zarr array; save its "
        "frames as a TIFF stack or a Zarr array",
    ),
    (
        "MRC",
        _bytes("in.mrc", b"x"),
        "in.mrc out.mrc",
        "in.mrc: found suffix '.mrc', expected a picture, video (SUFFIXES) or Zarr array; save its "
        "frames as a TIFF stack or a Zarr array",
    ),
    (
        "more strength than all",
        _tiff(),
        "in.tif out.tif --strength 1.5",
        "strength: found 1.5, expected a number from 0 to 1",
    ),
    ("crf of a stack", _tiff(), "in.tif out.tif --crf 18", "crf: found 18.0 for in.tif, expected none for such a file"),
    (
        "kinds mixed",
        _mixed,
        "in out",
        "in: found files of kinds picture and video, expected one kind; a quoted pattern takes some of them",
    ),
    (
        "empty folder",
        lambda: Path("in").mkdir(),
        "in out",
        "in: found no file to denoise, expected a picture, video (SUFFIXES) or Zarr array",
    ),
    (
        "pattern of nothing",
        lambda: None,
        "*.png out",
        "*.png: found no file to denoise, expected a picture, video (SUFFIXES) or Zarr array",
    ),
    (
        "output there",
        _all(_png(), _png("out.png")),
        "in.png out.png",
        "out.png: found it there already, expected a new name, or --overwrite to replace it",
    ),
    (
        "output is input",
        _png(),
        "in.png in.png",
        "in.png: found the input itself, expected another path for the output",
    ),
    (
        "output a folder",
        _all(_png(), lambda: Path("out").mkdir()),
        "in.png out",
        "out: found a folder, expected the name of the file to write",
    ),
    (
        "output below a file",
        _all(_png(), _bytes("file", b"")),
        "in.png file/out.png",
        "file/.out.png.unfinished: found Not a directory, expected to read or write it",
    ),
    (
        "16 bits as JPEG",
        lambda: Image.fromarray(_noise(np.uint16) * 200).save("in.png"),
        "in.png out.jpg",
        "out.jpg: found suffix '.jpg' for 16 bits, expected .png",
    ),
    (
        "alpha as JPEG",
        _png(mode="RGBA"),
        "in.png out.jpg",
        "out.jpg: found suffix '.jpg' for a picture with alpha, expected .png or .webp",
    ),
    (
        "picture as stack",
        _png(),
        "in.png out.tif",
        "out.tif: found suffix '.tif', expected one of .bmp, .jpeg, .jpg, .png, .webp",
    ),
    (
        "stack as picture",
        _tiff(),
        "in.tif out.png",
        "out.png: found suffix '.png', expected .btf or .tf8 or .tif or .tiff",
    ),
    (
        "group of Zarr",
        lambda: zarr.create_group("in.zarr"),
        "in.zarr out.zarr",
        "in.zarr: found a Zarr group of no arrays, expected the path of one array",
    ),
    (
        "axes missing",
        _zarr(np.zeros((2, 2, 2, 2, 24, 32), np.uint8)),
        "in.zarr out.zarr",
        "in.zarr: found an array of shape (2, 2, 2, 2, 24, 32) without dimension names, expected "
        "axes (--axes), for example TYX",
    ),
    (
        "axes wrong",
        _zarr(np.zeros((2, 24, 32), np.uint8)),
        "in.zarr out.zarr --axes TCYX",
        "in.zarr: found axes 'TCYX' for an array of shape (2, 24, 32), expected 3 letters: Y and X "
        "for rows and columns, C for channels, T or another letter for frames",
    ),
    (
        "axes for a picture",
        _png(),
        "in.png out.png --axes YX",
        "axes: found 'YX' for in.png, expected none for such a file",
    ),
    (
        "codec for a picture",
        _png(),
        "in.png out.png --codec ffv1",
        "codec: found 'ffv1' for in.png, expected none for such a file",
    ),
    (
        "codec unknown",
        _bytes("in.mp4", b"x"),
        "in.mp4 out.mp4 --codec h264",
        "codec: found 'h264', expected one of ffv1, libsvtav1, libvpx-vp9, libx264, libx265, prores_ks",
    ),
    (
        "weights of another network",
        _all(
            _png(),
            lambda: write_weights(
                "w.safetensors", {**DENOISER, "network": "unet", "arguments": {"width": 8, "depth": 1}}
            ),
        ),
        "in.png out.png",
        "w.safetensors: 7 tensors do not fit the network; bottom.0.bias: found (4,), expected (8,)",
    ),
    (
        "weights of a network of no name",
        _all(_png(), lambda: write_weights("w.safetensors", {**DENOISER, "network": "vgg"})),
        "in.png out.png",
        "w.safetensors: network: found 'vgg', expected one of dncnn, memnet, nafnet, rednet, sgn, unet",
    ),
    ("white zero", _png(), "in.png out.png --white 0", "white: found 0, expected more than 0"),
    ("sigma no number", _png(), "in.png out.png --sigma nan", "--sigma: found nan, expected more than 0"),
    ("sigma negative", _png(), "in.png out.png --sigma -3", "--sigma: found -3, expected more than 0"),
    ("dtype unknown", _png(), "in.png out.png --dtype int8", "--dtype: found 'int8', expected same or float32"),
    (
        "dtype of a picture",
        _png(),
        "in.png out.png --dtype float32",
        "--dtype: found float32 for out.png, expected same; TIFF files and Zarr arrays hold floats",
    ),
    (
        "temporal of one picture",
        _png(),
        "in.png out.png --temporal 1",
        "temporal: found no aligner in w.safetensors, expected --aligner, or a bundle (self2align bundle)",
    ),
    (
        "no weights",
        _all(_png(), lambda: Path("w.safetensors").unlink()),
        "in.png out.png",
        "w.safetensors: found no file, expected weights (.safetensors)",
    ),
    (
        "weights of text",
        _all(_png(), _bytes("w.safetensors", b"hello")),
        "in.png out.png",
        "w.safetensors: found 5 bytes that are no safetensors file (Error while deserializing "
        "header: header too small), expected weights from training",
    ),
    (
        "weights cut",
        _all(_png(), lambda: write_weights("w.safetensors", DENOISER, lambda data: data[:-9])),
        "in.png out.png",
        "w.safetensors: found 89275 bytes that are no safetensors file (Error while deserializing header: "
        "incomplete metadata, file not fully covered), expected weights from training",
    ),
    (
        "weights of an aligner",
        _all(_png(), lambda: write_weights("w.safetensors", {"kind": "aligner"})),
        "in.png out.png",
        "w.safetensors: found weights of kind 'aligner', expected 'denoiser'",
    ),
]:
    _row(DENOISE, name, make, args, line)

for name, make, args, line in [
    (
        "nothing there",
        lambda: None,
        "new --source in.mp4",
        "in.mp4: found nothing, expected a video, a TIFF stack, or a folder of videos, stacks or images",
    ),
    (
        "no footage",
        lambda: Path("in").mkdir(),
        "new --source in",
        "in: found neither images nor videos, expected footage",
    ),
    (
        "a GIF",
        _animated("in.gif"),
        "new --source in.gif",
        "in.gif: found suffix '.gif', expected footage: a file of SUFFIXES, or a folder",
    ),
    (
        "NIfTI",
        _bytes("in.nii.gz", b"\x1f\x8b"),
        "new --source in.nii.gz",
        "in.nii.gz: found suffix '.gz', expected footage: a file of SUFFIXES, or a folder",
    ),
    (
        "text",
        _bytes("in.mp4", b"hello world"),
        "new --source in.mp4",
        "in.mp4: found Invalid data found when processing input after 0 frames (11 bytes), expected "
        "a video whole to its end",
    ),
    (
        "one page",
        _tiff(),
        "new --source in.tif",
        "in.tif: found one frame alone in in (read as in.tif: 1 frame of 32 x 24 px, 1 channel, uint16), expected two "
        "frames or more that show a scene: a video, a stack, or folders that each hold the frames of one scene",
    ),
    (
        "profile unknown",
        _tiff(),
        "new --source in.tif --profile best",
        "--profile: found 'best', expected default or quality",
    ),
    (
        "folder used",
        _all(_tiff(), lambda: Path("new").mkdir(), _bytes("new/a", b"x")),
        "new --source in.tif",
        "new: found files in it, expected a new or empty folder",
    ),
]:
    _row(INIT, name, make, args, line)
