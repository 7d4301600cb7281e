"""Shots are found where they were put, and frames come out as they went in."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.sources.cuts import HEIGHT, WIDTH, find_shots
from self2align.sources.source import Selection
from self2align.sources.video import Video
from self2align.videos.decoding import decode

Frames = NDArray[Any]


def _clip(length: int, seed: int, dtype: type = np.uint8, channels: int = 3) -> Frames:
    """Return a texture that moves by (2, 1) px a frame, ``(T, 48, 64, channels)``."""
    white = np.iinfo(dtype).max
    noise = np.random.default_rng(seed).random((160, 160, channels), dtype=np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 5.0).reshape(noise.shape)
    texture = (texture - texture.min()) / (texture.max() - texture.min()) * white
    return np.stack([texture[t : t + 48, 2 * t : 2 * t + 64] for t in range(length)]).astype(dtype)


def _write(
    path: Path, frames: Iterable[Frames], layout: str, pixel: str, times: Callable[[int], int] = lambda number: number
) -> None:
    """Write a lossless video; ``times`` are those of its frames, in 25ths of a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel
        for number, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=layout).reformat(format=pixel)
            frame.pts, frame.time_base = times(number), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _thumbnails(frames: Frames) -> list[NDArray[np.uint8]]:
    return [cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8) for frame in frames]


def test_frames_and_cut_of_a_lossless_video(tmp_path: Path) -> None:
    truth = np.concatenate([_clip(9, 1), _clip(7, 2)])
    _write(tmp_path / "trip" / "day 1.mkv", truth, "rgb24", "bgr0")
    source = Video(tmp_path, Selection())
    assert source.units() == ["trip/day 1.mkv"]
    first, second = source.read("trip/day 1.mkv")
    assert (first.name, second.name) == ("trip/day 1/000", "trip/day 1/001")
    assert (first.white, first.frames.dtype.name) == (255.0, "uint8")
    np.testing.assert_array_equal(first.frames, truth[:9].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(second.frames, truth[9:].transpose(0, 3, 1, 2))


def test_step_max_frames_and_glob_apply_within_a_scene(tmp_path: Path) -> None:
    truth = np.concatenate([_clip(9, 1), _clip(7, 2), _clip(6, 3)])
    _write(tmp_path / "a.mkv", truth, "rgb24", "bgr0")
    source = Video(tmp_path / "a.mkv", Selection(glob=["a/001"], step=3, max_frames=2))
    assert source.units() == ["a.mkv"]
    (scene,) = source.read("a.mkv")
    assert scene.name == "a/001"
    np.testing.assert_array_equal(scene.frames, truth[[9, 12]].transpose(0, 3, 1, 2))


def test_10_bits_stay_deep(tmp_path: Path) -> None:
    truth = np.concatenate([_clip(5, 1, np.uint16), _clip(5, 2, np.uint16)])
    _write(tmp_path / "a.mkv", truth, "rgb48le", "gbrp10le")
    scenes = list(Video(tmp_path, Selection()).read("a.mkv"))
    assert [scene.frames.shape[0] for scene in scenes] == [5, 5]
    assert (scenes[0].frames.dtype.name, scenes[0].white) == ("uint16", 65535.0)
    frames = np.concatenate([scene.frames for scene in scenes]).astype(float)
    # A level of 10 bits is 64 of 16; one for writing, one for reading.
    assert np.abs(frames - truth.transpose(0, 3, 1, 2)).max() <= 128
    assert np.unique(frames).size > 256


@pytest.mark.parametrize(("layout", "dtype", "white"), [("gray", np.uint8, 255), ("gray16le", np.uint16, 65535)])
def test_gray_stays_gray(tmp_path: Path, layout: str, dtype: type, white: int) -> None:
    truth = _clip(4, 1, dtype, channels=1)[..., 0]
    truth[0, 0, 0] = white
    _write(tmp_path / "a.mkv", truth, layout, layout)
    (scene,) = Video(tmp_path, Selection(color="gray")).read("a.mkv")
    assert (scene.frames.dtype.name, scene.white) == (np.dtype(dtype).name, white)
    np.testing.assert_array_equal(scene.frames[:, 0], truth)


def test_memory_is_one_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "a.mkv", _clip(40, 1), "rgb24", "bgr0")
    allocated = []
    original = np.empty

    def empty(shape: Any, *args: Any, **kwargs: Any) -> Any:
        allocated.append(shape)
        return original(shape, *args, **kwargs)

    monkeypatch.setattr("self2align.sources.video.np.empty", empty)
    (scene,) = Video(tmp_path, Selection(max_frames=3)).read("a.mkv")
    assert scene.frames.shape == (3, 3, 48, 64)
    assert [shape for shape in allocated if len(shape) == 4] == [(3, 3, 48, 64)]


@pytest.mark.parametrize("sigma", [0.0, 25.0])
def test_cuts_are_found_and_motion_is_none(sigma: float) -> None:
    clips = [_clip(length, seed) for seed, length in enumerate([20, 3, 15, 8])]
    truth = np.concatenate(clips).astype(np.float32)
    # As large as a small video, where noise averages out over the thumbnail.
    large = np.repeat(np.repeat(truth, 3, axis=1), 3, axis=2)
    noisy = np.clip(large + np.random.default_rng(0).normal(0.0, sigma, large.shape), 0, 255)
    assert find_shots(_thumbnails(noisy.astype(np.uint8))) == [(0, 20), (20, 23), (23, 38), (38, 46)]


