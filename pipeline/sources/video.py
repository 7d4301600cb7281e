"""Video files, cut into shots."""

import re
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from self2align.images.files import Pixels, to_color
from self2align.images.names import natural
from self2align.sources.cuts import HEIGHT, WIDTH, find_shots
from self2align.sources.source import Selection, refusal, takes
from self2align.stores.scene import Scene

SUFFIXES = frozenset(
    {".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts"}
    | {".webm", ".wmv", ".y4m"}
)
CUT, LATE = 0.02, 0.1  # of a video's length, and seconds, that its frames may lack of what the file says


class Video:
    """Scenes from a video file, or from a folder of them at any depth: every shot is one.

    A scene is named by its file, relative to the root and without suffix, and by the number of the shot in
    it: "holiday/beach/003". Frames are 8-bit, or 16-bit where the file has more than 8; upright where the
    file says how it was held.

    Parameters
    ----------
    path
        A file (any suffix) or a folder.
    selection
        Which frames.
    """

    def __init__(self, path: Path, selection: Selection) -> None:
        self.path = path
        self.selection = selection

    def units(self) -> list[str]:
        """Return the video files that may hold a wanted scene."""
        files = self._files()
        names = [self._name(file) for file in files]
        for file, name, previous in zip(files[1:], names[1:], names, strict=False):
            if name == previous:
                raise ValueError(f"{self.path / file}: found another video of that name beside it, expected one")
        units = [file for file, name in zip(files, names, strict=True) if may_take(self.selection, name)]
        if not units:
            raise refusal([f"{name}/000" for name in names], self.selection, self.path)
        return units

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the wanted shots of one file."""
        path = self.path if self.path.is_file() else self.path / unit
        return read_shots(path, self._name(unit), self.selection)

    def _files(self) -> list[str]:
        if self.path.is_file():
            return [self.path.name]
        if not self.path.is_dir():
            raise ValueError(f"{self.path}: found nothing, expected a video file or a folder of them")
        inside = [file.relative_to(self.path) for file in self.path.rglob("*") if file.suffix.lower() in SUFFIXES]
        shown = [file for file in inside if not any(part.startswith(".") for part in file.parts)]
        files = [file.as_posix() for file in shown if (self.path / file).is_file()]
        if not files:
            raise ValueError(f"{self.path}: found no videos, expected some ({', '.join(sorted(SUFFIXES))})")
        return sorted(files, key=lambda file: (natural(self._name(file)), file))

    def _name(self, file: str) -> str:
        return Path(file).with_suffix("").as_posix()


def may_take(selection: Selection, name: str) -> bool:
    """Whether a selection can take any shot of the video of that name; few have ten thousand."""
    return any(takes(selection, f"{name}/{index:03d}") for index in range(10_000))


def read_shots(path: Path, name: str, selection: Selection) -> Iterator[Scene]:
    """Yield the wanted shots of a video as scenes "<name>/000", "<name>/001", ...

    The file is decoded twice, for its cuts and for its frames, so that no more than one scene (and of it
    no more than what is kept) is ever in memory. Numbers count all shots, wanted or not.

    Raises
    ------
    ValueError
        If the file has no video or does not decode to its end.
    """
    shots = find_shots(_thumbnails(path))
    names = [f"{name}/{index:03d}" for index in range(len(shots))]
    wanted = [index for index, shot in enumerate(names) if takes(selection, shot)]
    with closing(decode(path)) as frames:
        for index, (start, stop) in enumerate(shots[: max(wanted, default=-1) + 1]):
            shot = islice(frames, stop - start)
            if index in wanted:
                yield _scene(names[index], path, shot, stop - start, selection)
            for _ in shot:  # what was not wanted of it
                pass


def _scene(name: str, path: Path, shot: Iterator[av.VideoFrame], length: int, selection: Selection) -> Scene:
    """Read the wanted frames of one shot."""
    count = len(range(0, length, selection.step)[: selection.max_frames])
    frames: Pixels | None = None
    white = 255.0
    for index, picture in enumerate(islice(shot, 0, (count - 1) * selection.step + 1, selection.step)):
        image, white = _pixels(picture)
        frame = to_color(image, selection.color)
        if frames is None:
            frames = np.empty((count, *frame.shape), dtype=frame.dtype)
        if frame.shape != frames.shape[1:]:
            (h, w), (height, width) = frame.shape[1:], frames.shape[2:]
            raise ValueError(f"{path}: found {w} x {h} pixels in {name}, expected {width} x {height} throughout")
        frames[index] = frame
    assert frames is not None, name
    return Scene(name, frames, white)


def decode(path: Path) -> Generator[av.VideoFrame, None, None]:
    """Yield the frames of a file's first video stream; refuse a file that does not decode to its end."""
    count, shown, told = 0, None, 0.0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
                raise ValueError(f"{path}: found no video stream ({kinds}), expected one")
            told = _told_end(container)
            for packet in container.demux(container.streams.video[0]):
                if packet.is_corrupt:
                    raise ValueError(_broken(path, count, "a corrupt packet"))
                for frame in packet.decode():
                    if frame.is_corrupt:
                        raise ValueError(_broken(path, count, "a corrupt frame"))
                    yield frame
                    count += 1
                    shown = _shown(frame, container.streams.video[0], shown)
    except av.FFmpegError as error:
        raise ValueError(_broken(path, count, f"{error.strerror}")) from error
    if count == 0:
        raise ValueError(f"{path}: found no frames, expected a video")
    if shown is not None and told - shown[1] > CUT * (told - shown[0]) + LATE:
        text = f"found {count} frames until {shown[1]:.3f} s, expected them until {told:.3f} s"
        raise ValueError(f"{path}: {text}, as the file says")


