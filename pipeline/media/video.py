"""Videos, denoised in segments while they are decoded."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from self2align.denoising.frames import DenoiseFrames
from self2align.media.containers import CONTAINERS, ENCODERS
from self2align.media.medium import Choices, check_channels, check_size, coding_of
from self2align.media.remux import check_container, remux
from self2align.media.segments import Encoding, SegmentEncoder
from self2align.runtime.progress import Progress
from self2align.sources.video import SUFFIXES as SOURCE_SUFFIXES
from self2align.sources.video import decode

SUFFIXES = SOURCE_SUFFIXES
SEGMENT = 24  # frames: what a kill can lose, and the largest distance of key frames


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
        self.layout, channels, dtype = _layout(source, first)
        self.coding = coding_of(source, np.dtype(dtype), choices)
        self.level = None if choices.sigma is None else choices.sigma * self.coding.scale
        check_size(source, channels, first.height, first.width)
        check_channels(source, channels, choices)
        matrix: Any = first.side_data.get("DISPLAYMATRIX")
        self.matrix = None if matrix is None else np.frombuffer(matrix, np.int32).tolist()
        with av.open(str(source)) as container:
            stream: Any = container.streams.video[0]
            self.encoding = Encoding.like(codec, stream, first)
            self.tick = stream.time_base
            self.count = max(1, stream.frames or ceil(_seconds(container, stream) * self.encoding.rate))
        left_out = check_container(source, target, self.encoding, self.matrix)
        self.notes = [f"{source}: {what}" for what in left_out]
        if first.interlaced_frame:
            self.notes.append(f"{source}: its fields are interlaced, and are denoised and written as whole frames")

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress) -> None:
        """See `Medium`."""
        done = len(_segments(scratch)) * SEGMENT
        first = max(0, done - denoise.radius)
        times: deque[tuple[int, int]] = deque()  # of frames that were read but not yet denoised
        encoder: SegmentEncoder | None = None
        for number, values in enumerate(denoise(self._noisy(first, times), None, self.level), first):
            time, last = times.popleft()
            if number < done:
                continue
            if encoder is None:
                encoder = SegmentEncoder(self.encoding)
            encoder.add(self._encodable(values), time)
            progress(number + 1, max(self.count, number + 1))
            if (number + 1) % SEGMENT == 0:
                encoder.finish(last).save(_place(scratch, number // SEGMENT))
                encoder = None
        if encoder is not None:
            encoder.finish(last).save(_place(scratch, number // SEGMENT))

    def _noisy(self, first: int, times: deque[tuple[int, int]]) -> Iterator[NDArray[np.float32]]:
        """Yield frames from number ``first`` on, ``(C, H, W)``, and note their times and durations."""
        for frame, time, last in islice(self._frames(), first, None):
            times.append((time, last))
            pixels: NDArray[Any] = frame.to_ndarray(format=self.layout)
            yield self.coding.decode(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))

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

    def _encodable(self, values: NDArray[np.float32]) -> Any:
        codes = self.coding.encode(values)
        pixels = codes.transpose(1, 2, 0) if len(codes) > 1 else codes[0]
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=self.layout)

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


def _layout(source: Path, frame: Any) -> tuple[str, int, str]:
    """Return pixel layout, channels and type of decoded frames, the same as for training footage."""
    components = frame.format.components
    if any(component.is_alpha for component in components):
        raise ValueError(f"{source}: found pixels of {frame.format.name}, expected a video without alpha")
    deep = max(component.bits for component in components) > 8
    gray = len(components) == 1 and not frame.format.has_palette and not frame.format.is_bayer
    layout = ("gray16le" if deep else "gray") if gray else ("rgb48le" if deep else "rgb24")
    return layout, 1 if gray else 3, "uint16" if deep else "uint8"
