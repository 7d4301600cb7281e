"""Simulated recordings: a camera's frames come back from pictures and codecs, the same bytes every time."""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from self2align.images.files import read_image, write_png
from self2align.media.clean import open_clean
from self2align.media.recording import encode
from self2align.noise.camera import Camera, film
from self2align.stages.tools.simulate import simulate

COUNT, SIZE = 4, (48, 64)


def _clip(count: int = COUNT, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    y, x = np.mgrid[: size[0], : size[1]]
    shots = [np.stack([110 + 70 * np.sin((x + 2 * t + 9 * c) / 9 + y / 7) for c in range(3)], -1) for t in range(count)]
    return np.stack(shots).astype(np.uint8)


def _pictures(folder: Path) -> NDArray[np.uint8]:
    found = [read_image(file)[0].transpose(1, 2, 0) for file in sorted(folder.iterdir())]
    return np.stack(found).astype(np.uint8)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    for number, frame in enumerate(_clip()):
        write_png(tmp_path / "clean" / f"{number}.png", frame)
    return tmp_path / "clean"


def test_pictures_are_what_the_camera_filmed(clean: Path, tmp_path: Path) -> None:
    simulate(clean, tmp_path / "noisy", peak=100.0, rows=2.0, dsnu=1.0, seed=3, clean=tmp_path / "truth")
    expected = film(Camera(peak=100.0, rows=2.0, dsnu=1.0), _clip(), 3)
    np.testing.assert_array_equal(_pictures(tmp_path / "noisy"), expected)
    np.testing.assert_array_equal(_pictures(tmp_path / "truth"), _clip())


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("hevc", ".mp4"), ("hevc", ".mkv")])
def test_a_video_is_the_filmed_frames_through_its_codec(clean: Path, tmp_path: Path, codec: str, suffix: str) -> None:
    """At the best quality but for chroma of half the size; a worse one leaves less."""
    target = tmp_path / f"noisy{suffix}"
    simulate(clean, target, codec=codec, quality=1, peak=1000.0, rate=30.0)
    found = np.stack(list(open_clean(target).frames()))
    filmed = film(Camera(peak=1000.0), _clip(), 0).astype(float)
    luma = np.array([0.2126, 0.7152, 0.0722])
    assert np.abs((found - filmed) @ luma).mean() < 1.5
    assert np.abs((found - filmed).mean((0, 1, 2))).max() < 0.3
    with av.open(str(target)) as video:
        frame: Any = next(video.decode(video=0))
        stream = video.streams.video[0]
        assert (frame.format.name, int(frame.color_range), int(frame.colorspace)) == ("yuv420p", 1, 1)
        assert (stream.codec_context.name, stream.average_rate) == (codec, Fraction(30))
    simulate(clean, tmp_path / f"bad{suffix}", codec=codec, quality=40, peak=1000.0)
    assert (tmp_path / f"bad{suffix}").stat().st_size < 0.5 * target.stat().st_size


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("hevc", ".mkv")])
def test_the_same_frames_are_the_same_bytes_on_any_number_of_cores(tmp_path: Path, codec: str, suffix: str) -> None:
    filmed = film(Camera(peak=100.0), _clip(12), 0)
    cores = os.sched_getaffinity(0)
    made = []
    for number, allowed in enumerate((cores, {min(cores)})):
        os.sched_setaffinity(0, allowed)
        try:
            encode(tmp_path / f"{number}{suffix}", filmed, codec, 20, Fraction(25), suffix)
        finally:
            os.sched_setaffinity(0, cores)
        made.append((tmp_path / f"{number}{suffix}").read_bytes())
    assert made[0] == made[1]


def _stack(place: Path) -> Path:
    tifffile.imwrite(place / "clean.tif", _clip()[..., 0], photometric="minisblack", metadata={"axes": "TYX"})
    return place / "clean.tif"


def _video(place: Path) -> Path:
    with av.open(str(place / "clean.mkv"), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=12)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "bgr0"
        for frame in _clip():
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        out.mux(stream.encode(None))
    return place / "clean.mkv"


