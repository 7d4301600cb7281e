"""Damage is refused, or left out with all that refers to it."""

from pathlib import Path

import numpy as np
import pytest

from self2align.sources.source import Selection
from self2align.sources.video import Video
from self2align.videos.decoding import Damage, decode
from self2align.videos.timing import look_through
from tests.videos.making import spoil, write

# Codecs that tell when a packet is damaged: by their syntax, or by a checksum.
CASES = [
    ("a.mp4", "libx264", "zeros", {"g": "12"}),
    ("a.mkv", "libx264", "zeros", {"g": "12"}),
    ("a.mp4", "libx265", "zeros", {"g": "12", "x265-params": "log-level=none"}),
    ("a.webm", "libvpx-vp9", "zeros", {"g": "12", "deadline": "realtime", "cpu-used": "8"}),
    ("a.avi", "mpeg4", "noise", {"g": "12"}),
    ("a.avi", "mjpeg", "zeros", {}),
    ("a.mkv", "ffv1", "noise", {"level": "3", "slicecrc": "1", "g": "1"}),
]


@pytest.mark.parametrize(("name", "codec", "kind", "options"), CASES)
def test_what_is_damaged_is_left_out_and_the_rest_is_as_it_was(
    tmp_path: Path, name: str, codec: str, kind: str, options: dict[str, str]
) -> None:
    path = tmp_path / name
    write(path, codec, 40, pixels="yuvj420p" if codec == "mjpeg" else "yuv420p", options=options)
    whole = {time: frame.to_ndarray() for time, frame in zip(look_through(path, None).times, decode(path), strict=True)}
    spoil(path, 20, kind)
    with pytest.raises(ValueError, match=r"found .* after \d+ frames .*; --skip-damaged, or skip_damaged: true"):
        list(decode(path))
    damage = Damage()
    times = look_through(path, damage).times
    kept = list(decode(path, Damage()))
    assert 25 <= len(kept) == len(times) < 40
    for time, frame in zip(times, kept, strict=True):
        np.testing.assert_array_equal(frame.to_ndarray(), whole[time])
    ((at, note),) = damage.gaps
    assert 16 <= at <= 20
    assert f"from 0.{round(at * 1000 / 30):03d} s"[:8] in note or "from 0.6" in note
    assert damage.notes == (note,)


def test_a_gap_ends_a_scene(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", "libx264", 40, options={"g": "12"})
    spoil(tmp_path / "a.mp4", 20, "zeros")
    with pytest.raises(ValueError, match="skip_damaged: true"):
        list(Video(tmp_path / "a.mp4", Selection()).read("a.mp4"))
    first, second = Video(tmp_path / "a.mp4", Selection(skip_damaged=True)).read("a.mp4")
    assert (len(first.frames) + len(second.frames), first.lost) == (len(list(decode(tmp_path / "a.mp4", Damage()))), ())
    assert "until 0.800 s: " in second.lost[0]


def test_an_end_that_is_missing_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.mkv", "ffv1", 30)
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(data[: len(data) // 2])
    damage = Damage()
    frames = list(decode(tmp_path / "a.mkv", damage))
    assert 5 < len(frames) < 25
    assert damage.gaps == []
    assert "its end: found" in damage.notes[-1]
    (scene,) = Video(tmp_path / "a.mkv", Selection(skip_damaged=True)).read("a.mkv")
    assert scene.lost == damage.notes


def test_an_avi_that_ends_between_frames_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    write(path, "mpeg4", 30)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"00dc", 0, data.index(b"idx1"))])
    with pytest.raises(ValueError, match=r"a\.avi: found a file that ends before its last chunk does"):
        list(decode(path))
    damage = Damage()
    assert len(list(decode(path, damage))) == 29
    assert "ends before its last chunk" in damage.notes[-1]


def test_frames_before_the_first_key_frame_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    write(path, "mpeg4", 30, options={"g": "12"})
    whole = list(decode(path))
    first, _, last = path.read_bytes().partition(b"00dc")
    path.write_bytes(first + b"JUNK" + last.replace(b"00dc", b"JUNK", 1))
    with pytest.raises(ValueError, match="no key frame after 0 frames"):
        list(decode(path))
    kept = list(decode(path, Damage()))
    assert len(kept) == 18
    np.testing.assert_array_equal(kept[0].to_ndarray(), whole[12].to_ndarray())


def test_what_the_reader_of_a_container_says_of_errors_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write(path, "ffv1", 30)
    data = path.read_bytes()
    at = data.index(b"\x1f\x43\xb6\x75")  # the first cluster; what stands before it is made too long for the file
    segment = data.index(b"\x18\x53\x80\x67")
    path.write_bytes(data[: segment + 5] + (at - segment).to_bytes(7, "big") + data[segment + 12 :])
    with pytest.raises(ValueError, match=r"a\.mkv: found damage \(.*\) after \d+ frames"):
        list(decode(path))