def _shown(frame: av.VideoFrame, stream: Any, before: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the seconds from which and until which frames are shown, this one too; None where nothing says so."""
    if frame.pts is None or not (frame.duration or stream.average_rate):
        return before
    begin = float(frame.pts * stream.time_base)
    lasts = float(frame.duration * stream.time_base if frame.duration else 1 / stream.average_rate)
    first, last = before or (begin, begin + lasts)
    return min(first, begin), max(last, begin + lasts)


def _told_end(container: Any) -> float:
    """Return the second until which a Matroska file says that its video lasts; 0 where nothing says so.

    Its demuxer takes a file that is cut short for one that ends; those of other containers do not.
    """
    if "matroska" not in container.format.name:
        return 0.0
    stream = container.streams.video[0]
    found = re.fullmatch(r"(\d+):(\d+):(\d+\.\d+)", stream.metadata.get("DURATION", ""))
    hours, minutes, seconds = found.groups() if found else (0, 0, 0)
    return 3600 * float(hours) + 60 * float(minutes) + float(seconds)


def _broken(path: Path, count: int, what: str) -> str:
    size = path.stat().st_size if path.is_file() else 0
    return f"{path}: found {what} after {count} frames ({size} bytes), expected a video whole to its end"


def _thumbnails(path: Path) -> Iterator[NDArray[np.uint8]]:
    for frame in decode(path):
        small = frame.reformat(width=WIDTH, height=HEIGHT, format="rgb24", interpolation="AREA")
        yield small.to_ndarray().astype(np.uint8, copy=False)


def _pixels(frame: av.VideoFrame) -> tuple[Pixels, float]:
    """Return a decoded frame as ``(C, H, W)``, uint8 or uint16, upright, with its white."""
    deep = max(component.bits for component in frame.format.components) > 8
    # A palette has one component too, of indices.
    gray = len(frame.format.components) == 1 and not frame.format.has_palette and not frame.format.is_bayer
    layout = {
        (False, False): "rgb24",
        (False, True): "gray",
        (True, False): "rgb48le",
        (True, True): "gray16le",
    }
    array: NDArray[Any] = frame.to_ndarray(format=layout[deep, gray])
    image = array[..., None] if gray else array
    upright = np.rot90(image, k=(frame.rotation // 90) % 4)
    return np.ascontiguousarray(upright.transpose(2, 0, 1)), 65535.0 if deep else 255.0