def _picture(place: Path) -> Path:
    write_png(place / "one.png", _clip()[0])
    return place / "one.png"


@pytest.mark.parametrize(
    ("make", "expected"), [(_stack, _clip()[..., 0]), (_video, _clip()), (_picture, _clip()[:1])], ids=lambda one: ""
)
def test_footage_of_every_kind_is_filmed(
    tmp_path: Path, make: Callable[[Path], Path], expected: NDArray[np.uint8]
) -> None:
    source = make(tmp_path)
    np.testing.assert_array_equal(np.stack(list(open_clean(source).frames())), expected)
    simulate(source, tmp_path / "noisy", frames=2)
    noisy = _pictures(tmp_path / "noisy")
    filmed = film(Camera(peak=300.0), expected[:2], 0)
    np.testing.assert_array_equal(noisy, filmed.reshape(noisy.shape))


def test_odd_sizes_lose_a_row_and_a_column_for_a_codec(tmp_path: Path) -> None:
    for number, frame in enumerate(_clip(size=(33, 47))):
        write_png(tmp_path / "clean" / f"{number}.png", frame)
    simulate(tmp_path / "clean", tmp_path / "noisy.mp4", clean=tmp_path / "truth")
    assert open_clean(tmp_path / "noisy.mp4").size == (32, 46)
    np.testing.assert_array_equal(_pictures(tmp_path / "truth"), _clip(size=(33, 47))[:, :32, :46])


@pytest.mark.parametrize("size", [(1, 1), (15, 40), (40, 15)])
def test_frames_that_no_encoder_takes_are_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    write_png(tmp_path / "clean" / "0.png", _clip(1, size)[0])
    with pytest.raises(ValueError, match=f"found {size[1]} x {size[0]} px, expected at least 16 px each way"):
        simulate(tmp_path / "clean", tmp_path / "noisy.mp4", codec="hevc")


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("out.webm", {}, r"out\.webm: found suffix '\.webm', expected one of \.mkv, \.mov, \.mp4, or --codec none"),
        ("out.mp4", {"codec": "none"}, r"found suffix '\.mp4' with --codec none, expected the name of a folder"),
        ("out.mp4", {"codec": "vp9"}, r"codec: found 'vp9', expected h264, hevc or none"),
        ("out.mp4", {"quality": 60}, r"quality: found 60, expected 0 to 51"),
        ("out", {"read": -1.0}, r"camera\.read: found -1\.0, expected greater than or equal to 0"),
        ("clean", {}, r"clean: found the input itself, expected another path for the output"),
        ("clean/out", {}, r"one within the other, expected them apart"),
        ("there", {}, r"there: found it there already, expected a new name, or --overwrite"),
        ("there", {"overwrite": True}, r"there: found mine\.txt in it, expected a folder of frames"),
        ("out", {"axes": "TYX"}, r"axes: found 'TYX' for .*clean, expected none"),
    ],
)
def test_what_cannot_be_written_is_told_before_any_work(
    clean: Path, tmp_path: Path, output: str, options: dict[str, Any], message: str
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=message):
        simulate(clean, tmp_path / output, **options)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_left_of_footage_that_ends_in_an_error(clean: Path, tmp_path: Path) -> None:
    write_png(clean / "9.png", _clip(1, (48, 66))[0])
    for output in ("noisy", "noisy.mp4"):
        with pytest.raises(ValueError, match=r"found 66 x 48 pixels of 3 values in frame 4, expected 64 x 48"):
            simulate(clean, tmp_path / output, clean=tmp_path / "truth")
    assert [item.name for item in tmp_path.iterdir()] == ["clean"]


def test_a_former_result_is_replaced_if_asked(clean: Path, tmp_path: Path) -> None:
    simulate(clean, tmp_path / "noisy")
    simulate(clean, tmp_path / "noisy", frames=2, seed=1, overwrite=True)
    np.testing.assert_array_equal(_pictures(tmp_path / "noisy"), film(Camera(peak=300.0), _clip(2), 1))
