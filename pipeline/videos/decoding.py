"""Decoding the frames of a video, with what is damaged refused or left out."""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from self2align.videos.opening import find_footage, opened

CUT, LATE = 0.02, 0.1  # of a video's length, and seconds, that its frames may lack of what the file says
OPTION = "--skip-damaged, or skip_damaged: true of a source, leaves out what is damaged"
# Without it decoders conceal some of what they find broken (HEVC, MJPEG) and pass it on as a frame.
STRICT = {"err_detect": "explode"}
# What decoders write of frames that they pass on all the same: two are FFV1's, two of MPEG-4 and its kin.
_BROKEN = ("CRC mismatch", "bytestream end mismatching", "header damaged", "first frame is no keyframe")


@dataclass
class Damage:
    """What was left out of a video.

    Attributes
    ----------
    gaps
        For each gap between frames, the number of frames before it that were kept, and a line on it.
    ends
        Lines on what is missing after the last frame.
    """

    gaps: list[tuple[int, str]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    @property
    def starts(self) -> set[int]:
        """Return the frames before which there is a gap."""
        return {before for before, _ in self.gaps}

    @property
    def notes(self) -> tuple[str, ...]:
        """Return all lines."""
        return (*(line for _, line in self.gaps), *self.ends)


@dataclass
class _Gap:
    """Frames that are left out, since the first of them is damaged: how many, and from when on, s."""

    what: str
    begin: float | None
    count: int = 1

    def note(self, end: float | None) -> str:
        frames = f"{self.count} frame{'s' if self.count > 1 else ''}"
        begin = "an unknown time" if self.begin is None else f"{self.begin:.3f} s"
        until = "its end" if end is None else f"{end:.3f} s"
        return f"{frames} from {begin} until {until}: {self.what}, and what refers to it"


def decode(path: Path, damage: Damage | None = None) -> Generator[av.VideoFrame, None, None]:
    """Yield the frames of a file's footage.

    Parameters
    ----------
    path
        The file.
    damage
        Filled with what was left out: from a damaged frame on, all frames until the next key frame, since they may
        refer to it, and an end that is missing. None to refuse a file with damage.

    Raises
    ------
    ValueError
        If there is no video, nothing of it decodes, or there is damage that is not to be left out.
    """
    reading, kind = _Reading(path, damage), ""
    try:
        with _listening() as lines:
            container = opened(path)
        with container:
            stream = container.streams[find_footage(path, container).index]
            stream.codec_context.options = STRICT
            kind, told = container.format.name, _told_end(container, stream)
            reading.hears(lines, container)
            for packet in _packets(container, stream, reading):
                yield from reading.frames(packet)
    except av.FFmpegError as error:
        reading.ends(f"{error.strerror}")
    if reading.gap is not None and damage is not None:
        damage.ends.append(reading.gap.note(None))
    if reading.count == 0:
        raise ValueError(f"{path}: found no frames that decode, expected a video")
    shown = reading.shown
    if shown is not None and not reading.ended and told - shown[1] > CUT * (told - shown[0]) + LATE:
        text = (
            f"found {reading.count} frames until {shown[1]:.3f} s, expected them until {told:.3f} s, as the file says"
        )
        reading.refuse(text)
    elif reading.heard:
        reading.refuse(reading.heard)
    elif kind == "avi" and _is_cut(path):
        reading.refuse("found a file that ends before its last chunk does, expected a video whole to its end")


class _Reading:
    """How far a video was read, and what was found damaged."""

    def __init__(self, path: Path, damage: Damage | None) -> None:
        self.path, self.damage = path, damage
        self.count = 0
        self.gap: _Gap | None = None
        self.shown: tuple[float, float] | None = None
        self.ended = False
        self.heard = ""

    def hears(self, lines: list[Any], container: Any) -> None:
        """Note the first error that the container's reader writes: it goes on behind what it cannot read."""
        said = [
            text.strip() for level, name, text in lines if level <= av.logging.ERROR and name == container.format.name
        ]
        if said and not self.heard:
            self.heard = f"found damage ({said[0]}) after {self.count} frames, expected a video whole to its end"

    def frames(self, packet: Any) -> Generator[av.VideoFrame, None, None]:
        """Yield the whole frames that a packet completes."""
        begin = None if packet.pts is None else float(packet.pts * packet.time_base)
        if packet.is_corrupt:
            self._lose("a corrupt packet", begin)
        try:
            decoded, sums_match = _decoded(packet)
        except av.FFmpegError as error:
            self._lose(f"{error.strerror}", begin)
            return
        for frame in decoded:
            if not sums_match:
                self._lose("a wrong checksum, a damaged head or no key frame", frame.time)
            elif frame.is_corrupt:
                self._lose("a corrupt frame", frame.time)
            elif self.gap is not None and not frame.key_frame:
                self.gap.count += 1
            else:
                self._keep(frame)
                yield frame
                self._show(frame, packet.stream)

    def _lose(self, what: str, begin: float | None) -> None:
        if self.damage is None:
            size = self.path.stat().st_size
            found = f"found {what} after {self.count} frames ({size} bytes), expected a video whole to its end"
            raise ValueError(f"{self.path}: {found}; {OPTION}")
        if self.gap is not None:
            self.gap.count += 1
            return
        self.gap = _Gap(what, begin)

    def _keep(self, frame: Any) -> None:
        if self.gap is not None and self.damage is not None:
            self.damage.gaps.append((self.count, self.gap.note(frame.time)))
            self.gap = None
        self.count += 1

    def _show(self, frame: Any, stream: Any) -> None:
        """Note from when until when frames were shown, s; not where nothing says so."""
        if frame.pts is None or not (frame.duration or stream.average_rate):
            return
        begin = float(frame.pts * stream.time_base)
        lasts = float(frame.duration * stream.time_base if frame.duration else 1 / stream.average_rate)
        first, last = self.shown or (begin, begin + lasts)
        self.shown = min(first, begin), max(last, begin + lasts)

    def ends(self, what: str) -> None:
        """Refuse or note that the file cannot be read on."""
        self.ended = True
        if self.damage is None:
            self._lose(what, None)
        self.refuse(f"found {what} after {self.count} frames, expected a video whole to its end")

    def refuse(self, text: str) -> None:
        """Refuse or note an end that is missing."""
        if self.damage is None:
            raise ValueError(f"{self.path}: {text}; {OPTION}")
        self.damage.ends.append(f"its end: {text}")


@contextmanager
def _listening() -> Iterator[list[Any]]:
    """Collect what FFmpeg writes of errors and warnings: level, name of the part, text."""
    level, skipped = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.WARNING)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as lines:
            yield lines
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skipped)


