"""One reading of a TIFF file: training's and denoising's are held against each other, and against tifffile."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from self2align.images.files import read_image
from self2align.media.medium import Choices
from self2align.media.tiff import TiffStack
from self2align.sources.stack import read_stack
from tests.images.stacks import MINIS, PLANAR, H, W, denoised, layout, ordered, values, write

# Name -> shape as tifffile is given it, how it is written, what its axes mean, and what the user says of them.
KINDS: dict[str, tuple[tuple[int, ...], dict[str, Any], str, str | None]] = {
    "page": ((H, W), MINIS, "YX", None),
    "pages": ((5, H, W), MINIS, "TYX", None),
    "one-channel-last": ((5, H, W, 1), MINIS, "TYXS", None),
    "one-channel-first": ((1, 5, H, W), MINIS, "CTYX", None),
    "time-last": ((H, W, 5), {**MINIS, "metadata": {"axes": "YXT"}}, "YXT", None),
    "time-last-told": ((H, W, 5), MINIS, "YXT", "YXT"),
    "imagej-time": ((5, H, W), {"imagej": True, "metadata": {"axes": "TYX"}}, "TYX", None),
    "imagej-plain": ((5, H, W), {"imagej": True}, "TYX", None),
    "imagej-channels": (
        (5, 3, H, W),
        {"imagej": True, "metadata": {"axes": "TCYX", "mode": "composite"}},
        "TCYX",
        None,
    ),
    "imagej-rgb": ((5, H, W, 3), {"imagej": True}, "TYXS", None),
    "ome": ((5, H, W), {"ome": True, **MINIS, "metadata": {"axes": "TYX"}}, "TYX", None),
    "ome-channels": ((3, 5, H, W), {"ome": True, **MINIS, "metadata": {"axes": "CTYX"}}, "CTYX", None),
    "rgb": ((5, H, W, 3), {"photometric": "rgb"}, "TYXS", None),
    "rgb-planes": ((5, 3, H, W), PLANAR, "TSYX", None),
    "four-frames": ((4, H, W), {"metadata": {"axes": "TYX"}}, "TYX", None),
    "four-frames-told": ((4, H, W), {}, "TYX", "TYX"),
    "three-frames-told": ((3, H, W), {}, "TYX", "TYX"),
    "white-is-zero": ((5, H, W), {"photometric": "miniswhite"}, "TYX", None),
    "tiles": ((5, 40, 50), {**MINIS, "tile": (16, 32)}, "TYX", None),
    "planar-tiles": (
        (5, 3, 40, 50),
        {"photometric": "rgb", "planarconfig": "separate", "tile": (16, 32)},
        "TSYX",
        None,
    ),
    "big-endian": ((5, H, W), {**MINIS, "byteorder": ">", "bigtiff": True}, "TYX", None),
    "first-page-only": ((5, H, W), {**MINIS, "truncate": True}, "TYX", None),
    "one-by-one": ((5, H, W), {**MINIS, "contiguous": False, "metadata": None}, "TYX", None),
}
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")
COMPRESSIONS = (None, "zlib", "lzw", "zstd", "packbits")
IMAGEJ = ("uint8", "uint16", "float32")  # ImageJ knows no other types


def _cases() -> list[tuple[str, str, str | None]]:
    """Every kind in every type, and every kind in every compression."""
    typed = [(kind, dtype, None) for kind in KINDS for dtype in DTYPES]
    compressed = [(kind, "uint16", compression) for kind in KINDS for compression in COMPRESSIONS[1:]]
    return [
        (kind, dtype, compression)
        for kind, dtype, compression in typed + compressed
        if not (KINDS[kind][1].get("imagej") and (dtype not in IMAGEJ or compression))
        and not (kind == "imagej-rgb" and dtype != "uint8")
        and not (kind == "first-page-only" and compression)
        and not (kind.startswith("ome") and dtype == "float16")
    ]


@pytest.mark.parametrize(("kind", "dtype", "compression"), _cases())
def test_training_and_denoising_read_the_same(tmp_path: Path, kind: str, dtype: str, compression: str | None) -> None:
    shape, told, axes, given = KINDS[kind]
    data = values(shape, dtype)
    write(tmp_path / "in.tif", data, compression=compression, **told)
    expected = ordered(data, axes)
    trained, _ = read_stack(tmp_path / "in.tif", axes=given)
    np.testing.assert_array_equal(trained, expected)
    assert trained.dtype == (dtype if dtype in ("uint8", "uint16", "float32") else "float32")
    found = denoised(tmp_path / "in.tif", given)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)
    with tifffile.TiffFile(tmp_path / "in.tif") as file:
        np.testing.assert_array_equal(np.sort(file.asarray(), axis=None), np.sort(found, axis=None))
    line = layout(tmp_path / "in.tif", given).describe(tmp_path / "in.tif")
    frames, channels, height, width = expected.shape
    told_frames = f"{frames} frames (" if frames > 1 else "1 frame of "
    assert line.startswith(f"{tmp_path / 'in.tif'}: {told_frames}")
    assert f"of {width} x {height} px, {channels} channel{'s' if channels > 1 else ''}, {dtype}" in line


# What stands beside the footage, in front of it and behind it.
THUMBNAIL = values((1, 6, 8), "uint8")
LABEL = values((20, 30, 3), "uint8")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("told", [{"metadata": None}, {}], ids=["plain", "shaped"])
@pytest.mark.parametrize("front", [True, False])
def test_other_pages_do_not_hide_the_footage(tmp_path: Path, front: bool, told: dict[str, Any], dtype: str) -> None:
    data = values((5, H, W), dtype)
    parts: list[tuple[NDArray[Any], str]] = [(THUMBNAIL, "minisblack"), (data, "minisblack"), (LABEL, "rgb")]
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for part, photometric in parts if front else parts[1:]:
            file.write(part, photometric=photometric, contiguous=False, **told)
    np.testing.assert_array_equal(read_stack(tmp_path / "in.tif")[0][:, 0], data)
    np.testing.assert_array_equal(denoised(tmp_path / "in.tif")[:, 0], data)
    stack = TiffStack(tmp_path / "in.tif", tmp_path / "out.tif", Choices(1))
    kinds = 3 if front else 2
    first = int(front)
    assert f"; the series of most frames of {kinds}, pages {first} to {first + 4} of {4 + kinds}" in stack.reading
    beside = "0, 6" if front else "5"
    assert stack.notes == [f"{tmp_path / 'in.tif'}: pages beside its footage are copied as they are: {beside}"]


def test_levels_of_a_pyramid_are_no_frames(tmp_path: Path) -> None:
    data = values((5, 40, 50))
    with tifffile.TiffWriter(tmp_path / "sub.tif") as file:
        file.write(data, photometric="minisblack", subifds=1)
        file.write(data[:, ::2, ::2], photometric="minisblack", subfiletype=1)
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for page in data:
            file.write(page, photometric="minisblack", metadata=None, contiguous=False)
            file.write(page[::2, ::2], photometric="minisblack", metadata=None, contiguous=False, subfiletype=1)
    for name in ("sub.tif", "pages.tif"):
        np.testing.assert_array_equal(read_stack(tmp_path / name)[0][:, 0], data)
        np.testing.assert_array_equal(denoised(tmp_path / name)[:, 0], data)
    assert layout(tmp_path / "pages.tif").left_out == (1, 3, 5, 7, 9)


def test_pages_may_differ_in_compression(tmp_path: Path) -> None:
    data = values((4, H, W))
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for page, compression in zip(data, ("lzw", None, "zlib", "lzw"), strict=True):
            file.write(page, photometric="minisblack", compression=compression, metadata=None, contiguous=False)
    np.testing.assert_array_equal(read_stack(tmp_path / "in.tif", 2)[0][:, 0], data[::2])
    np.testing.assert_array_equal(denoised(tmp_path / "in.tif")[:, 0], data)


def _channels(path: Path) -> None:
    write(path, values((2, H, W)), imagej=True, metadata={"axes": "CYX", "mode": "composite"})


def _ome_channels(path: Path) -> None:
    write(path, values((2, H, W)), ome=True, photometric="minisblack", metadata={"axes": "CYX"})


@pytest.mark.parametrize("make", [_channels, _ome_channels])
def test_two_channels_of_one_moment_are_no_two_frames(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "in.tif")
    with pytest.raises(ValueError, match=r"found axes 2 C x 12 Y x 17 X, expected 1 or 3 channels"):
        read_stack(tmp_path / "in.tif")
    stack = TiffStack(tmp_path / "in.tif", tmp_path / "out.tif", Choices(1))
    assert (stack.count, stack.lines) == (2, 2)  # each channel a picture, and none follows the other
    assert "1 frame of 17 x 12 px, 2 channels, uint16" in layout(tmp_path / "in.tif").describe(tmp_path / "in.tif")


def test_planes_that_may_be_frames_are_refused_or_pointed_out(tmp_path: Path) -> None:
    write(tmp_path / "four.tif", values((4, H, W), "uint8"))
    for read in (read_stack, read_image, denoised):
        with pytest.raises(ValueError, match=r"four planes .* gray frames, or RGB with alpha, .* which, TYX or SYX"):
            read(tmp_path / "four.tif")
    np.testing.assert_array_equal(denoised(tmp_path / "four.tif", "SYX")[0], values((4, H, W), "uint8")[:3])
    write(tmp_path / "three.tif", values((3, H, W), "uint8"))
    stack = TiffStack(tmp_path / "three.tif", tmp_path / "out.tif", Choices(3))
    assert stack.reading.endswith(
        "its three planes are taken for RGB; if they are gray frames, axes (--axes) TYX says so"
    )
    # Alpha that was told is no frame.
    write(tmp_path / "alpha.tif", values((4, H, W), "uint8"), **PLANAR, extrasamples=["assocalpha"])
    assert layout(tmp_path / "alpha.tif").axes.channels == 3


def test_ycbcr_in_jpeg_is_read_as_rgb(tmp_path: Path) -> None:
    data = np.full((32, 48, 3), (200, 40, 90), np.uint8)
    told = {"compressionargs": {"outcolorspace": "ycbcr"}}
    write(tmp_path / "in.tif", data, photometric="rgb", compression="jpeg", **told)
    with tifffile.TiffFile(tmp_path / "in.tif") as file:
        assert file.pages.first.photometric == tifffile.PHOTOMETRIC.YCBCR
    pixels, white = read_image(tmp_path / "in.tif")
    assert (pixels.shape, white) == ((3, 32, 48), 255)
    assert np.abs(pixels.astype(int) - data.transpose(2, 0, 1)).max() <= 2
    np.testing.assert_array_equal(denoised(tmp_path / "in.tif")[0], pixels)


@pytest.mark.parametrize(("bits", "dtype"), [(4, "uint8"), (12, "uint16")])
def test_packed_bits_have_their_own_white(tmp_path: Path, bits: int, dtype: str) -> None:
    data = (np.arange(H * 16) * 21 % 2**bits).astype(dtype).reshape(1, H, 16)
    write(tmp_path / "in.tif", data, photometric="minisblack", bitspersample=bits)
    frames, white = read_stack(tmp_path / "in.tif")
    np.testing.assert_array_equal(frames[:, 0], data)
    assert white == 2**bits - 1
    assert TiffStack(tmp_path / "in.tif", tmp_path / "out.tif", Choices(1)).coding.scale == 1 / white
