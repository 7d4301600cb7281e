"""What is written is read back: depth, colours, and refusals."""

import io
import struct
import zlib
from pathlib import Path
from unittest.mock import Mock

import cv2
import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from self2align.images import png
from self2align.images.files import check_image, read_image, to_color, write_png
from self2align.images.picture import picture_of
from self2align.media.picture import alpha_of


def _random(shape: tuple[int, ...], dtype: type[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    high = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, high, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_8_bit_rgb_is_read_exactly(tmp_path: Path, suffix: str) -> None:
    truth = _random((7, 5, 3), np.uint8)
    Image.fromarray(truth).save(tmp_path / f"a.{suffix}")
    image, white = read_image(tmp_path / f"a.{suffix}")
    assert (image.dtype.name, white) == ("uint8", 255.0)
    np.testing.assert_array_equal(image, truth.transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_is_read_at_full_depth_and_alpha_is_dropped(tmp_path: Path, suffix: str, channels: int) -> None:
    truth = _random((7, 5, channels), np.uint16)
    order = [2, 1, 0, 3][:channels] if channels > 1 else [0]
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), truth[..., order])
    image, white = read_image(tmp_path / f"a.{suffix}")
    assert (image.dtype.name, white) == ("uint16", 65535.0)
    np.testing.assert_array_equal(image, truth[..., :3].transpose(2, 0, 1))


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3)])
def test_float_tiff_has_white_1(tmp_path: Path, shape: tuple[int, ...]) -> None:
    truth = np.random.default_rng(0).random(shape, dtype=np.float32)
    cv2.imwrite(str(tmp_path / "a.tif"), truth)
    image, white = read_image(tmp_path / "a.tif")
    assert (image.dtype.name, white) == ("float32", 1.0)
    expected = truth[None] if len(shape) == 2 else truth[..., ::-1].transpose(2, 0, 1)
    np.testing.assert_array_equal(image, expected)


def test_alpha_is_dropped_not_composited(tmp_path: Path) -> None:
    truth = _random((7, 5, 4), np.uint8)
    Image.fromarray(truth).save(tmp_path / "rgba.png")
    Image.fromarray(truth[..., :2], mode=None).save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_image(tmp_path / "rgba.png")[0], truth[..., :3].transpose(2, 0, 1))
    np.testing.assert_array_equal(read_image(tmp_path / "la.png")[0], truth[None, ..., 0])


def test_palette_and_bilevel_are_looked_up(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "palette.png", transparency=b"\0\xff")
    image, _ = read_image(tmp_path / "palette.png")
    np.testing.assert_array_equal(image[:, 0], [[10, 40], [20, 50], [30, 60]])
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bilevel.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bilevel.png")[0], [[[255, 0]]])


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_truncated_is_refused_without_warnings(tmp_path: Path, suffix: str, share: float) -> None:
    whole = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper())
    Image.fromarray(_random((64, 48, 3), np.uint8)).save(whole, format=kind)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(whole.getvalue()[: int(share * len(whole.getvalue()))])
    # Warnings are errors in the whole test run, so one that leaks fails here.
    with pytest.raises(ValueError, match=r"a\.\w+: found .*, expected (a whole|a picture|a TIFF file)") as told:
        read_image(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_truncated_16_bit_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), _random((64, 48, 3), np.uint16))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"a\.\w+: found .*, expected (a whole|a picture|a TIFF file)"):
        read_image(path)


def _with_data(data: bytes, packed: bytes) -> bytes:
    """Return a PNG file with other data in place of its pixels, and a right checksum."""
    own = [(name, packed if name == b"IDAT" else body) for name, body in png.chunks(data)]
    parts = (
        struct.pack(">I", len(body)) + name + body + zlib.crc32(name + body).to_bytes(4, "big") for name, body in own
    )
    return b"".join([png.SIGNATURE, *parts])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_damaged_png_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], dtype: type[np.unsignedinteger], channels: int
) -> None:
    path = tmp_path / "a.png"
    whole = cv2.imencode(".png", np.zeros((7, 5, channels), dtype))[1].tobytes()
    sum_ = whole.index(b"IEND") - 5  # the last byte of the pixels' checksum
    path.write_bytes(whole[:sum_] + bytes([whole[sum_] ^ 1]) + whole[sum_ + 1 :])
    for read in (check_image, read_image):
        with pytest.raises(
            ValueError, match=r"a\.png: found a wrong checksum of chunk 'IDAT', expected a whole picture"
        ):
            read(path)
    for packed in (zlib.compress(b"\0" * 9), b"no such stream"):
        path.write_bytes(_with_data(whole, packed))
        with pytest.raises(ValueError, match=r"a\.png: found .*, expected a whole picture"):
            read_image(path)
        if dtype == np.uint16 and channels == 4:
            with pytest.raises(ValueError, match=r"a\.png: found pixels that are damaged"):
                alpha_of(path, picture_of(path))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_png_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], channels: int
) -> None:
    truth = _random((7, 5, channels), np.uint16)
    data = png.encode_png(truth, [(b"gAMA", b"\0\0\xb1\x8f")] * 2)  # libpng warns of a second gamma
    (tmp_path / "a.png").write_bytes(data)
    decoder = Mock(wraps=imagecodecs.png_decode)
    monkeypatch.setattr(imagecodecs, "png_decode", decoder)
    monkeypatch.setattr(PngImageFile, "load", None)
    assert check_image(tmp_path / "a.png") == (7, 5)
    assert decoder.call_count == 0
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0], truth[..., :3].transpose(2, 0, 1))
    assert decoder.call_count == 1
    assert capfd.readouterr().err == ""