def test_dissolve_is_split_and_flash_is_not() -> None:
    first, second = _clip(45, 1).astype(np.float32), _clip(45, 2).astype(np.float32)
    weight = (np.arange(1, 13) / 13.0)[:, None, None, None]
    # Still pictures under the dissolve; moving ones are found in most cases only (86 % of pairs of DAVIS).
    blend = first[20] * (1 - weight) + second[0] * weight
    dissolved = np.concatenate([first[:20], blend, second[:20]])
    (_, middle), (_, end) = find_shots(_thumbnails(dissolved.astype(np.uint8)))
    assert 20 <= middle <= 32
    assert end == len(dissolved)
    lit = first * 0.5
    lit[20:22] = lit[20:22] * 1.5 + 60
    assert find_shots(_thumbnails(lit.astype(np.uint8))) == [(0, 45)]


def test_an_inserted_shot_is_no_flash() -> None:
    frames = _clip(30, 1) // 2
    frames[12:14] = _clip(2, 2) // 2 + 100
    assert find_shots(_thumbnails(frames)) == [(0, 12), (12, 14), (14, 30)]


def test_flat_and_empty_videos_have_shots() -> None:
    black, white = np.zeros((5, 48, 64, 3), np.uint8), np.full((4, 48, 64, 3), 255, np.uint8)
    assert find_shots(_thumbnails(np.concatenate([black, white]))) == [(0, 5), (5, 9)]
    assert find_shots(_thumbnails(black[:1])) == [(0, 1)]


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none: found nothing"):
        Video(tmp_path / "none", Selection()).units()
    with pytest.raises(ValueError, match="found no videos"):
        Video(tmp_path, Selection()).units()
    (tmp_path / "a.mp4").touch()
    with pytest.raises(ValueError, match=r"a\.mp4: found no bytes, expected a video"):
        list(Video(tmp_path, Selection()).read("a.mp4"))
    with pytest.raises(ValueError, match=r"found no scene for glob \['b/\*'\].*\(a/000\)"):
        Video(tmp_path, Selection(glob=["b/*"])).units()
    (tmp_path / "a.mkv").touch()
    with pytest.raises(ValueError, match="found another video of that name"):
        Video(tmp_path, Selection()).units()


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match=r"a\.mkv: found no video stream \(audio\)"):
        list(Video(tmp_path, Selection()).read("a.mkv"))


def test_a_corrupt_video_says_how_far_it_got(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    _write(path, _clip(20, 1), "rgb24", "bgr0")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(0).integers(0, 256, 400, dtype=np.uint8).tobytes()
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"a\.mkv: found .* after \d+ frames \(\d+ bytes\), .*; --skip-damaged"):
        list(decode(path))


@pytest.mark.parametrize(("begin", "kept"), [(0, 0.5), (0, 0.92), (250, 0.5)])
def test_a_matroska_file_that_is_cut_short_is_refused(tmp_path: Path, begin: int, kept: float) -> None:
    _write(tmp_path / "a.mkv", [*_clip(45, 1), *_clip(45, 2)], "rgb24", "bgr0", lambda number: begin + number)
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: int(kept * len(whole))])
    end = (begin + 90) / 25
    message = (
        rf"a\.mkv: found \d+ frames until \d+\.\d+ s, expected them until {end:.3f} s, as the file says; --skip-damaged"
    )
    with pytest.raises(ValueError, match=message):
        list(Video(tmp_path / "a.mkv", Selection()).read("a.mkv"))


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize(
    "times", [lambda at: at, lambda at: 250 + at, lambda at: at * at], ids=["even", "late", "slower"]
)
def test_what_is_whole_is_taken_whenever_its_frames_are_shown(
    tmp_path: Path, suffix: str, count: int, times: Callable[[int], int]
) -> None:
    _write(tmp_path / f"a.{suffix}", _clip(count, 1), "rgb24", "bgr0", times)
    assert sum(frame.width == 64 for frame in decode(tmp_path / f"a.{suffix}")) >= count


def _lit(kind: str, count: int) -> tuple[Frames, Frames]:
    """Return gain and offset of every frame under a light of that kind, ``(T, 1)`` or of each channel."""
    t, draw = np.arange(count)[:, None], np.random.default_rng(0)
    dark = t % 7 == 3
    gain, offset = {
        "random": (1 + draw.uniform(-0.2, 0.2, t.shape), 0 * t),
        "mains": (1 + 0.2 * np.sin(2 * np.pi * t / 7.3), 0 * t),
        "fast mains": (1 + 0.3 * np.sin(2 * np.pi * t / 2.3), 0 * t),
        "every seventh dark": (np.where(dark, 0.3, 1.0), 0 * t),
        "every other dark": (np.where(t % 2, 0.6, 1.0), 0 * t),
        "gain and offset": (1 + draw.uniform(-0.2, 0.2, t.shape), draw.uniform(-15, 15, t.shape)),
        "color": (1 + draw.uniform(-0.12, 0.12, (count, 3)), 0 * t),
        "rising": (0.25 + 0.75 * (t % 20) / 20, 0 * t),
        "stepping": (np.where(t // 15 % 2, 0.55, 1.0), 0 * t),
        "flash": (np.where(dark, 1.1, 0.7), np.where(dark, 40.0, 0.0)),
    }[kind]
    return gain, offset


@pytest.mark.parametrize(
    "kind",
    "random,mains,fast mains,every seventh dark,every other dark,gain and offset,color,rising,stepping,flash".split(
        ","
    ),
)
def test_light_that_flickers_is_no_cut_and_hides_none(kind: str) -> None:
    truth = 20 + 0.7 * np.concatenate([_clip(40, 1), _clip(23, 2)]).astype(np.float32)
    gain, offset = (one[:, None, None, :] for one in _lit(kind, len(truth)))
    lit = np.clip(truth * gain + offset, 0, 255)
    assert find_shots(_thumbnails(np.rint(lit).astype(np.uint8))) == [(0, 40), (40, 63)]
