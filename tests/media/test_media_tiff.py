"""TIFF stacks: page by page, every tag that stays true."""

import re
import struct
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import canonicalize

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.media.running import Run


def _random(shape: tuple[int, ...], dtype: Any = np.uint16) -> NDArray[Any]:
    values = np.random.default_rng(0).random(shape)
    return (values * np.iinfo(dtype).max).astype(dtype) if np.dtype(dtype).kind in "ui" else values.astype(dtype)


def _tags(path: Path) -> list[dict[int, Any]]:
    """All tags of all pages but where their pixels lie."""
    with tifffile.TiffFile(path) as file:
        return [
            {tag.code: tag.value for tag in page.tags if tag.code not in (273, 278, 279, 324, 325)}
            for page in file.pages
            if isinstance(page, tifffile.TiffPage)
        ]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_imagej_stacks_keep_pixels_and_tags(tmp_path: Path, run: Run, dtype: Any, compression: str | None) -> None:
    stack = _random((5, 20, 24), dtype)
    if dtype is np.float64:  # which ImageJ does not know
        tifffile.imwrite(tmp_path / "in.tif", stack, compression=compression, metadata={"axes": "TYX"})
    else:
        tifffile.imwrite(
            tmp_path / "in.tif",
            stack,
            imagej=compression is None,
            compression=compression,
            resolution=(9.5, 9.5),
            metadata={"axes": "TYX", "unit": "um", "finterval": 0.5},
        )
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    result = tifffile.imread(tmp_path / "out.tif")
    assert result.dtype == dtype
    np.testing.assert_allclose(result, stack, atol=0 if np.dtype(dtype).kind == "u" else 1e-7)
    assert _tags(tmp_path / "out.tif") == _tags(tmp_path / "in.tif")


def test_labels_and_notes_of_imagej_are_kept(tmp_path: Path, run: Run) -> None:
    told = {"axes": "TYX", "Info": "of a cell", "Labels": ["a", "b", "c"], "min": 0.0, "max": 99.0}
    tifffile.imwrite(tmp_path / "in.tif", _random((3, 20, 24)), imagej=True, metadata=told)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "in.tif") as before, tifffile.TiffFile(tmp_path / "out.tif") as after:
        assert after.imagej_metadata == before.imagej_metadata
        assert after.series[0].axes == "TYX"


def test_ome_is_kept(tmp_path: Path, run: Run) -> None:
    stack = _random((3, 2, 20, 24))
    told = {"axes": "TCYX", "PhysicalSizeX": 0.1, "Channel": {"Name": ["dapi", "gfp"]}}
    tifffile.imwrite(tmp_path / "in.ome.tif", stack, metadata=told)
    run(tmp_path / "in.ome.tif", tmp_path / "out.ome.tif")
    with tifffile.TiffFile(tmp_path / "in.ome.tif") as before, tifffile.TiffFile(tmp_path / "out.ome.tif") as after:
        assert before.ome_metadata is not None
        assert after.ome_metadata is not None
        identifier = re.search(r'UUID="[^"]*" ', before.ome_metadata)
        assert identifier is not None
        alone = canonicalize(before.ome_metadata.replace(identifier[0], ""))
        assert canonicalize(after.ome_metadata) == alone
        assert after.series[0].axes == "TCYX"
        np.testing.assert_array_equal(after.asarray(), stack)
    assert len(run.seen) == 6
    (note,) = run.notes
    assert note.endswith("not written: the identifiers (UUID) in its OME-XML, which are of that file")


@pytest.mark.parametrize("axes", ["TCYX", "CTYX"])
def test_pages_that_are_channels_go_together_through_a_network_of_as_many(tmp_path: Path, axes: str) -> None:
    run = Run(channels=5)
    shape = {"T": 2, "C": 5, "Y": 20, "X": 24}
    stack = _random(tuple(shape[axis] for axis in axes))
    tifffile.imwrite(tmp_path / "in.ome.tif", stack, metadata={"axes": axes}, photometric="minisblack")
    run(tmp_path / "in.ome.tif", tmp_path / "out.ome.tif")
    assert len(run.seen) == 2
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.ome.tif"), stack)


def test_tiles_stay_tiles(tmp_path: Path, run: Run) -> None:
    stack = _random((2, 40, 70))
    told: dict[str, Any] = {"photometric": "minisblack", "tile": (16, 32), "compression": "zlib", "predictor": True}
    tifffile.imwrite(tmp_path / "in.tif", stack, **told)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), stack)
    assert _tags(tmp_path / "out.tif") == _tags(tmp_path / "in.tif")


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_alpha_is_kept_untouched(tmp_path: Path, planar: str) -> None:
    run = Run(channels=3, identity=False)
    picture = _random((20, 24, 4), np.uint8)
    data = picture if planar == "contig" else np.moveaxis(picture, -1, 0)
    tifffile.imwrite(
        tmp_path / "in.tif",
        data,
        photometric="rgb",
        planarconfig=planar,
        extrasamples=["unassalpha"],
        compression="zlib",
    )
    # Planes with alpha look like four gray frames.
    run(tmp_path / "in.tif", tmp_path / "out.tif", axes="SYX" if planar == "separate" else None)
    result = tifffile.imread(tmp_path / "out.tif")
    assert result.shape == data.shape
    result = result if planar == "contig" else np.moveaxis(result, 0, -1)
    np.testing.assert_array_equal(result[..., 3], picture[..., 3])
    assert (result[..., :3] != picture[..., :3]).any()
    assert _tags(tmp_path / "out.tif") == _tags(tmp_path / "in.tif")


