"""What pictures tell beside their pixels: what stays true is kept, the rest is left out and named."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from self2align.images import png
from self2align.images.exif import NAME, without_thumbnail
from tests.media.running import Run, noisy

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def rgb() -> Run:
    """A denoiser of RGB that changes nothing, made once."""
    return Run(3)


def _exif(order: str, thumbnail: bytes, last: bool) -> bytes:
    """EXIF data of one tag (Orientation 6) and a thumbnail, which is last or before a record of the camera."""
    second = 8 + 2 + 12 + 4
    place = second + 2 + 2 * 12 + 4
    first = struct.pack(f"{order}HHHIHHI", 1, 274, 3, 1, 6, 0, second)
    tags = [(513, 4, 1, place), (514, 4, 1, len(thumbnail))]
    data = struct.pack(f"{order}H", 2) + b"".join(struct.pack(f"{order}HHII", *tag) for tag in tags) + bytes(4)
    marks = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return marks + struct.pack(f"{order}I", 8) + first + data + thumbnail + (b"" if last else b"record")


def _thumbnail() -> bytes:
    file = io.BytesIO()
    Image.fromarray(noisy((12, 16), np.uint8)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_thumbnail_of_the_noisy_picture_is_not_written(
    tmp_path: Path, rgb: Run, suffix: str, order: str, last: bool
) -> None:
    thumbnail = _thumbnail()
    source, made = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    Image.fromarray(noisy((20, 24, 3), np.uint8)).save(source, exif=NAME + _exif(order, thumbnail, last))
    assert thumbnail in source.read_bytes()
    rgb(source, made)
    assert thumbnail[20:60] not in made.read_bytes()
    with Image.open(made) as image:
        assert image.getexif()[274] == 6
        assert not image.getexif().get_ifd(1)
    assert rgb.notes == [f"{source}: not written: the thumbnail in its EXIF data, which shows the picture as it was"]


@pytest.mark.parametrize("name", [b"", b"Exif\0\0"])
def test_without_thumbnail_no_other_byte_moves(name: bytes) -> None:
    told = name + _exif("<", b"thumbnail", last=False)
    found, had = without_thumbnail(told)
    assert had
    assert len(found) == len(told)
    assert found.endswith(bytes(9) + b"record")
    assert without_thumbnail(found) == (found, False)
    for cut in range(len(told)):  # broken data come back, or lose their thumbnail; nothing is raised
        shorter, had = without_thumbnail(told[:cut])
        assert had or shorter == told[:cut]


def _chunked(pixels: Any, *told: png.Chunk) -> bytes:
    return png.encode_png(pixels, told)


KEPT = [(b"bKGD", bytes(6)), (b"sPLT", b"a\0\x08" + bytes(6)), (b"oFFs", bytes(9)), (b"sCAL", b"\x011.5\x002.5")]
KEPT += [(b"prIv", b"ate")]


def test_chunks_of_a_png_are_kept_or_named(tmp_path: Path, rgb: Run) -> None:
    lost = [(b"sBIT", b"\x05\x06\x05"), (b"prIV", b"on these pixels"), (b"iDOT", bytes(28))]
    (tmp_path / "in.png").write_bytes(_chunked(noisy((20, 24, 3), np.uint8), *KEPT, *lost))
    rgb(tmp_path / "in.png", tmp_path / "out.png")
    told = [chunk for chunk in png.chunks((tmp_path / "out.png").read_bytes()) if chunk[0] not in (b"IHDR", b"IDAT")]
    assert told == [*KEPT, (b"IEND", b"")]
    assert rgb.notes == [f"{tmp_path / 'in.png'}: not written into .png: chunk sBIT, chunk prIV"]


def test_a_background_of_a_palette_is_no_background_of_colors(tmp_path: Path, rgb: Run) -> None:
    Image.fromarray(noisy((20, 24), np.uint8)).convert("P").save(file := io.BytesIO(), "PNG")
    own = list(png.chunks(file.getvalue()))
    at = next(number for number, (name, _) in enumerate(own) if name == b"IDAT")
    data = png.SIGNATURE + b"".join(png._packed(*chunk) for chunk in [*own[:at], (b"bKGD", b"\x07"), *own[at:]])
    (tmp_path / "in.png").write_bytes(data)
    with Image.open(tmp_path / "in.png") as image:
        expected = np.asarray(image.convert("RGB"))
    rgb(tmp_path / "in.png", tmp_path / "out.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), expected)
    assert b"bKGD" not in dict(png.chunks((tmp_path / "out.png").read_bytes()))
    assert any("chunk bKGD" in note for note in rgb.notes)


@pytest.mark.parametrize("source", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("target", [".jpg", ".png", ".webp"])
def test_exif_and_profile_go_from_format_to_format(tmp_path: Path, rgb: Run, source: str, target: str) -> None:
    exif = Image.Exif()
    exif[315] = "someone"
    picture = Image.fromarray(noisy((20, 24, 3), np.uint8))
    picture.save(tmp_path / f"in{source}", exif=exif.tobytes(), icc_profile=ICC)
    rgb(tmp_path / f"in{source}", tmp_path / f"out{target}")
    with Image.open(tmp_path / f"out{target}") as made:
        assert made.getexif()[315] == "someone"
        assert made.info["icc_profile"] == ICC
    assert rgb.notes == []


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_is_written_without_loss_with_its_metadata(tmp_path: Path, rgb: Run, lossless: bool) -> None:
    exif = Image.Exif()
    exif[315] = "someone"
    told: dict[str, Any] = {"icc_profile": ICC, "exif": exif.tobytes(), "xmp": b"<x:xmpmeta/>"}
    Image.fromarray(noisy((20, 24, 3), np.uint8)).save(tmp_path / "in.webp", lossless=lossless, **told)
    rgb(tmp_path / "in.webp", tmp_path / "out.webp")
    with Image.open(tmp_path / "in.webp") as before, Image.open(tmp_path / "out.webp") as after:
        np.testing.assert_array_equal(np.asarray(after), np.asarray(before))
        assert after.info["icc_profile"] == ICC
        assert after.info["xmp"] == b"<x:xmpmeta/>"
        assert after.getexif()[315] == "someone"
    assert b"VP8L" in (tmp_path / "out.webp").read_bytes()
    assert rgb.notes == []


@pytest.mark.parametrize("quality", [75, 90, 97])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_loses_no_more_than_its_rounding(tmp_path: Path, rgb: Run, quality: int, channels: int) -> None:
    pixels = noisy((64, 80, channels), np.uint8)[..., 0] if channels == 1 else noisy((64, 80, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.jpg", quality=quality)
    rgb(tmp_path / "in.jpg", tmp_path / "out.jpg")
    with Image.open(tmp_path / "in.jpg") as before, Image.open(tmp_path / "out.jpg") as after:
        off = np.asarray(after).astype(int) - np.asarray(before)
    assert np.abs(off).max() <= (1 if channels == 1 else 4)
    assert off.std() < 0.8