def test_exif_of_a_png_may_follow_its_pixels(tmp_path: Path) -> None:
    data = png.encode_png(_random((7, 5, 3), np.uint16))
    exif = b"MM\0*\0\0\0\x08\0\0\0\0\0\0"
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + zlib.crc32(b"eXIf" + exif).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data[:-12] + chunk + data[-12:])
    assert picture_of(tmp_path / "a.png").metadata["exif"] == exif


def test_other_things_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found no such file"):
        read_image(tmp_path / "none.png")
    pages = [Image.fromarray(_random((4, 4), np.uint8)) for _ in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match="found 3 images in one file"):
        read_image(tmp_path / "pages.tif")
    cmyk = Image.fromarray(_random((4, 4, 4), np.uint8), mode=None).convert("CMYK")
    for name, message in (("a.jpg", "found pixels of mode CMYK"), ("a.tif", "found in page 0 CMYK; gray and RGB")):
        cmyk.save(tmp_path / name)
        with pytest.raises(ValueError, match=message):
            read_image(tmp_path / name)


def test_to_color_is_rec_601_and_keeps_grays() -> None:
    primaries = np.zeros((3, 3, 1, 1), dtype=np.uint8)
    primaries[[0, 1, 2], [0, 1, 2]] = 255
    np.testing.assert_array_equal(to_color(primaries, "gray").ravel(), [76, 150, 29])
    ramp = np.arange(65536, dtype=np.uint16).reshape(1, 256, 256)
    repeated = to_color(ramp, "rgb")
    assert repeated.shape == (3, 256, 256)
    back = to_color(repeated, "gray")
    assert back.dtype == np.uint16
    np.testing.assert_array_equal(back, ramp)
    assert to_color(np.full((3, 2, 2), 0.25, dtype=np.float32), "gray").dtype == np.float32
    with pytest.raises(ValueError, match="'cmyk'"):
        to_color(ramp, "cmyk")
    with pytest.raises(ValueError, match="found 4 channels"):
        to_color(np.zeros((4, 2, 2), dtype=np.uint8), "rgb")


def test_written_png_is_read_back(tmp_path: Path) -> None:
    truth = _random((7, 5, 3), np.uint8).astype(np.uint8)
    write_png(tmp_path / "a.png", truth)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0], truth.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("packed", "what"),
    [
        (zlib.compress(bytes(40)), "Not enough image data"),
        (zlib.compress(bytes(200))[:-4] + bytes(4), "incorrect data"),
    ],
)
def test_png_of_8_bits_with_rows_missing_or_a_wrong_sum_is_refused(tmp_path: Path, packed: bytes, what: str) -> None:
    path = tmp_path / "a.png"
    write_png(path, np.full((8, 8, 3), 0, np.uint8))
    whole = path.read_bytes()
    path.write_bytes(_with_data(whole, zlib.compress(bytes(200))))
    assert read_image(path)[0].shape == (3, 8, 8)
    path.write_bytes(_with_data(whole, packed))
    with pytest.raises(ValueError, match=rf"a\.png: found .*{what}.*, expected a whole picture"):
        read_image(path)


def test_a_bmp_that_pillow_reads_with_too_many_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(path)
    assert read_image(path)[0].shape == (1, 16, 16)
    data = bytearray(path.read_bytes())
    data[28] = 4
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.bmp: found a gray palette of less than 8 bits"):
        read_image(path)


def test_a_bilevel_bmp_is_8_bit_gray(tmp_path: Path) -> None:
    Image.fromarray(np.eye(16, dtype=bool)).save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(read_image(tmp_path / "a.bmp")[0], 255 * np.eye(16, dtype=np.uint8)[None])
