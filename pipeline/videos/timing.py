"""When the frames of a video are shown."""

from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from self2align.runtime.progress import Progress, ignore
from self2align.videos.decoding import Damage, decode
from self2align.videos.opening import find_footage, opened, stated_frames


@dataclass(frozen=True)
class Course:
    """All frames of a video in the order of showing.

    Attributes
    ----------
    times
        When each is shown, in ticks.
    last
        How long the last one is shown, in ticks.
    interlaced
        Whether any frame is.
    """

    times: list[int]
    last: int
    interlaced: bool


def form(frame: Any) -> tuple[int, int, str]:
    """Return width, height and name of the pixel format of a frame."""
    return frame.width, frame.height, frame.format.name


def look_through(path: Path, damage: Damage | None, progress: Progress = ignore) -> Course:
    """Decode a video once, for what only that tells.

    Parameters
    ----------
    path, damage
        See `self2align.videos.decoding.decode`.
    progress
        Called with frames decoded and all that the file says it has.

    Raises
    ------
    ValueError
        As `decode` does, and if frames differ in size or pixel format.
    """
    with opened(path) as container:
        stream = container.streams[find_footage(path, container).index]
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        usual, begin = max(1, round(1 / (rate * stream.time_base))), stream.start_time or 0
        decoding_times = "avi" in container.format.name
    stated = stated_frames(path)
    times: list[int] = []
    expected: tuple[int, int, str] | None = None
    interlaced, start = False, 0
    with closing(decode(path, damage)) as frames:
        for number, frame in enumerate(frames):
            if expected is None:
                expected, start = form(frame), frame.dts or 0
            if form(frame) != expected:
                texts = [f"{w} x {h} pixels of {name}" for w, h, name in (form(frame), expected)]
                raise ValueError(f"{path}: found {texts[0]} in frame {number}, expected {texts[1]} throughout")
            # AVI tells when frames are decoded. They are shown in their order, at these times, from the start on.
            time = frame.pts if not decoding_times else None if frame.dts is None else frame.dts - start + begin
            if time is None:
                time = times[-1] + usual if times else begin
            # Two frames with the same time are shown one after the other, as players do.
            times.append(max(time, times[-1] + 1) if times else time)
            interlaced = interlaced or frame.interlaced_frame
            progress(number + 1, max(number + 1, stated))
    last = usual if decoding_times else frame.duration or usual
    return Course(times, last, interlaced)
