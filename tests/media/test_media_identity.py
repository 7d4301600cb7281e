"""A network that gives back what it gets: whatever is read and written around it has one right result, the source."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image

from self2align.images import png
from self2align.images.files import read_image
from self2align.media.image import SAVED
from tests.media.running import SIZE, KilledError, Run, noisy

# Pictures: name of a source -> its suffix and what makes it.


def _save(image: Image.Image, **told: Any) -> Any:
    return lambda path: image.save(path, **told)


def _encode(channels: int, dtype: Any) -> Any:
    return lambda path: path.write_bytes(png.encode_png(noisy((*SIZE, channels), dtype)))


def _palette(path: Path) -> None:
    Image.fromarray(noisy((*SIZE, 3), np.uint8)).quantize(64).save(path)


def _transparent_gray(path: Path) -> None:
    Image.fromarray(noisy(SIZE, np.uint8)).save(path, transparency=128)


_GRAY = Image.fromarray(noisy(SIZE, np.uint8))
_RGB = Image.fromarray(noisy((*SIZE, 3), np.uint8))
_RGBA = Image.fromarray(noisy((*SIZE, 4), np.uint8))
PICTURES: dict[str, tuple[str, Any]] = {
    "png-bilevel": (".png", _save(_GRAY.convert("1"))),
    "png-gray": (".png", _encode(1, np.uint8)),
    "png-gray-alpha": (".png", _encode(2, np.uint8)),
    "png-gray-transparent": (".png", _transparent_gray),
    "png-rgb": (".png", _encode(3, np.uint8)),
    "png-rgba": (".png", _encode(4, np.uint8)),
    "png-palette": (".png", _palette),
    "png-gray-16": (".png", _encode(1, np.uint16)),
    "png-gray-alpha-16": (".png", _encode(2, np.uint16)),
    "png-rgb-16": (".png", _encode(3, np.uint16)),
    "png-rgba-16": (".png", _encode(4, np.uint16)),
    "jpg-gray": (".jpg", _save(_GRAY, quality=90)),
    "jpg-rgb": (".jpg", _save(_RGB, quality=90)),
    "webp-rgb": (".webp", _save(_RGB, lossless=True)),
    "webp-rgba": (".webp", _save(_RGBA, lossless=True, exact=True)),
    "webp-lossy": (".webp", _save(_RGB, quality=80)),
    "bmp-gray": (".bmp", _save(_GRAY)),
    "bmp-rgb": (".bmp", _save(_RGB)),
}


def _pixels(path: Path) -> NDArray[Any]:
    """Decode a picture: RGB with alpha of 8 bits, or what OpenCV reads of 16 bits."""
    if path.suffix == ".png" and path.read_bytes()[24] == 16:
        return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"))


@pytest.mark.parametrize("target", [".bmp", ".jpg", ".png", ".webp"])
@pytest.mark.parametrize("name", PICTURES)
def test_pictures(tmp_path: Path, same: Run, name: str, target: str) -> None:
    suffix, make = PICTURES[name]
    source, result = tmp_path / f"in{suffix}", tmp_path / f"out{target}"
    make(source)
    deep, alpha = name.endswith("16"), "alpha" in name or "rgba" in name or "transparent" in name
    if (deep and target != ".png") or (alpha and target in (".bmp", ".jpg")):
        with pytest.raises(ValueError, match=r"out\..*: found suffix .* expected \.png"):
            same(source, result)
        return
    same(source, result)
    expected = _pixels(source)
    if target == ".jpg":  # the loss of the encoder alone
        with Image.open(source) as image:
            shown = image.convert("L" if image.mode in ("1", "L") else "RGB")
        kind, options = SAVED[target]
        shown.save(file := io.BytesIO(), kind, **options)
        with Image.open(file) as image:
            expected = np.asarray(image.convert("RGBA"))
    np.testing.assert_array_equal(_pixels(result), expected)


@pytest.mark.parametrize("told", [{"white": 128.0}, {"sigma": 3.0}, {"white": 1023.0, "sigma": 20.0}])
@pytest.mark.parametrize("name", ["png-rgba", "png-gray-16"])
def test_pictures_with_white_and_sigma(tmp_path: Path, same: Run, name: str, told: dict[str, Any]) -> None:
    PICTURES[name][1](tmp_path / "in.png")
    same(tmp_path / "in.png", tmp_path / "out.png", **told)
    np.testing.assert_array_equal(_pixels(tmp_path / "out.png"), _pixels(tmp_path / "in.png"))


def test_sixteen_bits_with_a_transparent_colour(tmp_path: Path, run: Run) -> None:
    gray = noisy(SIZE, np.uint16)
    gray[:5] = 255
    header = png.encode_png(gray[..., None], [(b"tRNS", b"\0\xff")])
    (tmp_path / "in.png").write_bytes(header)
    run(tmp_path / "in.png", tmp_path / "out.png")
    found = _pixels(tmp_path / "out.png")
    np.testing.assert_array_equal(found[..., 3], np.where(gray == 255, 0, 65535))
    np.testing.assert_array_equal(found[..., 0], gray)


# Zarr: axes, as dimension names or as told.
SIDES = {"T": 2, "C": 3, "Z": 2, "Y": SIZE[0], "X": SIZE[1]}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["YX", "TYX", "YXC", "TCYX", "CTYX", "TCZYX"])
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int16", "float16", "float32"])
def test_zarr(tmp_path: Path, axes: str, version: Any, dtype: str) -> None:
    data = noisy(tuple(SIDES[axis] for axis in axes), dtype)
    chunks = tuple(16 if axis in "YX" else 1 for axis in axes)
    array = zarr.create_array(
        tmp_path / "in.zarr", shape=data.shape, dtype=dtype, chunks=chunks, zarr_format=version, attributes={"a": 1}
    )
    array[...] = data
    for number, (channels, normalised) in enumerate([(1, True), (3, True), (3, False)]):
        same = Run(channels, normalised=normalised)
        same(tmp_path / "in.zarr", tmp_path / f"{number}.zarr", axes=axes)
        result: Any = zarr.open_array(tmp_path / f"{number}.zarr", mode="r")
        told: Any = zarr.open_array(tmp_path / "in.zarr", mode="r")
        assert (result.dtype, dict(result.attrs), same.notes) == (told.dtype, {"a": 1}, [])
        within = 2.0**-22 if np.dtype(dtype).kind == "f" else 0
        np.testing.assert_allclose(result[...].astype(float), data.astype(float), rtol=0, atol=within)


@pytest.mark.parametrize("told", [{"white": 1023.0}, {"sigma": 40.0}])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_zarr_with_white_and_sigma(tmp_path: Path, same: Run, dtype: str, told: dict[str, Any]) -> None:
    data = (noisy((2, *SIZE), np.float64) * 1023).astype(dtype)
    zarr.create_array(tmp_path / "in.zarr", shape=data.shape, dtype=dtype)[...] = data
    same(tmp_path / "in.zarr", tmp_path / "out.zarr", **told)
    result = np.asarray(zarr.open_array(tmp_path / "out.zarr", mode="r")[...])
    np.testing.assert_allclose(result, data, rtol=0, atol=1023 * 2.0**-22 if dtype == "float32" else 0)


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_that_are_absent_are_counted_and_stay_absent(tmp_path: Path, run: Run, version: Any) -> None:
    data = noisy((3, *SIZE), np.uint16)
    array = zarr.create_array(
        tmp_path / "in.zarr", shape=data.shape, dtype="uint16", chunks=(1, *SIZE), zarr_format=version, fill_value=7
    )
    array[0], array[2] = data[0], data[2]
    run(tmp_path / "in.zarr", tmp_path / "out.zarr")
    (note,) = run.notes
    assert note.endswith("in.zarr: found no data for 1 of 3 chunks: they stay absent (fill value 7)")
    result: Any = zarr.open_array(tmp_path / "out.zarr", mode="r")
    assert result.nchunks_initialized == 2
    np.testing.assert_array_equal(result[...], [data[0], np.full(SIZE, 7), data[2]])


# Tiles, neighbours, resumption.


@pytest.mark.parametrize("normalised", [True, False])
def test_tiles(tmp_path: Path, normalised: bool) -> None:
    same = Run(1, normalised=normalised, memory=2**18)
    assert len(same.denoiser.tiles_for(96, 112)) > 2
    data = noisy((2, 96, 112), np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack")
    same(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), data)


def test_neighbours_of_footage_without_noise(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 60000, (10, 12), dtype=np.uint16)
    picture = levels.repeat(16, 0).repeat(16, 1)
    clean = np.stack([picture[t : 64 + t, 2 * t : 72 + 2 * t] for t in range(4)])
    tifffile.imwrite(tmp_path / "in.tif", clean, photometric="minisblack")
    Run(1, normalised=True, radius=2)(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), clean)


def test_resumed_after_a_kill(tmp_path: Path) -> None:
    data = noisy((5, *SIZE), np.int16)
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack")
    with pytest.raises(KilledError):
        Run(normalised=True, killed_after=2)(tmp_path / "in.tif", tmp_path / "out.tif")
    again = Run(normalised=True)
    again(tmp_path / "in.tif", tmp_path / "out.tif")
    assert len(again.seen) == 3
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), data)


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, (suffix, make) in PICTURES.items():
        make(tmp_path / "in" / f"{name}{suffix}")
    Run(3, normalised=True)(tmp_path / "in", tmp_path / "out")
    for path in sorted((tmp_path / "in").iterdir()):
        if path.suffix != ".jpg":
            np.testing.assert_array_equal(read_image(tmp_path / "out" / path.name)[0], read_image(path)[0])
