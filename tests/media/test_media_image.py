"""Pictures: what is not noise comes through."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from self2align.images import png
from tests.media.running import Run

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ARTIST = 0x013B


def _random(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def _exif() -> bytes:
    exif = Image.Exif()
    exif[ARTIST] = "someone"
    return exif.tobytes()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_of_every_depth_and_kind_comes_out_as_it_went_in(
    tmp_path: Path, rgb: Run, channels: int, dtype: Any
) -> None:
    pixels = _random((20, 23, channels), dtype)
    told = [*png.described(ICC, _exif(), (300, 300)), (b"tEXt", b"Title\0a plate"), (b"gAMA", struct.pack(">I", 45455))]
    (tmp_path / "in.png").write_bytes(png.encode_png(pixels, told))
    rgb(tmp_path / "in.png", tmp_path / "out.png")
    assert list(png.chunks((tmp_path / "out.png").read_bytes())) == list(png.chunks((tmp_path / "in.png").read_bytes()))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_the_encoder_writes_others_read(channels: int, dtype: Any) -> None:
    pixels = _random((20, 23, channels), dtype)
    data = png.encode_png(pixels)
    decoded: NDArray[Any] = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))
    if channels == 1:
        np.testing.assert_array_equal(decoded, pixels[..., 0])
    elif channels == 2:
        np.testing.assert_array_equal(decoded[..., [0, 3]], pixels)
    else:
        np.testing.assert_array_equal(decoded[..., [2, 1, 0, 3][:channels]], pixels)
    if dtype == np.uint8:
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))).reshape(pixels.shape), pixels)


def test_a_jpeg_keeps_profile_exif_and_resolution(tmp_path: Path, rgb: Run) -> None:
    smooth = np.linspace(20, 200, 64 * 48 * 3).reshape(48, 64, 3).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "in.jpg", quality=98, exif=_exif(), icc_profile=ICC, dpi=(72, 72))
    rgb(tmp_path / "in.jpg", tmp_path / "out.jpg")
    with Image.open(tmp_path / "in.jpg") as before, Image.open(tmp_path / "out.jpg") as after:
        assert (after.format, after.mode, after.size) == ("JPEG", "RGB", (64, 48))
        assert after.getexif()[ARTIST] == "someone"
        assert after.info["icc_profile"] == ICC
        assert after.info["dpi"] == (72, 72)
        assert np.abs(np.asarray(before).astype(int) - np.asarray(after)).max() <= 4


def test_a_jpeg_as_png_keeps_them_too(tmp_path: Path, run: Run) -> None:
    Image.fromarray(_random((16, 16, 3), np.uint8)).save(
        tmp_path / "in.jpg", exif=_exif(), icc_profile=ICC, dpi=(300, 150)
    )
    run(tmp_path / "in.jpg", tmp_path / "out.png")
    with Image.open(tmp_path / "in.jpg") as before, Image.open(tmp_path / "out.png") as after:
        np.testing.assert_array_equal(np.asarray(after), np.asarray(before))
        assert after.getexif()[ARTIST] == "someone"
        assert after.info["icc_profile"] == ICC
        assert after.info["dpi"] == pytest.approx((300, 150), abs=0.05)


@pytest.mark.parametrize(("suffix", "shape"), [("webp", (16, 20, 4)), ("bmp", (16, 20, 3)), ("bmp", (16, 20))])
def test_other_formats_without_loss(tmp_path: Path, run: Run, suffix: str, shape: tuple[int, ...]) -> None:
    pixels = _random(shape, np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"in.{suffix}", lossless=True, exact=True)
    run(tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}")
    with Image.open(tmp_path / f"out.{suffix}") as after:
        np.testing.assert_array_equal(np.asarray(after), pixels)


def test_a_palette_becomes_what_it_stands_for(tmp_path: Path, rgb: Run) -> None:
    picture = Image.new("P", (8, 8))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "in.png", transparency=b"\0\xff")
    rgb(tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as after:
        assert after.mode == "RGBA"
        assert [after.getpixel((x, 0)) for x in (0, 1)] == [(10, 20, 30, 0), (40, 50, 60, 255)]
    assert rgb.notes == [f"{tmp_path / 'in.png'}: its palette holds no denoised colours; they are written as such"]


def test_white_scales_what_the_network_sees(tmp_path: Path, run: Run) -> None:
    (tmp_path / "in.png").write_bytes(png.encode_png(np.full((9, 9, 1), 4095, np.uint16)))
    run(tmp_path / "in.png", tmp_path / "out.png", white=4095)
    assert float(run.seen[0].max()) == 1.0
    assert (tmp_path / "out.png").read_bytes() == (tmp_path / "in.png").read_bytes()


def _cmyk(path: Path) -> Path:
    Image.new("CMYK", (8, 8)).save(path / "in.jpg")
    return path / "in.jpg"


def _cut(path: Path) -> Path:
    data = png.encode_png(_random((64, 64, 3), np.uint8))
    (path / "in.png").write_bytes(data[: len(data) // 2])
    return path / "in.png"


def _bomb(path: Path) -> Path:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    body = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    packed = b"".join(
        struct.pack(">I", len(text)) + name + text + struct.pack(">I", zlib.crc32(name + text)) for name, text in body
    )
    (path / "in.png").write_bytes(png.SIGNATURE + packed)
    return path / "in.png"


def _empty(path: Path) -> Path:
    (path / "in.png").touch()
    return path / "in.png"


def _other(path: Path) -> Path:
    (path / "in.png").write_text("not a picture")
    return path / "in.png"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_cmyk, r"in\.jpg: found pixels of mode CMYK, expected gray or RGB"),
        (_cut, r"in\.png: found no end, expected a whole picture"),
        (_bomb, r"in\.png: found Image size \(3600000000 pixels\) exceeds limit.*, expected a whole picture"),
        (_empty, r"in\.png: found no bytes, expected a picture"),
        (_other, r"in\.png: found cannot identify image file.*, expected a whole picture"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(tmp_path: Path, rgb: Run, make: Any, message: str) -> None:
    source = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=message) as told:
        rgb(source, tmp_path / f"out{source.suffix}")
    assert "\n" not in str(told.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("shape", "dtype", "suffix", "message"),
    [
        ((8, 8, 3), np.uint16, "jpg", r"out\.jpg: found suffix '\.jpg' for 16 bits, expected \.png"),
        ((8, 8, 4), np.uint8, "jpg", r"out\.jpg: found suffix '\.jpg' for a picture with alpha, expected"),
        ((8, 8, 3), np.uint8, "tif", r"out\.tif: found suffix '\.tif', expected one of \.bmp, .*, \.webp"),
        ((8, 8, 3), np.uint8, "gif", r"out\.gif: found suffix '\.gif', expected one of \.bmp, .*, \.webp"),
    ],
)
def test_a_name_that_cannot_hold_the_picture_is_refused(
    tmp_path: Path, run: Run, shape: tuple[int, ...], dtype: Any, suffix: str, message: str
) -> None:
    (tmp_path / "in.png").write_bytes(png.encode_png(_random(shape, dtype)))
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "in.png", tmp_path / f"out.{suffix}")
    assert not (tmp_path / f"out.{suffix}").exists()
