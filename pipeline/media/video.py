"""Videos, denoised in segments while they are decoded."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from math import ceil, inf
from pathlib import Path
from typing import Any

import av
import numpy as np

from self2align.denoising.frames import DenoiseFrames, Unclipped
from self2align.media.containers import CONTAINERS, ENCODERS
from self2align.media.medium import Choices, check_channels, check_size, coding_of
from self2align.media.pixels import Values, pixels_of
from self2align.media.remux import check_container, remux
from self2align.media.segments import Encoding, SegmentEncoder
from self2align.runtime.progress import Progress
from self2align.sources.video import SUFFIXES as SOURCE_SUFFIXES
from self2align.sources.video import decode

SUFFIXES = SOURCE_SUFFIXES
SEGMENT = 24  # frames: what a kill can lose, and the largest distance of key frames
_ANY = (-inf, inf)


@dataclass(frozen=True)
class _Read:
    """A decoded frame, its values, ``(C, H, W)``, when it is shown, and how long it would be the last, in ticks."""

    frame: Any
    noisy: Values
    time: int
    last: int


class VideoFile:
    """A video; sound, subtitles, time stamps, rotation and metadata are kept. See `Medium`.

    Frames are read one by one; finished ones are stored encoded.
    """

    lines = 1

    def __init__(self, source: Path, target: Path, choices: Choices) -> None:
        choices.refuse(source, "axes")
        suffix = target.suffix.lower()
        if suffix not in CONTAINERS:
            expected = ", ".join(sorted(CONTAINERS))
            raise ValueError(f"{target}: found suffix {target.suffix!r}, expected one of {expected}")
        codec = CONTAINERS[suffix][1] if choices.codec is None else choices.codec
        if codec not in ENCODERS:
            raise ValueError(f"codec: found {codec!r}, expected one of {', '.join(sorted(ENCODERS))}")
        self.source, self.target = source, target
        with closing(decode(source)) as frames:
            first = next(frames)
        self.form = _form(first)
        self.pixels = pixels_of(source, first)
        self.coding = coding_of(source, np.dtype(self.pixels.dtype), choices)
        self.level = None if choices.sigma is None else choices.sigma * self.coding.scale
        check_size(source, self.pixels.channels, first.height, first.width)
        check_channels(source, self.pixels.channels, choices)
        matrix: Any = first.side_data.get("DISPLAYMATRIX")
        self.matrix = None if matrix is None else np.frombuffer(matrix, np.int32).tolist()
        with av.open(str(source)) as container:
            stream: Any = container.streams.video[0]
            self.encoding = Encoding.like(codec, stream, first)
            self.tick = stream.time_base
            self.count = max(1, stream.frames or ceil(_seconds(container, stream) * self.encoding.rate))
        left_out = check_container(source, target, self.encoding, self.matrix)
        lost = self.encoding.lost_bits(first)
        self.notes = [f"{source}: {what}" for what in (*left_out, *([lost] if lost else []))]
        if first.interlaced_frame:
            self.notes.append(f"{source}: its fields are interlaced, and are denoised and written as whole frames")

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress) -> None:
        """See `Medium`."""
        done = len(_segments(scratch)) * SEGMENT
        first = max(0, done - denoise.radius)
        waiting: deque[_Read] = deque()  # frames that were read but not yet denoised
        encoder: SegmentEncoder | None = None
        ends = self._ends(denoise)
        for number, clean in enumerate(denoise(self._noisy(first, waiting, ends), None, self.level), first):
            read = waiting.popleft()
            if number < done:
                continue
            if encoder is None:
                encoder = SegmentEncoder(self.encoding)
            frame = self.pixels.frame(read.frame, read.noisy, clean, self.coding, self.encoding)
            encoder.add(frame, read.time)
            progress(number + 1, max(self.count, number + 1))
            if (number + 1) % SEGMENT == 0:
                encoder.finish(read.last).save(_place(scratch, number // SEGMENT))
                encoder = None
        if encoder is not None:
            encoder.finish(read.last).save(_place(scratch, number // SEGMENT))

    def _ends(self, denoise: DenoiseFrames) -> tuple[float, float]:
        """Return the range of values that a denoiser expects: where it undoes clipping, that of RGB footage."""
        if not isinstance(denoise, Unclipped):
            return _ANY
        white = np.iinfo(self.pixels.dtype).max * self.coding.scale
        return 0.0 if denoise.clipping.low else -inf, white if denoise.clipping.high else inf

    def _noisy(self, first: int, waiting: deque["_Read"], ends: tuple[float, float]) -> Iterator[Values]:
        """Yield frames from number ``first`` on, ``(C, H, W)``, limited to a range, and note them as they are."""
        for frame, time, last in islice(self._frames(), first, None):
            noisy = self.pixels.values(frame, self.coding)
            waiting.append(_Read(frame, noisy, time, last))
            yield noisy if ends == _ANY else noisy.clip(*ends)

    def _frames(self) -> Iterator[tuple[Any, int, int]]:
        """Yield each frame with its time and duration, in ticks."""
        usual = max(1, round(1 / (self.encoding.rate * self.tick)))
        previous: int | None = None
        with closing(decode(self.source)) as frames:
            for number, frame in enumerate(frames):
                if _form(frame) != self.form:
                    found, expected = (f"{w} x {h} pixels of {name}" for w, h, name in (_form(frame), self.form))
                    raise ValueError(f"{self.source}: found {found} in frame {number}, expected {expected} throughout")
                time = frame.pts if frame.pts is not None else (0 if previous is None else previous + usual)
                # Two frames with the same time are shown one after the other, as players do.
                time = time if previous is None else max(time, previous + 1)
                yield frame, time, frame.duration or usual
                previous = time

    def assemble(self, scratch: Path, made: Path) -> None:
        """See `Medium`."""
        remux(self.source, self.target, made, self.encoding, self.matrix, _segments(scratch))


def _place(scratch: Path, number: int) -> Path:
    return scratch / f"{number:08d}.npz"


def _segments(scratch: Path) -> list[Path]:
    return sorted(scratch.glob("*.npz"))


def _form(frame: Any) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _seconds(container: Any, stream: Any) -> Any:
    """Return the duration of a video as its file states it, s."""
    if stream.duration is not None:
        return stream.duration * stream.time_base
    return (container.duration or 0) / av.time_base
