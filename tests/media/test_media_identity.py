"""A network that gives back what it gets: whatever is read and written around it has one right result, the source."""

import io
import warnings
import zlib
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
from tests.media.running import KilledError, Run

# Frames with noise, so that the whole way is taken: about a middle value, so that no type clips it.
SIZE = (24, 29)


def _noisy(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> NDArray[Any]:
    """Values over most of the range of a type, with noise of a tenth of it; of floats [0, 1], of int16 both signs."""
    draw = np.random.default_rng(seed)
    values = np.clip(draw.normal(0.5, 0.1, shape) + np.linspace(-0.2, 0.2, shape[-1]), 0, 1)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return values.astype(kind)
    # Of 32 bits so much as float32, in which networks compute, holds.
    low, high = (0, 2**20) if kind.itemsize > 2 else (np.iinfo(kind).min, np.iinfo(kind).max)
    return np.rint(low + values * (high - low)).astype(kind)


@pytest.fixture(params=[(1, True), (3, True), (3, False)], ids=["gray", "rgb", "rgb-plain"])
def same(request: pytest.FixtureRequest) -> Run:
    """The network: of gray or RGB, normalised as shipped weights are, or not."""
    channels, normalised = request.param
    return Run(channels, normalised=normalised)


# Pictures: name of a source -> its suffix and what makes it.


def _save(image: Image.Image, **told: Any) -> Any:
    return lambda path: image.save(path, **told)


def _encode(channels: int, dtype: Any) -> Any:
    return lambda path: path.write_bytes(png.encode_png(_noisy((*SIZE, channels), dtype)))


def _palette(path: Path) -> None:
    Image.fromarray(_noisy((*SIZE, 3), np.uint8)).quantize(64).save(path)


def _transparent_gray(path: Path) -> None:
    Image.fromarray(_noisy(SIZE, np.uint8)).save(path, transparency=128)


_GRAY = Image.fromarray(_noisy(SIZE, np.uint8))
_RGB = Image.fromarray(_noisy((*SIZE, 3), np.uint8))
_RGBA = Image.fromarray(_noisy((*SIZE, 4), np.uint8))
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
    gray = _noisy(SIZE, np.uint16)
    gray[:5] = 255
    header = png.encode_png(gray[..., None], [(b"tRNS", b"\0\xff")])
    (tmp_path / "in.png").write_bytes(header)
    run(tmp_path / "in.png", tmp_path / "out.png")
    found = _pixels(tmp_path / "out.png")
    np.testing.assert_array_equal(found[..., 3], np.where(gray == 255, 0, 65535))
    np.testing.assert_array_equal(found[..., 0], gray)


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
    data = _noisy(shape, dtype)
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
    data = (_noisy((2, *SIZE), dtype) * scale).astype(dtype)
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
    data = _noisy((*SIZE, *channels), np.uint16 if mode == "I;16" else np.uint8)
    Image.fromarray(data).save(tmp_path / "in.tif", compression=compression)
    Run(3, normalised=True)(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), data)