def _packets(container: Any, stream: Any, reading: _Reading) -> Iterator[Any]:
    """Yield the packets of a stream, and pass on what the container's reader writes of errors."""
    packets = container.demux(stream)
    while True:
        with _listening() as lines:
            packet = next(packets, None)
        reading.hears(lines, container)
        if packet is None:
            return
        yield packet


def _decoded(packet: Any) -> tuple[list[Any], bool]:
    """Return the frames that a packet completes, and whether they are whole.

    Of those whose checksums do not match, in FFV1, FFmpeg tells only its log, and repeats the frame before in their
    place.
    """
    with _listening() as lines:
        frames = packet.decode()
    return frames, not any(what in str(line[-1]) for line in lines for what in _BROKEN)


def _is_cut(path: Path) -> bool:
    """Whether an AVI file ends before its chunks do. Its demuxer takes one that is cut between frames for whole."""
    at, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while at + 12 <= size:
            file.seek(at)
            head = file.read(8)
            if head[:4] != b"RIFF":
                return False
            at += 8 + int.from_bytes(head[4:], "little")
    return at > size


def _told_end(container: Any, stream: Any) -> float:
    """Return the second until which a Matroska file says that its video lasts; 0 where nothing says so.

    Its demuxer takes a file that is cut short for one that ends; those of other containers do not.
    """
    if "matroska" not in container.format.name:
        return 0.0
    found = re.fullmatch(r"(\d+):(\d+):(\d+\.\d+)", stream.metadata.get("DURATION", ""))
    hours, minutes, seconds = found.groups() if found else (0, 0, 0)
    return 3600 * float(hours) + 60 * float(minutes) + float(seconds)
