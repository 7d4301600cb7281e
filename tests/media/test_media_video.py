"""Videos: sound, times, turn and colour come through; killed and resumed they end in the same bytes."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.media import video
from self2align.sources.source import Selection
from self2align.sources.video import Video
from self2align.stores.codes import VIDEO
from tests.media.running import KilledError, Run

SIZE = (48, 64)  # height, width
QUARTER = [0, 65536, 0, -65536, 0, 0, 0, 0, 1073741824]  # a phone held upright


def _frames(count: int) -> list[NDArray[np.uint8]]:
    """Waves of three colours that move."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return [
        np.stack([100 + 60 * np.sin((x + 2 * t + 9 * c) / 9 + y / 7) for c in range(3)], -1).astype(np.uint8)
        for t in range(count)
    ]


def _write(
    path: Path,
    count: int,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    times: list[int] | None = None,
    sound: bool = False,
    turned: bool = False,
) -> None:
    """Write a video of 30 frames a second, in ticks of 1/600 s."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=30, options=options or {"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], pixels
        stream.codec_context.time_base = stream.time_base = Fraction(1, 600)
        stream.codec_context.color_range, stream.codec_context.colorspace = 1, 1
        stream.codec_context.color_primaries = stream.codec_context.color_trc = 1
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        if turned:
            stream.set_display_matrix(QUARTER)
        out.metadata["title"] = "of a test"
        audio: Any = out.add_stream("aac", rate=8000, layout="mono") if sound else None
        for number, picture in enumerate(_frames(count)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=pixels, dst_colorspace=1, dst_color_range=1
            )
            frame.pts, frame.time_base = (times or range(0, 20 * count, 20))[number], Fraction(1, 600)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if audio is not None:
            tone = np.sin(np.arange(8000 * count // 30) / 5).astype(np.float32)[None]
            note: Any = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            note.sample_rate, note.pts = 8000, 0
            out.mux([*audio.encode(note), *audio.encode(None)])


def _read(path: Path) -> tuple[list[Any], NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return frames, np.stack([frame.to_ndarray(format="rgb24") for frame in frames])


def _packets(path: Path, kind: str) -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [(packet.pts, bytes(packet)) for packet in container.demux(stream) if packet.size]


def test_sound_times_turn_colour_and_title_are_kept(tmp_path: Path, rgb: Run) -> None:
    # Neither regular nor a multiple of a segment.
    times = [20 * number + (number % 3) for number in range(31)]
    _write(tmp_path / "in.mp4", 31, times=times, sound=True, turned=True)
    rgb(tmp_path / "in.mp4", tmp_path / "out.mp4")
    (before, pixels), (after, clean) = _read(tmp_path / "in.mp4"), _read(tmp_path / "out.mp4")
    assert [frame.time for frame in after] == [frame.time for frame in before]
    assert np.frombuffer(after[0].side_data.get("DISPLAYMATRIX"), np.int32).tolist() == QUARTER
    for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
        assert getattr(after[0], name) == getattr(before[0], name) == 1
    assert after[0].format.name == "yuv420p"
    assert np.abs(clean.astype(int) - pixels).mean() < 2
    assert _packets(tmp_path / "out.mp4", "audio") == _packets(tmp_path / "in.mp4", "audio")
    with av.open(str(tmp_path / "in.mp4")) as one, av.open(str(tmp_path / "out.mp4")) as other:
        assert other.metadata["title"] == "of a test"
        assert other.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        rates = [container.streams.video[0].average_rate for container in (one, other)]
        assert None not in rates
        assert rates[1] == pytest.approx(rates[0], rel=0.01)
        assert other.duration == pytest.approx(one.duration, rel=0.01)
    assert len(rgb.seen) == 31


@pytest.mark.parametrize(
    ("pixels", "suffix", "codec", "expected"),
    [
        ("yuv420p", "mkv", "ffv1", "yuv420p"),
        ("yuv444p", "mkv", "libx264", "yuv444p"),
        ("yuv420p10le", "mp4", "libx265", "yuv420p10le"),
        ("yuv420p10le", "mov", "prores_ks", "yuv422p10le"),
        ("yuv420p", "webm", None, "yuv420p"),
        ("gray", "mkv", "ffv1", "gray"),
    ],
)
def test_codecs_and_depths(
    tmp_path: Path, rgb: Run, pixels: str, suffix: str, codec: str | None, expected: str
) -> None:
    _write(tmp_path / "in.mkv", 5, codec="ffv1", pixels=pixels, options={})
    rgb(tmp_path / "in.mkv", tmp_path / f"out.{suffix}", codec=codec)
    (before, noisy), (after, clean) = _read(tmp_path / "in.mkv"), _read(tmp_path / f"out.{suffix}")
    assert after[0].format.name == expected
    assert [frame.time for frame in after] == pytest.approx([frame.time for frame in before], abs=0.001)
    assert np.abs(clean.astype(int) - noisy).mean() < 2


# Footage to train on is rounded to half a step of its code; RGB is not rounded.
@pytest.mark.parametrize(
    ("pixels", "within"),
    [("yuv420p", VIDEO.scale / 2), ("yuv422p", VIDEO.scale / 2), ("yuv444p10le", VIDEO.scale / 2), ("gbrp10le", 0.0)],
)
def test_frames_are_seen_as_footage_to_train_on_is(tmp_path: Path, rgb: Run, pixels: str, within: float) -> None:
    _write(tmp_path / "in.mkv", 2, codec="ffv1", pixels=pixels, options={})
    rgb(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="ffv1")
    (scene,) = Video(tmp_path / "in.mkv", Selection()).read("in.mkv")
    expected = scene.coding.decode(scene.frames)
    np.testing.assert_allclose(np.stack(rgb.seen), expected, rtol=0, atol=1.01 * within)


@pytest.mark.parametrize(("pixels", "step"), [("gray", 1), ("gray16le", 257)])
def test_gray_that_tells_no_range_keeps_its_levels(tmp_path: Path, run: Run, pixels: str, step: int) -> None:
    levels = np.broadcast_to(np.arange(256)[:, None], (256, 64))
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 256, pixels
        codes: Any = (step * levels).astype(np.uint8 if step == 1 else np.uint16)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(codes, format=pixels)))
        out.mux(stream.encode(None))
    run(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert np.abs(_read(tmp_path / "out.mkv")[1][0, ..., 1].astype(int) - levels).max() <= 1


def test_white_scales_what_the_network_sees(tmp_path: Path, rgb: Run) -> None:
    _write(tmp_path / "in.mkv", 2, codec="ffv1", pixels="yuv444p", options={})
    rgb(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="ffv1")
    plain = np.stack(rgb.seen)
    rgb.seen.clear()
    rgb(tmp_path / "in.mkv", tmp_path / "dim.mkv", codec="ffv1", white=63)
    np.testing.assert_allclose(np.stack(rgb.seen), plain * 255 / 63, rtol=1e-6)
    np.testing.assert_array_equal(_read(tmp_path / "dim.mkv")[1], _read(tmp_path / "out.mkv")[1])


def test_killed_and_resumed_it_ends_in_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "SEGMENT", 6)
    _write(tmp_path / "in.mp4", 20, sound=True)
    whole = Run(channels=3, identity=False)
    whole(tmp_path / "in.mp4", tmp_path / "whole.mkv")
    killed = Run(channels=3, identity=False, killed_after=15)
    with pytest.raises(KilledError):
        killed(tmp_path / "in.mp4", tmp_path / "out.mkv")
    assert not (tmp_path / "out.mkv").exists()
    resumed = Run(channels=3, identity=False)
    resumed(tmp_path / "in.mp4", tmp_path / "out.mkv")
    assert len(resumed.seen) == 20 - 12, "two segments of six were finished"
    assert (tmp_path / "out.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mkv", "whole.mkv"]


def _cut(path: Path) -> Path:
    _write(path / "in.mkv", 20, codec="ffv1", options={})
    data = (path / "in.mkv").read_bytes()
    (path / "in.mkv").write_bytes(data[: len(data) // 2])
    return path / "in.mkv"


def _empty(path: Path) -> Path:
    (path / "in.mp4").touch()
    return path / "in.mp4"


def _text(path: Path) -> Path:
    (path / "in.mp4").write_text("not a video")
    return path / "in.mp4"


def _growing(path: Path) -> Path:
    # A bare stream has no header: two of different sizes in one file play one after the other.
    data = b""
    for size in ((48, 64), (64, 96)):
        with av.open(str(path / "part"), "w", format="mpeg2video") as out:
            stream: Any = out.add_stream("mpeg2video", rate=25)
            stream.height, stream.width = size
            for number in range(3):
                frame = av.VideoFrame.from_ndarray(np.zeros((*size, 3), np.uint8), format="rgb24")
                frame.pts = number
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        data += (path / "part").read_bytes()
    (path / "part").unlink()
    (path / "in.mpg").write_bytes(data)
    return path / "in.mpg"


def _sound_alone(path: Path) -> Path:
    with av.open(str(path / "in.mp4"), "w") as out:
        audio: Any = out.add_stream("aac", rate=8000, layout="mono")
        note: Any = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        note.sample_rate = 8000
        out.mux([*audio.encode(note), *audio.encode(None)])
    return path / "in.mp4"


def _with_alpha(path: Path) -> Path:
    with av.open(str(path / "in.mkv"), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "bgra"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 4), np.uint8), format="bgra")))
        out.mux(stream.encode(None))
    return path / "in.mkv"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_cut, r"in\.mkv: found \d+ frames until 0\.\d+ s, expected them until 0\.66\d s, as the file says"),
        (_empty, r"in\.mp4: found no bytes, expected a video"),
        (_text, r"in\.mp4: found .* after 0 frames \(11 bytes\), expected a video whole to its end"),
        (_growing, r"in\.mpg: found 96 x 64 pixels of yuv420p in frame \d, expected 64 x 48 pixels of yuv420p"),
        (_sound_alone, r"in\.mp4: found no video stream \(audio\), expected one"),
        (_with_alpha, r"in\.mkv: found pixels of bgra, expected a video without alpha"),
    ],
)
def test_what_cannot_be_denoised_is_refused_in_one_line(tmp_path: Path, rgb: Run, make: Any, message: str) -> None:
    source = make(tmp_path)
    with pytest.raises(ValueError, match=message) as told:
        rgb(source, tmp_path / "out.mkv")
    assert "\n" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_choices_that_no_encoder_or_container_takes_are_refused(tmp_path: Path, rgb: Run) -> None:
    _write(tmp_path / "in.mp4", 3, sound=True)
    with pytest.raises(ValueError, match=r"codec: found 'h265', expected one of ffv1, libsvtav1, libvpx-vp9, libx264"):
        rgb(tmp_path / "in.mp4", tmp_path / "out.mp4", codec="h265")
    with pytest.raises(ValueError, match=r"out\.gif: found suffix '\.gif', expected one of \.m4v, \.mkv, "):
        rgb(tmp_path / "in.mp4", tmp_path / "out.gif")
    with pytest.raises(ValueError, match=r"out\.webm: found .*aac.*, expected another codec or container"):
        rgb(tmp_path / "in.mp4", tmp_path / "out.webm")
    with pytest.raises(ValueError, match=r"out\.webm: found .*libx264.*, expected another codec or container"):
        rgb(tmp_path / "in.mp4", tmp_path / "out.webm", codec="libx264")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
