"""What is not read is refused before any file is decoded, by the same words as in denoising."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from self2align.images.files import check_image, read_image
from self2align.images.picture import picture_of
from self2align.media.image import ImageFile
from self2align.media.medium import Choices
from self2align.sources.array import Array
from self2align.sources.folder import Folder
from self2align.sources.images import Images
from self2align.sources.ingest import decode, summarised
from self2align.sources.source import Selection
from self2align.sources.stack import Stack
from self2align.survey.footage import source_kind, survey_footage
from tests.media.running import Run

FRAME = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def _animation(path: Path) -> None:
    frames = [Image.fromarray(FRAME), Image.fromarray(255 - FRAME)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)


def _cmyk(path: Path) -> None:
    Image.fromarray(FRAME).convert("CMYK").save(path)


def _heic(path: Path) -> None:
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def _gif(path: Path) -> None:
    Image.fromarray(FRAME).save(path, format="GIF")


def _palette(path: Path) -> None:
    Image.fromarray(FRAME).quantize(16).save(path)


ODD = [
    ("9.png", _animation, "found an animation of 2 frames, expected a single picture"),
    ("9.webp", _animation, "found an animation of 2 frames, expected a single picture"),
    ("9.jpg", _cmyk, "found pixels of mode CMYK, expected gray or RGB"),
    ("9.jpg", _heic, r"found a file of brand heic \(HEIF or video\), expected BMP, JPEG, PNG or WebP by that name"),
    ("9.png", _gif, "found a file of format GIF, expected BMP, JPEG, PNG or WebP by that name"),
    ("9.tif", _palette, "found in page 0 colours from a palette, .*; gray and RGB are read"),
]


@pytest.mark.parametrize(("name", "make", "message"), ODD)
@pytest.mark.parametrize("kind", ["folder", "images"])
def test_one_odd_picture_is_refused_before_any_is_decoded(
    tmp_path: Path, kind: str, name: str, make: Any, message: str
) -> None:
    scene, scratch = tmp_path / "in" / "a", tmp_path / "scratch"
    for folder in (scene, scratch):
        folder.mkdir(parents=True)
    for number in range(3):
        Image.fromarray(FRAME).save(scene / f"{number}.png")
    make(scene / name)
    with pytest.raises(ValueError, match=rf"{name}: {message}"):
        decode(
            key="k",
            kind=kind,
            path=tmp_path / "in",
            selection=Selection(),
            crop=None,
            white=None,
            roles=["pairs"],
            single=True,
            folder=scratch,
            progress=lambda done, of: None,
        )
    assert not list(scratch.iterdir())
    with pytest.raises(ValueError, match=rf"{name}: {message}"):
        survey_footage(tmp_path / "in")
    with pytest.raises(ValueError, match=rf"{name}: {message}"):
        read_image(scene / name)
    if not name.endswith(".tif"):
        with pytest.raises(ValueError, match=rf"{name}: {message}"):
            ImageFile(scene / name, tmp_path / "out.png", Choices(3))


def test_frames_of_another_size_are_refused_by_their_heads(tmp_path: Path) -> None:
    for number, size in enumerate([(32, 24), (32, 24), (32, 25)]):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    source = Folder(tmp_path, Selection())
    with pytest.raises(ValueError, match=r"2\.png: found 32 x 25 pixels, expected 32 x 24 as in .*0\.png"):
        source.check(source.units()[0])


@pytest.mark.parametrize("name", ["a.gif", "a.nii.gz", "a.dcm", "a.map", "a.png", "a.jpg"])
def test_files_that_are_no_footage_are_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(64))
    with pytest.raises(ValueError, match=rf"{name}: found suffix .*, expected footage: a file of .*\.mp4"):
        source_kind(tmp_path / name)


def test_phones_pictures_are_read_as_denoising_reads_them(odd: Path, tmp_path: Path) -> None:
    for name in ("sugarshack.mpo", "ultra-hdr.jpg", "pixel-motion-photo-shortened.jpg"):
        path = tmp_path / Path(name).with_suffix(".jpg")
        shutil.copyfile(odd / "still" / name, path)
        picture = picture_of(path)
        assert check_image(path) == (picture.height, picture.width)
        pixels, white = read_image(path)
        assert (pixels.shape, white) == ((3, picture.height, picture.width), 255)
        np.testing.assert_array_equal(pixels, ImageFile(path, path.with_name("out.png"), Choices(3)).still().read(0))


# Cost: reading one unit does not list the folder of all.


@pytest.mark.parametrize(("kind", "suffix"), [(Images, ".png"), (Images, ".PNG"), (Stack, ".tif"), (Stack, ".TIF")])
def test_reading_a_unit_lists_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, suffix: str
) -> None:
    for number in range(4):
        path = tmp_path / f"{number}{suffix}"
        if kind is Stack:
            tifffile.imwrite(path, FRAME[..., 0], photometric="minisblack")
        else:
            Image.fromarray(FRAME).save(path, format="PNG")
    units = kind(tmp_path, Selection()).units()
    listed: list[Any] = []
    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, lambda *told: listed.append(told))
    for unit in units:
        (scene,) = kind(tmp_path, Selection(color="gray")).read(unit)
        assert scene.name == unit
    assert not listed


def test_an_odd_suffix_is_found(tmp_path: Path) -> None:
    Image.fromarray(FRAME).save(tmp_path / "a.Png", format="PNG")
    source = Images(tmp_path, Selection())
    assert [scene.name for scene in source.read(*source.units())] == ["a"]


# Zarr arrays.


@pytest.mark.parametrize(
    ("axes", "names", "given"),
    [("TYX", None, None), ("TCYX", None, None), ("YXT", ["y", "x", "time"], None), ("XYT", None, "XYT")],
)
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int16", "float64"])
def test_arrays_are_read_by_their_axes(
    tmp_path: Path, axes: str, names: list[str] | None, given: str | None, dtype: str
) -> None:
    sides = {"T": 4, "C": 3, "Y": 10, "X": 12}
    data = np.random.default_rng(0).integers(0, 100, [sides[axis] for axis in axes]).astype(dtype)
    zarr.create_array(tmp_path / "a.zarr", shape=data.shape, dtype=dtype, dimension_names=names)[...] = data
    source = Array(tmp_path / "a.zarr", Selection(color="rgb" if "C" in axes else "gray", step=2, axes=given))
    (unit,) = source.units()
    channels = 3 if "C" in axes else 1
    kind = np.dtype(dtype).name
    line = f"a.zarr: 4 frames (T) of 12 x 10 px, {channels} channel{'s' * (channels > 1)}, {kind}"
    assert source.check(unit) == f"{tmp_path}/{line}"
    (scene,) = source.read(unit)
    ordered = data.transpose([axes.index(axis) for axis in "TCYX" if axis in axes]).reshape(4, channels, 10, 12)
    np.testing.assert_array_equal(scene.frames, ordered[::2])
    assert scene.frames.dtype == {"uint8": "uint8", ">u2": "uint16"}.get(dtype, "float32")


def test_arrays_that_are_no_footage_are_refused(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", shape=(3, 10, 12), dtype="uint8", chunks=(1, 10, 12), fill_value=7)
    array[0] = 1
    with pytest.raises(ValueError, match=r"a\.zarr: found no data for 2 of 3 chunks, expected all"):
        Array(tmp_path / "a.zarr", Selection()).check("a.zarr")
    zarr.create_array(tmp_path / "b.zarr", shape=(3, 2, 10, 12), dtype="uint8")[...] = 1
    with pytest.raises(ValueError, match=r"b\.zarr: found axes 3 T x 2 C x 10 Y x 12 X, expected 1 or 3 channels"):
        Array(tmp_path / "b.zarr", Selection()).check("b.zarr")
    with pytest.raises(ValueError, match=r"b\.zarr: found axes 3 T x 2 Z x .*, expected frames along one axis"):
        Array(tmp_path / "b.zarr", Selection(axes="TZYX")).check("b.zarr")
    assert source_kind(tmp_path) == source_kind(tmp_path / "b.zarr") == "array"


@pytest.mark.parametrize("dtype", ["bool", "complex64"])
def test_arrays_of_no_numbers_are_refused_before_they_are_read(tmp_path: Path, dtype: str) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(3, 10, 12), dtype=dtype)[...] = np.ones((3, 10, 12), dtype)
    source = Array(tmp_path / "a.zarr", Selection())
    for work in (source.check, lambda unit: next(source.read(unit))):
        with pytest.raises(
            ValueError, match=rf"a\.zarr: found values of type {dtype}, expected integers or real numbers"
        ):
            work("a.zarr")


@pytest.mark.parametrize("axes", ["TYX", "TCYX"])
def test_axes_of_length_1_may_be_left_out(tmp_path: Path, axes: str) -> None:
    data = np.random.default_rng(0).integers(0, 256, (5, 1, 10, 12), dtype=np.uint8)
    zarr.create_array(tmp_path / "a.zarr", shape=data.shape, dtype="uint8")[...] = data
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack")
    array, stack = (
        kind(tmp_path / name, Selection(color="gray", axes=axes))
        for kind, name in ((Array, "a.zarr"), (Stack, "a.tif"))
    )
    for source in (array, stack):
        (unit,) = source.units()
        assert ": 5 frames (T) of 12 x 10 px, 1 channel, uint8" in source.check(unit)
        np.testing.assert_array_equal(next(source.read(unit)).frames, data)
    for made in (tmp_path / "out.zarr", tmp_path / "out.tif"):
        Run(1)(tmp_path / f"a{made.suffix}", made, axes=axes)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "out.zarr")[...], data)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif").reshape(data.shape), data)


@pytest.mark.parametrize(("shape", "clear"), [((40, 48, 9), False), ((40, 48, 10), True), ((9, 48, 40), True)])
def test_unnamed_axes_of_arrays_that_hardly_are_rows_and_columns(
    tmp_path: Path, shape: tuple[int, ...], clear: bool
) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=shape, dtype="uint8")[...] = 1
    source = Array(tmp_path / "a.zarr", Selection())
    if clear:
        assert f"{shape[0]} frames (T)" in source.check("a.zarr")
        return
    with pytest.raises(
        ValueError, match=r"a\.zarr: found an array of shape \(40, 48, 9\) .*, expected axes \(--axes\)"
    ):
        source.check("a.zarr")


def test_files_that_are_read_alike_share_a_line() -> None:
    lines = ["a: 3 frames", "", "b: 4 frames", "c: 3 frames", "d: 3 frames"]
    assert summarised(lines) == ("a: 3 frames (and 2 more files alike)", "b: 4 frames")
