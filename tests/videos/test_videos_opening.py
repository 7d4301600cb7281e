"""Which stream is the footage, by any name of the file."""

from collections import Counter
from pathlib import Path

import av
import pytest
from av.stream import Disposition

from self2align.sources.source import Selection
from self2align.sources.video import Video
from self2align.videos import opening
from self2align.videos.decoding import decode
from self2align.videos.opening import find_footage, opened
from self2align.videos.timing import look_through
from tests.videos.making import add_stream, encode, texture, write


def _beside(path: Path, first: int, second: int, marked: int | None = None, cover: bool = False) -> None:
    """Write streams of so many frames of 32 x 32 and 48 x 64 px; one may be marked as the default."""
    with av.open(str(path), "w") as out:
        streams = [add_stream(out, "ffv1", size=size) for size in ((32, 32), (48, 64))]
        for number, stream in enumerate(streams):
            stream.disposition = Disposition.default if number == marked else Disposition(0)
        if cover:
            streams[0].disposition = Disposition.attached_pic
        for stream, count, size in zip(streams, (first, second), ((32, 32), (48, 64)), strict=True):
            encode(out, stream, texture(count, size=size))


@pytest.mark.parametrize(
    ("first", "second", "marked", "cover", "index", "note"),
    [
        (1, 9, None, False, 1, "its video stream 0 is a picture (32 x 32 px), not the footage"),
        (1, 9, 0, False, 1, "its video stream 0 is a picture (32 x 32 px), not the footage"),
        (9, 9, 1, False, 1, "its video stream 0 (32 x 32 px) is not read: stream 1 is the footage"),
        (9, 9, None, False, 0, "its video stream 1 (48 x 64 px) is not read: stream 0 is the footage"),
        (9, 1, 1, False, 0, "its video stream 1 is a picture (64 x 48 px), not the footage"),
    ],
)
def test_the_footage_is_found_behind_a_picture(
    tmp_path: Path, first: int, second: int, marked: int | None, cover: bool, index: int, note: str
) -> None:
    path = tmp_path / "a.mkv"
    _beside(path, first, second, marked, cover)
    with opened(path) as container:
        found = find_footage(path, container)
    assert (found.index, [line.replace("48 x 64", "64 x 48") for line in found.notes]) == (
        index,
        [note.replace("48 x 64", "64 x 48")],
    )
    assert Video(path, Selection()).check("a.mkv") == f"{path}: {found.notes[0]}"
    assert len(list(decode(path))) == 9
    (scene,) = Video(path, Selection()).read("a.mkv")
    assert scene.frames.shape == (9, 3, *((32, 32), (48, 64))[index])


class _Counted(Counter[int]):
    """Counts how often it counts."""

    seen = 0

    def __setitem__(self, key: int, value: int) -> None:
        _Counted.seen += 1
        super().__setitem__(key, value)


def test_several_streams_are_looked_at_once_and_no_further_than_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "Counter", _Counted)
    path = tmp_path / "a.mkv"
    for first, second, index in ((30, 30, 0), (1, 30, 1), (30, 1, 0)):
        _beside(path, first, second)
        monkeypatch.setattr(_Counted, "seen", 0)
        with opened(path) as container:
            assert find_footage(path, container).index == index
        looked_at = _Counted.seen
        assert 3 <= looked_at <= (10 if first == second else 33)  # two say that they are empty
        assert len(list(decode(path))) == 30
        assert Video(path, Selection()).check("a.mkv")
        assert looked_at == _Counted.seen


def test_a_poster_of_mp4_is_no_footage(tmp_path: Path) -> None:
    write(tmp_path / "film.mp4", "libx264", 9)
    with av.open(str(tmp_path / "film.mp4")) as source, av.open(str(tmp_path / "a.mp4"), "w") as out:
        cover = add_stream(out, "png", pixels="rgb24")
        cover.disposition = Disposition.attached_pic
        film = out.add_stream_from_template(source.streams.video[0])
        encode(out, cover, texture(1))
        for packet in source.demux():
            if packet.size:
                packet.stream = film
                out.mux(packet)
    assert len(list(decode(tmp_path / "a.mp4"))) == 9
    assert next(decode(tmp_path / "a.mp4")).format.name == "yuv420p"


@pytest.mark.parametrize(
    "name",
    [
        "12:30 night.mkv",
        "cam1:left/x.mkv",
        "-x.mkv",
        "a'b\"c.mkv",
        "%03d.mkv",
        "νύχτα.mkv",
        "x" * 251 + ".mkv",
        "#?.mkv",
    ],
)
def test_any_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    write(Path(name), "ffv1", 3)
    assert len(list(decode(Path(name)))) == 3
    (scene,) = Video(Path(name).parent, Selection()).read(Path(name).name)
    assert len(scene.frames) == 3


def test_avi_with_frames_that_refer_to_later_ones_has_regular_times(tmp_path: Path) -> None:
    write(tmp_path / "a.avi", "libx264", 20, options={"bf": "2", "g": "20"})
    course = look_through(tmp_path / "a.avi", None)
    assert course.times == list(range(course.times[0], course.times[0] + 20))
    assert course.last == 1
