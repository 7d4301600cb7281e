"""What a video says beside its pixels comes through, or a line says that it does not."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from self2align.media.medium import Choices
from self2align.media.run import open_media
from self2align.media.staging import asked
from self2align.media.video import VideoFile
from self2align.videos.decoding import decode
from self2align.videos.tags import chroma_location
from tests.media.running import Run
from tests.videos.making import add_stream, encode, spoil, texture, write

PHONE = {
    "com.android.capture.fps": "240.000000",
    "com.apple.quicktime.make": "Someone",
    "com.apple.quicktime.location.ISO6709": "+10.0000+020.0000+030.000/",
    "creation_time": "2023-05-09T11:48:30.000000Z",
    "title": "of a test",
}


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_tags_of_phones_are_kept(tmp_path: Path, rgb: Run, suffix: str) -> None:
    with av.open(str(tmp_path / "in.mov"), "w", container_options={"movflags": "use_metadata_tags"}) as out:
        out.metadata.update(PHONE)
        encode(out, add_stream(out, "libx264"), texture(3))
    rgb(tmp_path / "in.mov", tmp_path / f"out.{suffix}")
    with av.open(str(tmp_path / f"out.{suffix}")) as made:
        found = {name.lower(): text for name, text in made.metadata.items()}
    assert {name: found.get(name.lower()) for name in PHONE} == PHONE


@pytest.mark.parametrize(("codec", "order", "name"), [("libx264", 2, "tff"), ("libx264", 3, "bff"), ("ffv1", 2, "")])
def test_the_order_of_fields_is_kept(tmp_path: Path, rgb: Run, codec: str, order: int, name: str) -> None:
    params = {"x264-params": f"{'bff' if order == 3 else 'tff'}=1"}
    write(tmp_path / "in.mp4", "libx264", 3, options=params)
    rgb(tmp_path / "in.mp4", tmp_path / "out.mkv", codec=codec)
    (note,) = rgb.notes
    assert "its fields are interlaced, and are denoised and written as whole frames; their order is kept" in note
    with av.open(str(tmp_path / "out.mkv")) as made:
        stream: Any = made.streams.video[0]
        assert stream.codec_context.field_order == order
        assert next(made.decode(stream)).interlaced_frame == (codec == "libx264")


@pytest.mark.parametrize(("codec", "kept"), [("libx264", True), ("libx265", True), ("libvpx-vp9", False)])
def test_where_chroma_lies_is_written_or_named(tmp_path: Path, rgb: Run, codec: str, kept: bool) -> None:
    write(tmp_path / "in.mp4", "libx264", 3, options={"chroma_sample_location": "topleft"})
    assert chroma_location(tmp_path / "in.mp4", 0) == 3
    rgb(tmp_path / "in.mp4", tmp_path / "out.mkv", codec=codec)
    assert chroma_location(tmp_path / "out.mkv", 0) == (3 if kept else 0)
    lost = [f"{tmp_path / 'in.mp4'}: not written: that its chroma samples lie at the top left"]
    assert rgb.notes == ([] if kept else lost)


@pytest.mark.parametrize("first", [1, 2, 61])
def test_the_time_of_the_first_frame_is_exact(tmp_path: Path, rgb: Run, first: int) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        stream = add_stream(out, "libx264")
        for number, frame in enumerate(texture(4)):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
            picture.pts = first + number
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    for suffix in ("mp4", "mkv"):
        rgb(tmp_path / "in.mkv", tmp_path / f"out.{suffix}")
        times = [frame.time for frame in decode(tmp_path / f"out.{suffix}")]
        assert times == pytest.approx([frame.time for frame in decode(tmp_path / "in.mkv")], abs=1e-9)


def test_damaged_frames_are_refused_before_the_work_or_left_out(tmp_path: Path, rgb: Run) -> None:
    source = tmp_path / "in.mp4"
    write(source, "libx264", 60, options={"g": "12"})
    spoil(source, 20, "zeros")
    with pytest.raises(ValueError, match=r"in\.mp4: found .*; --skip-damaged"):
        rgb(source, tmp_path / "out.mp4")
    assert rgb.seen == []
    rgb(source, tmp_path / "out.mp4", skip_damaged=True)
    (note,) = rgb.notes
    assert "left out: " in note
    assert "until 0.800 s" in note
    kept = [frame.time for frame in decode(tmp_path / "out.mp4")]
    assert len(kept) == len(rgb.seen) < 60
    steps = np.round(30 * np.diff(kept)).astype(int)
    assert sorted(set(steps.tolist())) == [1, 60 - len(kept) + 1]


def test_the_check_before_the_work_shows_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for name in "ab":
        write(tmp_path / "videos" / f"{name}.mkv", "ffv1", 7)
    shown: list[tuple[int, int]] = []
    one = str(tmp_path / "videos" / "a.mkv")
    open_media(asked(one, tmp_path / "out.mkv", False), Choices(3), lambda done, total: shown.append((done, total)))
    assert shown == [(number, 7) for number in range(1, 8)]
    shown.clear()
    every = str(tmp_path / "videos")
    open_media(asked(every, tmp_path / "out", False), Choices(3), lambda done, total: shown.append((done, total)))
    assert shown == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libvpx-vp9"), ("mkv", "ffv1"), ("mov", "prores_ks"), ("webm", None)]
)
def test_odd_sides_are_refused_with_what_takes_them(tmp_path: Path, rgb: Run, suffix: str, codec: str | None) -> None:
    write(tmp_path / "in.mkv", "ffv1", 3, size=(49, 65))
    if codec:
        with pytest.raises(
            ValueError, match="found 65 x 49 pixels of yuv420p, expected even sides for libx264"
        ) as told:
            VideoFile(tmp_path / "in.mkv", tmp_path / f"out.{suffix}", Choices(3))
        assert codec in str(told.value)
    rgb(tmp_path / "in.mkv", tmp_path / f"out.{suffix}", codec=codec)
    frame = next(decode(tmp_path / f"out.{suffix}"))
    assert (frame.height, frame.width) == (49, 65)


def test_sound_that_no_container_holds_is_refused_with_what_to_do(tmp_path: Path, rgb: Run) -> None:
    with av.open(str(tmp_path / "in.mp4"), "w") as out:
        stream, audio = add_stream(out, "libx264"), out.add_stream("aac", rate=8000, layout="mono")
        encode(out, stream, texture(3))
        note: Any = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.float32), format="fltp", layout="mono")
        note.sample_rate, note.pts = 8000, 0
        out.mux([*audio.encode(note), *audio.encode(None)])
    with pytest.raises(ValueError, match=r"sound of codec aac, which \.webm does not hold; \.mkv holds more"):
        rgb(tmp_path / "in.mp4", tmp_path / "out.webm")


def test_a_name_of_255_bytes_is_written(tmp_path: Path, rgb: Run) -> None:
    write(tmp_path / "in.mkv", "ffv1", 3)
    (tmp_path / "to:there").mkdir()
    rgb(tmp_path / "in.mkv", tmp_path / "to:there" / ("ä" * 125 + "x.mkv"))
    (made,) = (tmp_path / "to:there").iterdir()
    assert len(made.name.encode()) == 255
    assert len(list(decode(made))) == 3
