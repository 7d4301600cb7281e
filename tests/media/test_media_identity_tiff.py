"""A network that gives back what it gets, on TIFF files: values, type, axes, tags."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.media.running import SIZE, Run, noisy

# TIFF: how an array lies in the file -> its shape and how it is written.
LAYOUTS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "page": (SIZE, {"photometric": "minisblack"}),
    "white-is-zero": (SIZE, {"photometric": "miniswhite"}),
    "stack": ((5, *SIZE), {"photometric": "minisblack"}),
    "imagej": ((2, 3, *SIZE), {"imagej": True, "metadata": {"axes": "TZYX"}}),
    "ome": ((2, 3, *SIZE), {"ome": True, "photometric": "minisblack", "metadata": {"axes": "TCYX"}}),
    "rgb": ((*SIZE, 3), {"photometric": "rgb"}),
    "rgb-stack": ((2, *SIZE, 3), {"photometric": "rgb"}),
    "rgb-planar": ((3, *SIZE), {"photometric": "rgb", "planarconfig": "separate"}),
    "rgba": ((*SIZE, 4), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "rgba-planar": (
        (4, *SIZE),
        {"photometric": "rgb", "planarconfig": "separate", "extrasamples": ["assocalpha"], "compression": "zlib"},
    ),
    "gray-alpha": ((*SIZE, 2), {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}),
    "tiles": ((2, *SIZE), {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}),
    "big-endian": ((2, *SIZE), {"photometric": "minisblack", "byteorder": ">", "bigtiff": True}),
}


def _tags(path: Path) -> list[dict[int, Any]]:
    """Return count and value of all tags of all pages but where their pixels lie."""
    with tifffile.TiffFile(path) as file:
        pages = [page for page in file.pages if isinstance(page, tifffile.TiffPage)]
        return [
            {tag.code: (tag.count, tag.value) for tag in page.tags if tag.code not in (273, 278, 279, 324, 325)}
            for page in pages
        ]


DTYPES = ("uint8", "uint16", "int16", "float32")
# ImageJ has no signed values.
KINDS = [(layout, dtype) for layout in LAYOUTS for dtype in DTYPES if (layout, dtype) != ("imagej", "int16")]


@pytest.mark.parametrize(("layout", "dtype"), KINDS)
def test_tiff(tmp_path: Path, same: Run, layout: str, dtype: str) -> None:
    shape, told = LAYOUTS[layout]
    data = noisy(shape, dtype)
    tifffile.imwrite(tmp_path / "in.tif", data, **told)
    same(tmp_path / "in.tif", tmp_path / "out.tif")
    _assert_same(tmp_path, data, dtype)


def _assert_same(folder: Path, data: NDArray[Any], dtype: str) -> None:
    result = tifffile.imread(folder / "out.tif")
    assert result.dtype == dtype
    # Floats go through float32 arithmetic: its rounding, of values up to the range of the frame.
    within = 2.0**-22 * float(np.ptp(data)) if np.dtype(dtype).kind == "f" else 0
    np.testing.assert_allclose(result, data, rtol=0, atol=within)
    before, after = _tags(folder / "in.tif"), _tags(folder / "out.tif")
    if str(before[0].get(270)).count("OME"):  # without its identifier; attributes in another order
        with tifffile.TiffFile(folder / "in.tif") as one, tifffile.TiffFile(folder / "out.tif") as two:
            assert (two.series[0].axes, two.series[0].shape) == (one.series[0].axes, one.series[0].shape)
        before, after = ([{**tags, 270: None} for tags in pages] for pages in (before, after))
    assert after == before


@pytest.mark.parametrize("told", [{"white": 1023.0}, {"sigma": 0.05}, {"white": 1023.0, "sigma": 40.0}])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [("uint16", 1), ("int16", 1), ("int32", 1), ("float32", 1), ("float32", 1023), ("float64", 1023)],
)
def test_tiff_with_white_and_sigma(tmp_path: Path, same: Run, dtype: str, scale: int, told: dict[str, Any]) -> None:
    data = (noisy((2, *SIZE), dtype) * scale).astype(dtype)
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack")
    same(tmp_path / "in.tif", tmp_path / "out.tif", **told)
    _assert_same(tmp_path, data, dtype)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [("uint32", [2**32 - 7, 2**31 + 1]), ("float64", [np.pi, 1e-9]), ("float32", [-np.pi, 3.1407])],
)
def test_frames_without_noise_stay_to_the_bit(tmp_path: Path, same: Run, dtype: str, values: list[float]) -> None:
    data = np.full((2, *SIZE), values[0], dtype)
    data[:, :, 15:] = values[1]
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack")
    same(tmp_path / "in.tif", tmp_path / "out.tif")
    assert tifffile.imread(tmp_path / "out.tif").tobytes() == data.tobytes()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "raw"])
def test_tiff_of_others(tmp_path: Path, mode: str, compression: str) -> None:
    channels = {"L": (), "I;16": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}[mode]
    data = noisy((*SIZE, *channels), np.uint16 if mode == "I;16" else np.uint8)
    Image.fromarray(data).save(tmp_path / "in.tif", compression=compression)
    Run(3, normalised=True)(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), data)


@pytest.mark.parametrize("told", [{"tile": (16, 32)}, {"rowsperstrip": 5}], ids=["tiles", "strips"])
@pytest.mark.parametrize("predictor", [True, False])
@pytest.mark.parametrize("layout", ["page", "rgb", "rgb-planar", "rgba", "rgba-planar", "gray-alpha"])
@pytest.mark.parametrize(("dtype", "order"), [("uint8", "<"), ("uint16", ">"), ("int16", "<"), ("float32", "<")])
def test_lzw(tmp_path: Path, layout: str, dtype: str, order: str, predictor: bool, told: dict[str, Any]) -> None:
    shape, written = LAYOUTS[layout]
    data = noisy(shape, dtype)
    settings = {**written, **told, "compression": "lzw", "predictor": predictor, "byteorder": order}
    tifffile.imwrite(tmp_path / "in.tif", data, **settings)
    Run(normalised=True)(tmp_path / "in.tif", tmp_path / "out.tif", sigma=float(np.std(data)) / 10)
    result = tifffile.imread(tmp_path / "out.tif")
    np.testing.assert_allclose(result, data, rtol=0, atol=2.0**-22 if dtype == "float32" else 0)


def test_tags_of_several_values_keep_their_count(tmp_path: Path, run: Run) -> None:
    tags: list[Any] = [
        (318, 5, 2, (3127, 10000, 3290, 10000), True),  # rationals: WhitePoint
        (319, 5, 6, (64, 100, 33, 100, 3, 10, 6, 10, 15, 100, 6, 100), True),
        (33550, 12, 3, (0.5, 0.25, 0.0), True),  # doubles: scale of a GeoTIFF
        (65000, 10, 2, (-1, 3, 2, 7), True),  # signed rationals
        (65001, 3, 3, (1, 2, 3), True),
        (315, 2, None, "someone", True),
    ]
    tifffile.imwrite(tmp_path / "in.tif", noisy(SIZE, np.uint16), photometric="minisblack", extratags=tags)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert _tags(tmp_path / "out.tif") == _tags(tmp_path / "in.tif")
    assert _tags(tmp_path / "in.tif")[0][318][0] == 2


def test_a_tiff_that_does_not_say_what_zero_means_is_not_inverted(tmp_path: Path, run: Run) -> None:
    tifffile.imwrite(tmp_path / "in.tif", noisy(SIZE, np.float32), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(tmp_path / "in.tif") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        at = page.tags["PhotometricInterpretation"].offset
    data = bytearray((tmp_path / "in.tif").read_bytes())
    data[at : at + 2] = (65002).to_bytes(2, "little")  # another tag
    (tmp_path / "in.tif").write_bytes(data)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert _tags(tmp_path / "out.tif")[0][262] == (1, tifffile.PHOTOMETRIC.MINISBLACK)


def test_directories_of_exif_are_written(tmp_path: Path, run: Run) -> None:
    exif = Image.Exif()
    for directory, tag in ((34665, 37510), (34853, 27)):
        exif.get_ifd(directory)[tag] = b"text"
        exif[directory] = 0  # its place
    Image.fromarray(noisy(SIZE, np.uint8)).save(tmp_path / "in.tif", exif=exif)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert run.notes == []
    with Image.open(tmp_path / "out.tif") as image:
        assert image.getexif().get_ifd(34665) == {37510: b"text"}
        assert image.getexif().get_ifd(34853) == {27: b"text"}


@pytest.mark.parametrize(
    ("shape", "written", "axes"),
    [
        ((*SIZE, 5), {"photometric": "minisblack", "metadata": {"axes": "YXT"}}, None),  # time last
        ((*SIZE, 5), {"photometric": "minisblack"}, "YXT"),
        ((5, *SIZE, 1), {"photometric": "minisblack"}, None),
        ((4, *SIZE), {"metadata": {"axes": "TYX"}}, None),  # four frames, written as RGB with alpha
        ((4, *SIZE), {}, "TYX"),
        ((4, *SIZE), {}, "SYX"),
        ((2, 3, 2, *SIZE), {"imagej": True, "metadata": {"axes": "TZCYX"}}, None),
    ],
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_axes_wherever_they_stand(
    tmp_path: Path,
    same: Run,
    shape: tuple[int, ...],
    written: dict[str, Any],
    axes: str | None,
    compression: str | None,
) -> None:
    data = noisy(shape, np.uint16)
    compression = None if "imagej" in written else compression
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tifffile.imwrite(tmp_path / "in.tif", data, compression=compression, **written)
    same(tmp_path / "in.tif", tmp_path / "out.tif", axes=axes)
    _assert_same(tmp_path, data, "uint16")


@pytest.mark.parametrize("front", [True, False])
def test_pages_beside_the_footage_are_copied(tmp_path: Path, front: bool) -> None:
    data, label = noisy((3, *SIZE), np.uint16), noisy((20, 30, 3), np.uint8)
    parts = [(label, "rgb"), (data, "minisblack")] if front else [(data, "minisblack"), (label, "rgb")]
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for part, photometric in parts:
            file.write(part, photometric=photometric)
    run = Run(1, identity=False)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert len(run.seen) == 3
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        pages = [page.asarray() for page in file.pages]
    np.testing.assert_array_equal(pages.pop(0 if front else 3), label)
    assert np.stack(pages).shape == data.shape
    assert (np.stack(pages) != data).any()


def test_jpeg_in_ycbcr_becomes_rgb_without_loss(tmp_path: Path, rgb: Run) -> None:
    data = noisy((64, 64, 3), np.uint8)
    tifffile.imwrite(
        tmp_path / "in.tif", data, photometric="rgb", compression="jpeg", compressionargs={"outcolorspace": "ycbcr"}
    )
    rgb(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), tifffile.imread(tmp_path / "in.tif"))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages.first.photometric == tifffile.PHOTOMETRIC.RGB


@pytest.mark.parametrize(("bits", "dtype"), [(4, "uint8"), (12, "uint16")])
def test_packed_bits_keep_their_values(tmp_path: Path, run: Run, bits: int, dtype: str) -> None:
    data = (noisy(SIZE, np.float64) * (2**bits - 1)).round().astype(dtype)
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack", bitspersample=bits)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), data)