def test_samples_without_a_meaning_are_channels(tmp_path: Path) -> None:
    picture = _random((20, 24, 5))
    tifffile.imwrite(tmp_path / "in.tif", picture, photometric="minisblack", planarconfig="contig")
    run = Run(channels=5)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), picture)
    with pytest.raises(ValueError, match=r"in\.tif: found 5 channels, expected 4, as the network was trained with"):
        Run(channels=4)(tmp_path / "in.tif", tmp_path / "other.tif")


def test_byte_order_and_offsets_of_64_bits_are_kept(tmp_path: Path, run: Run) -> None:
    stack = _random((2, 20, 24))
    tifffile.imwrite(tmp_path / "in.tif", stack, bigtiff=True, byteorder=">", description="hello", metadata=None)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert (file.is_bigtiff, file.byteorder) == (True, ">")
        np.testing.assert_array_equal(file.asarray(), stack)
    assert _tags(tmp_path / "out.tif") == _tags(tmp_path / "in.tif")


def test_a_stack_that_lists_its_first_page_only(tmp_path: Path, run: Run) -> None:
    stack = _random((4, 20, 24))
    tifffile.imwrite(tmp_path / "in.tif", stack, truncate=True, photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "in.tif") as file:
        assert len(file.pages) == 1
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert len(run.seen) == 4
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif", key=range(4)), stack)


def test_damaged_lzw_is_refused_whole(tmp_path: Path, rgb: Run) -> None:
    frame = (_random((96, 96, 3), np.uint8) // 32).astype(np.uint8)
    Image.fromarray(frame).save(tmp_path / "in.tif", compression="tiff_lzw")
    stored = bytearray((tmp_path / "in.tif").read_bytes())
    stored[4000:4200] = bytes(np.random.default_rng(1).integers(0, 256, 200, np.uint8))
    (tmp_path / "in.tif").write_bytes(stored)
    with pytest.raises(ValueError, match=r"pixels of page 0 that do not decode \(.*lzw_decode"):
        rgb(tmp_path / "in.tif", tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize("channels", [1, 3])
def test_lzw_is_read(tmp_path: Path, rgb: Run, channels: int) -> None:
    picture = _random((20, 24, channels)[: 2 if channels == 1 else 3])
    stored = picture if channels == 1 else picture[..., ::-1]
    cv2.imwrite(str(tmp_path / "in.tif"), stored, [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    rgb(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), picture)


def _empty(path: Path) -> None:
    path.touch()


def _text(path: Path) -> None:
    path.write_text("not a TIFF file")


def _cut(path: Path) -> None:
    tifffile.imwrite(path, _random((64, 64)))
    path.write_bytes(path.read_bytes()[:-100])


def _cut_head(path: Path) -> None:
    tifffile.imwrite(path, _random((64, 64)))
    path.write_bytes(path.read_bytes()[:40])


def _bomb(path: Path) -> None:
    tifffile.imwrite(path, _random((64, 64)), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            page.tags[name].overwrite(2**31)


def _smaller_bomb(path: Path) -> None:
    tifffile.imwrite(path, _random((64, 64)), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            page.tags[name].overwrite(20_000)


def _loop(path: Path) -> None:
    # A page whose next is itself.
    tifffile.imwrite(path, _random((8, 8)))
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack("<I", data[4:8])
    (tags,) = struct.unpack("<H", data[first : first + 2])
    data[first + 2 + 12 * tags : first + 6 + 12 * tags] = struct.pack("<I", first)
    path.write_bytes(data)


def _palette(path: Path) -> None:
    tifffile.imwrite(path, _random((8, 8), np.uint8), photometric="palette", colormap=np.zeros((3, 256), np.uint16))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_empty, "found no bytes, expected a TIFF file"),
        (_text, "found not a TIFF file: .*, expected a TIFF file whole to its end"),
        (_cut, r"found pixels until byte \d+ in page 0, expected a whole file, not \d+ bytes of it"),
        (_cut_head, "found .*, expected a TIFF file whole to its end"),
        (_bomb, r"found 2147483648 x 2147483648 px of 1 values in page 0, expected at least one and at most"),
        (_smaller_bomb, r"found 20000 x 20000 pixels, 800000000 bytes, declared in page 0, expected what a file of"),
        (_palette, "found in page 0 colours from a palette, .*; gray and RGB are read"),
    ],
)
def test_what_cannot_be_denoised_is_refused_in_one_line(tmp_path: Path, run: Run, make: Any, message: str) -> None:
    make(tmp_path / "in.tif")
    with pytest.raises(ValueError, match=rf"in\.tif: {message}") as told:
        run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert "\n" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


def test_pages_in_a_circle_end(tmp_path: Path, run: Run) -> None:
    _loop(tmp_path / "in.tif")
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert len(run.seen) == 1


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("uint16", 477, 563), ("uint16", 0, 4095), ("int16", -500, 2000), ("int32", 0, 90000), ("float32", 0, 3372)],
)
def test_values_of_any_range_are_seen_from_black_to_white(
    tmp_path: Path, run: Run, dtype: str, low: float, high: float
) -> None:
    draw = np.random.default_rng(0).uniform(low, high, (3, 24, 24)).astype(dtype)
    draw[1, 0, :2] = low, high
    tifffile.imwrite(tmp_path / "in.tif", draw, photometric="minisblack")
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert not run.notes
    assert min(frame.min() for frame in run.seen) > -0.05
    assert 0.9 < max(frame.max() for frame in run.seen) < 1.05
    result = tifffile.imread(tmp_path / "out.tif")
    assert result.dtype == dtype
    np.testing.assert_allclose(result, draw, atol=1e-5 * (high - low))