def _lzw(path: Path) -> None:
    """Compress the deflated segments of a TIFF file by LZW instead."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        order, place = file.byteorder, page.tags["Compression"].valueoffset
        kind = "Tile" if page.is_tiled else "Strip"
        offsets, counts = page.tags[f"{kind}Offsets"], page.tags[f"{kind}ByteCounts"]
        data = bytearray(path.read_bytes())
        for number, (at, size) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
            coded = _lzw_codes(zlib.decompress(bytes(data[at : at + size])))
            for tag, value in ((offsets, len(data)), (counts, len(coded))):
                width = tag.valuebytecount // tag.count
                field = tag.valueoffset + number * width
                data[field : field + width] = value.to_bytes(width, "little" if order == "<" else "big")
            data += coded
        data[place : place + 2] = (5).to_bytes(2, "little" if order == "<" else "big")
    path.write_bytes(data)


def _lzw_codes(data: bytes) -> bytes:
    """Return bytes as LZW codes of 9 bits: literals, and a clear code before the table asks for 10 bits."""
    codes = [code for at in range(0, len(data), 200) for code in (256, *data[at : at + 200])]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    return int(bits + "0" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big")


@pytest.mark.parametrize("told", [{"tile": (16, 32)}, {"rowsperstrip": 5}], ids=["tiles", "strips"])
@pytest.mark.parametrize("predictor", [True, False])
@pytest.mark.parametrize("layout", ["page", "rgb", "rgb-planar", "rgba", "rgba-planar", "gray-alpha"])
@pytest.mark.parametrize(("dtype", "order"), [("uint8", "<"), ("uint16", ">"), ("int16", "<"), ("float32", "<")])
def test_lzw(tmp_path: Path, layout: str, dtype: str, order: str, predictor: bool, told: dict[str, Any]) -> None:
    shape, written = LAYOUTS[layout]
    predictor = predictor and dtype != "float32"
    data = _noisy(shape, dtype)
    settings = {**written, **told, "compression": "zlib", "predictor": predictor, "byteorder": order}
    tifffile.imwrite(tmp_path / "in.tif", data, **settings)
    _lzw(tmp_path / "in.tif")
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
    tifffile.imwrite(tmp_path / "in.tif", _noisy(SIZE, np.uint16), photometric="minisblack", extratags=tags)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert _tags(tmp_path / "out.tif") == _tags(tmp_path / "in.tif")
    assert _tags(tmp_path / "in.tif")[0][318][0] == 2


def test_a_tiff_that_does_not_say_what_zero_means_is_not_inverted(tmp_path: Path, run: Run) -> None:
    tifffile.imwrite(tmp_path / "in.tif", _noisy(SIZE, np.float32), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(tmp_path / "in.tif") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        at = page.tags["PhotometricInterpretation"].offset
    data = bytearray((tmp_path / "in.tif").read_bytes())
    data[at : at + 2] = (65002).to_bytes(2, "little")  # another tag
    (tmp_path / "in.tif").write_bytes(data)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert _tags(tmp_path / "out.tif")[0][262] == (1, tifffile.PHOTOMETRIC.MINISBLACK)


@pytest.mark.parametrize(("count", "kind"), [(4, "RGB with alpha, which is not denoised"), (3, "RGB")])
def test_frames_that_tifffile_writes_as_colours_are_pointed_out(
    tmp_path: Path, run: Run, count: int, kind: str
) -> None:
    data = _noisy((count, *SIZE), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tifffile.imwrite(tmp_path / "in.tif", data)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    (note,) = run.notes
    assert f"its {count} planes are read as {kind}; if they are gray frames" in note
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), data)


def test_directories_of_exif_are_written(tmp_path: Path, run: Run) -> None:
    exif = Image.Exif()
    for directory, tag in ((34665, 37510), (34853, 27)):
        exif.get_ifd(directory)[tag] = b"text"
        exif[directory] = 0  # its place
    _GRAY.save(tmp_path / "in.tif", exif=exif)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert run.notes == []
    with Image.open(tmp_path / "out.tif") as image:
        assert image.getexif().get_ifd(34665) == {37510: b"text"}
        assert image.getexif().get_ifd(34853) == {27: b"text"}


# Zarr: axes, as dimension names or as told.
SIDES = {"T": 2, "C": 3, "Z": 2, "Y": SIZE[0], "X": SIZE[1]}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["YX", "TYX", "YXC", "TCYX", "CTYX", "TCZYX"])
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int16", "float16", "float32"])
def test_zarr(tmp_path: Path, axes: str, version: Any, dtype: str) -> None:
    data = _noisy(tuple(SIDES[axis] for axis in axes), dtype)
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
    data = (_noisy((2, *SIZE), np.float64) * 1023).astype(dtype)
    zarr.create_array(tmp_path / "in.zarr", shape=data.shape, dtype=dtype)[...] = data
    same(tmp_path / "in.zarr", tmp_path / "out.zarr", **told)
    result = np.asarray(zarr.open_array(tmp_path / "out.zarr", mode="r")[...])
    np.testing.assert_allclose(result, data, rtol=0, atol=1023 * 2.0**-22 if dtype == "float32" else 0)


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_that_are_absent_are_counted_and_stay_absent(tmp_path: Path, run: Run, version: Any) -> None:
    data = _noisy((3, *SIZE), np.uint16)
    array = zarr.create_array(
        tmp_path / "in.zarr", shape=data.shape, dtype="uint16", chunks=(1, *SIZE), zarr_format=version, fill_value=7
    )
    array[0], array[2] = data[0], data[2]
    run(tmp_path / "in.zarr", tmp_path / "out.zarr")
    (note,) = run.notes
    assert note.endswith("in.zarr: found no data for 1 of 3 chunks: read as the fill value, 7")
    result: Any = zarr.open_array(tmp_path / "out.zarr", mode="r")
    assert result.nchunks_initialized == 2
    np.testing.assert_array_equal(result[...], [data[0], np.full(SIZE, 7), data[2]])


# Tiles, neighbours, resumption.


@pytest.mark.parametrize("normalised", [True, False])
def test_tiles(tmp_path: Path, normalised: bool) -> None:
    same = Run(1, normalised=normalised, memory=2**18)
    assert len(same.denoiser.tiles_for(96, 112)) > 2
    data = _noisy((2, 96, 112), np.uint16)
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
    data = _noisy((5, *SIZE), np.int16)
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
