"""Opening video files, and which of their streams is the footage."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

SUFFIXES = frozenset(
    {".3g2", ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts"}
    | {".webm", ".wmv", ".y4m"}
)
STILL = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_TICKS = 1_000_000  # a second, in units of a container's duration
MULTILAYER = 1 << 21  # FFmpeg's AV_DISPOSITION_MULTILAYER, which PyAV does not name: several views in one stream


@dataclass(frozen=True)
class Streams:
    """The stream of a file that is its footage, and what there is beside it.

    Attributes
    ----------
    index
        Of the stream, among all streams of the file.
    notes
        A line for each other video stream, and for further views in the same one.
    """

    index: int
    notes: tuple[str, ...]


def opened(path: Path) -> Any:
    """Return an open file.

    Raises
    ------
    ValueError
        If it is no video, or no whole one.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found {'a folder' if path.is_dir() else 'nothing'}, expected a video file")
    if not path.stat().st_size:
        raise ValueError(f"{path}: found no bytes, expected a video")
    try:
        # Titles that are no UTF-8 are no reason to refuse the frames.
        return av.open(address(path), metadata_errors="replace")
    except av.FFmpegError as error:
        found = f"found {error.strerror} after 0 frames ({path.stat().st_size} bytes)"
        raise ValueError(f"{path}: {found}, expected a video whole to its end") from error


def address(path: Path) -> str:
    """Return a path as FFmpeg takes it: without "file:", what stands before a colon names a protocol."""
    return f"file:{path}"


def find_footage(path: Path, container: Any) -> Streams:
    """Return which stream of an open file is its footage.

    Cover pictures and streams of a single frame are none while there is another; of several streams it is the one that
    the file marks as the default, else the first.

    Raises
    ------
    ValueError
        If there is no video stream.
    """
    streams = list(container.streams.video)
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise ValueError(f"{path}: found no video stream ({kinds}), expected one")
    moving = [stream for stream in streams if not stream.disposition & STILL] or streams
    if len(moving) > 1:
        status = path.stat()
        several = _several(path, tuple(stream.index for stream in moving), status.st_size, status.st_mtime_ns)
        moving = [stream for stream in moving if stream.index in several] or moving
    chosen = next((stream for stream in moving if stream.disposition & Disposition.default), moving[0])
    if chosen.codec_context is None:
        raise ValueError(f"{path}: found video of a codec that has no decoder here, expected one that FFmpeg decodes")
    notes = [_described(stream, moving, chosen) for stream in streams if stream is not chosen]
    if int(chosen.disposition) & MULTILAYER:
        notes.append(f"its video stream {chosen.index} holds several views: the base view is read")
    return Streams(chosen.index, tuple(notes))


def stated_frames(path: Path) -> int:
    """Return the number of frames that the header of a video says, or an estimate from its duration; 0 for neither."""
    with opened(path) as container:
        stream = container.streams[find_footage(path, container).index]
        if stream.frames or container.duration is None:
            return int(stream.frames)
        return round(float(container.duration) / _TICKS * float(stream.average_rate or 25))


@lru_cache(maxsize=1024)
def _several(path: Path, wanted: tuple[int, ...], size: int, changed: int) -> frozenset[int]:
    """Return which of some streams have more than one packet: containers do not always say.

    A file is asked once as long as its size and time stay, and no further than to the second packet of all streams.
    """
    counts: Counter[int] = Counter()
    with opened(path) as container:
        for packet in container.demux([container.streams[index] for index in wanted]):
            counts[packet.stream.index] += packet.size > 0
            if all(counts[index] > 1 for index in wanted):
                break
    return frozenset(index for index in wanted if counts[index] > 1)


def _described(stream: Any, moving: Sequence[Any], chosen: Any) -> str:
    size = f"{stream.codec_context.width} x {stream.codec_context.height} px" if stream.codec_context else "unknown"
    if stream.disposition & STILL or stream not in moving:
        return f"its video stream {stream.index} is a picture ({size}), not the footage"
    return f"its video stream {stream.index} ({size}) is not read: stream {chosen.index} is the footage"
