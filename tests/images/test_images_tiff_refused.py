"""TIFF files that are not read, or not trained on: named alike by all who read them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from self2align.images.files import read_image
from self2align.sources.stack import count_frames, read_stack
from tests.images.stacks import H, W, denoised, values, write

# Whole files that are not read: every command says the same, and what it is that is not read.


def _palette(path: Path) -> None:
    write(path, values((H, W), "uint8"), photometric="palette", colormap=np.zeros((3, 256), np.uint16))


def _bilevel(path: Path) -> None:
    write(path, values((H, W)) > 50, photometric="minisblack")


def _cmyk(path: Path) -> None:
    Image.fromarray(values((H, W, 4), "uint8"), mode=None).convert("CMYK").save(path)


def _ycbcr(path: Path) -> None:
    Image.fromarray(values((H, W, 3), "uint8")).convert("YCbCr").save(path)


def _lab(path: Path) -> None:
    write(path, values((H, W, 3), "uint8"), photometric="cielab")


def _complex(path: Path) -> None:
    write(path, values((H, W)).astype(np.complex64))


def _compression(path: Path) -> None:
    write(path, values((H, W)), photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["Compression"].overwrite(34677)  # of Silicon Graphics


WHOLE = [
    (_palette, "found in page 0 colours from a palette, whose numbers are no light; gray and RGB are read"),
    (_bilevel, "found in page 0 values of 1 bit, black or white; gray and RGB of more bits are read"),
    (_cmyk, "found in page 0 CMYK; gray and RGB are read"),
    (_ycbcr, "found in page 0 YCbCr without JPEG; gray and RGB are read"),
    (_lab, "found in page 0 colours of kind CIELAB; gray and RGB are read"),
    (_complex, "found in page 0 values of type complex64; integers and real numbers are read"),
    (_compression, "found in page 0 compression SGILOG24, which has no decoder here"),
]


@pytest.mark.parametrize(("make", "message"), WHOLE)
def test_what_is_not_read_is_named_alike_by_all(tmp_path: Path, make: Any, message: str) -> None:
    make(tmp_path / "in.tif")
    for read in (read_stack, count_frames, read_image, denoised):
        with pytest.raises(ValueError) as told:  # noqa: PT011 - the whole text is compared
            read(tmp_path / "in.tif")
        assert str(told.value) == f"{tmp_path / 'in.tif'}: {message}"


# Damage. tifffile reads what is missing as zeros.


@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "packbits", "lzma"])
@pytest.mark.parametrize("damage", ["zeros", "short", "absent", "fewer"])
def test_damaged_strips_are_refused(tmp_path: Path, compression: str, damage: str) -> None:
    data = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) // 3
    write(tmp_path / "in.tif", data, photometric="minisblack", compression=compression, rowsperstrip=16)
    with tifffile.TiffFile(tmp_path / "in.tif", mode="r+") as file:
        page = file.pages.first
        offsets, counts = page.dataoffsets, page.databytecounts
        if damage == "zeros":
            file.filehandle.seek(offsets[1] + counts[1] // 3)
            file.filehandle.write(bytes(counts[1] - counts[1] // 3))
        elif damage == "short":
            page.tags["StripByteCounts"].overwrite((counts[0], counts[1] // 2, *counts[2:]))
        elif damage == "absent":
            page.tags["StripByteCounts"].overwrite((counts[0], 0, *counts[2:]))
        else:
            page.tags["StripByteCounts"].overwrite(counts[:3])
            page.tags["StripOffsets"].overwrite(offsets[:3])
    for read in (read_stack, read_image, denoised):
        with pytest.raises(
            ValueError, match=r"in\.tif: found (pixels of page 0 that do not decode|no data for 1 of 4)"
        ):
            read(tmp_path / "in.tif")


# Types.


@pytest.mark.parametrize(
    ("dtype", "levels"),
    [("int32", [2**30, 2**30 + 9]), ("uint32", [2**32 - 9, 2**32 - 1]), ("float64", [1e12, 1e12 + 1])],
)
def test_what_float32_would_round_away_is_not_trained_on(tmp_path: Path, dtype: str, levels: list[float]) -> None:
    data = np.full((2, H, W), levels[0], dtype)
    data[:, ::2] = levels[1]
    write(tmp_path / "in.tif", data, photometric="minisblack")
    with pytest.raises(ValueError, match=rf"found values of type {dtype} from .* of which float32 loses .* subtract"):
        read_stack(tmp_path / "in.tif")
    np.testing.assert_array_equal(denoised(tmp_path / "in.tif")[:, 0], data)


# Axes that a user names.


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("TY", r"found axes 'TY' for an array of shape \(5, 12, 17\), expected 3 letters: Y and X for rows"),
        ("TCYX", r"found axes 'TCYX' for an array of shape \(5, 12, 17\), expected 3 letters"),
        ("TZC", "found axes 'TZC', expected each letter once: Y and X for rows and columns"),
        ("YYX", "found axes 'YYX', expected each letter once"),
        ("T-X", "found axes 'T-X' for an array"),
    ],
)
def test_wrong_axes_are_refused(tmp_path: Path, axes: str, message: str) -> None:
    write(tmp_path / "in.tif", values((5, H, W)), photometric="minisblack")
    for read in (denoised, lambda path, axes: read_stack(path, axes=axes)):
        with pytest.raises(ValueError, match=rf"in\.tif: {message}"):
            read(tmp_path / "in.tif", axes)


def test_unknown_axes_are_asked_for(tmp_path: Path) -> None:
    data = values((2, 5, H, W))
    write(tmp_path / "in.tif", data, photometric="minisblack")
    with pytest.raises(ValueError, match=r"2 Q x 5 Q x 12 Y x 17 X, expected frames along one axis"):
        read_stack(tmp_path / "in.tif")
    with pytest.raises(ValueError, match="expected 1 or 3 channels"):
        read_stack(tmp_path / "in.tif", axes="CTYX")
    write(tmp_path / "three.tif", data.repeat(3, 0)[::2], photometric="minisblack")
    frames, _ = read_stack(tmp_path / "three.tif", axes="ctyx")
    np.testing.assert_array_equal(frames, data.repeat(3, 0)[::2].transpose(1, 0, 2, 3))
