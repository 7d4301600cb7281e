"""What every kind of file promises, and what their frames have in common."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.frames import DenoiseFrames
from self2align.denoising.tiled import fits_channels
from self2align.runtime.progress import Progress
from self2align.stores.codes import Coding, choose_coding

# A frame is held whole, in float32 twice and in its own type: about 5 GiB at this size.
MOST_VALUES = 2**29
ORDINARY = (0.1, 1.5)  # of white: 12 bits in 16 reach a sixteenth of it, counts held as floats many times it


@dataclass(frozen=True)
class Choices:
    """What a user may choose about a file.

    Attributes
    ----------
    channels
        Of the network.
    white
        The value that stands for 1.0; None for what the network was trained with, or the type says.
    codec
        Encoder of a video; None for what its container usually has.
    axes
        One letter for each axis of a Zarr array, "TCYX"; None for what its dimension names say.
    trained
        What stood for 1.0 in the footage that the network was trained on, by type.
    """

    channels: int
    white: float | None = None
    codec: str | None = None
    axes: str | None = None
    trained: Mapping[str, float] = field(default_factory=dict)

    def refuse(self, source: Path, *names: str) -> None:
        """Refuse choices that mean nothing for a file."""
        for name in names:
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: found {getattr(self, name)!r} for {source}, expected none for such a file")


class Medium(Protocol):
    """A file that was opened and found sound, so far as that is known without decoding it.

    Attributes
    ----------
    count
        Frames, for the progress; of a video an estimate.
    notes
        What it holds and its result will not, a line each.
    lines
        Axes along which its frames lie: one in time, two where there are focal planes as well.
    """

    count: int
    lines: int
    notes: list[str]

    def __init__(self, source: Path, target: Path, choices: Choices) -> None: ...

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress) -> None:
        """Denoise the frames that are not among the finished ones in a folder of this work alone."""
        ...

    def assemble(self, scratch: Path, made: Path) -> None:
        """Write the result from the finished frames."""
        ...


@dataclass(frozen=True)
class Frames:
    """Frames of one type that are read one by one.

    Attributes
    ----------
    source
        Their file, for errors.
    count
        How many.
    coding
        How values are held.
    read
        Gives the channels of a frame that are denoised, ``(C, H, W)``, as stored.
    """

    source: Path
    count: int
    coding: Coding
    read: Callable[[int], NDArray[Any]]

    def values(self, index: int) -> NDArray[np.float32]:
        """Return a frame, ``(C, H, W)``, white being 1.0.

        Raises
        ------
        ValueError
            When some of it is infinite or no number: it would spread as far as the network sees.
        """
        values = self.coding.decode(self.read(index))
        odd = values.size - int(np.isfinite(values).sum())
        if odd:
            raise ValueError(f"{self.source}: found {odd} values in frame {index} that are no numbers, expected none")
        return values


@runtime_checkable
class Pictures(Medium, Protocol):
    """A file that may hold a single picture, which may be a frame of footage with those beside it.

    Attributes
    ----------
    shape
        Channels, height and width of the first.
    """

    shape: tuple[int, int, int]

    def still(self) -> Frames:
        """Return its first picture; the file is open only while that is read."""
        ...


def coding_of(source: Path, dtype: np.dtype[Any], choices: Choices) -> Coding:
    """Return how the type of a file holds values; see `self2align.stores.codes.choose_coding`."""
    return choose_coding(str(source), dtype, choices.white, choices.trained)


def odd_white(frames: Frames, choices: Choices) -> list[str]:
    """Return a note where values are not of the order of a white that nobody has chosen; else nothing."""
    dtype, white = frames.coding.dtype, 1 / frames.coding.scale
    if choices.white is not None or dtype in choices.trained or dtype == "uint8":
        return []
    share = float(frames.values(0).max())
    if ORDINARY[0] <= share <= ORDINARY[1]:
        return []
    return [
        f"{frames.source}: values of its first frame reach {share * white:.6g}, where white is {white:g}; "
        "if the network was trained with another, tell it: --white"
    ]


def check_size(source: Path, channels: int, height: int, width: int) -> None:
    """Refuse a frame that no memory would hold, before it is read."""
    if min(channels, height, width) < 1 or math.prod((channels, height, width)) > MOST_VALUES:
        raise ValueError(
            f"{source}: found a frame of {width} x {height} pixels of {channels} values, "
            f"expected at least one and at most {MOST_VALUES} values"
        )


def check_channels(source: Path, channels: int, choices: Choices) -> None:
    """Refuse a frame that the network has no use for."""
    if not fits_channels(channels, choices.channels):
        raise ValueError(
            f"{source}: found {channels} channels, expected {choices.channels}, as the network was trained with"
        )


def finish_frames(frames: Frames, scratch: Path, denoise: DenoiseFrames, progress: Progress) -> None:
    """Denoise the frames that are not finished; a kill loses the one at work."""
    _finish([(frames, index, _place(scratch, index)) for index in range(frames.count)], denoise, progress)


def finish_series(pictures: Sequence[tuple[Frames, Path]], denoise: DenoiseFrames, progress: Progress) -> None:
    """Denoise single pictures as the frames of one footage, each in a folder of its own; see `finish_frames`."""
    _finish([(picture, 0, _place(scratch, 0)) for picture, scratch in pictures], denoise, progress)


def _finish(wanted: Sequence[tuple[Frames, int, Path]], denoise: DenoiseFrames, progress: Progress) -> None:
    """Denoise frames, each of a number in its file, and put each in its place."""
    count = len(wanted)
    done = next((at for at, (_, _, place) in enumerate(wanted) if not place.exists()), count)
    if done == count:
        return
    first = max(0, done - denoise.radius)
    noisy = (frames.values(index) for frames, index, _ in wanted[first:])
    # Of a single frame the progress tells tiles.
    shown = progress if count == 1 else None
    for at, values in enumerate(denoise(noisy, shown), first):
        if at < done:
            continue
        frames, _, final = wanted[at]
        partial = final.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, frames.coding.encode(values), allow_pickle=False)
        partial.replace(final)
        if count > 1:
            progress(at + 1, count)


def finished_frame(scratch: Path, index: int) -> NDArray[Any]:
    """Return a finished frame, ``(C, H, W)``, as it will be stored; mapped, not read."""
    frame: NDArray[Any] = np.load(_place(scratch, index), mmap_mode="r", allow_pickle=False)
    return frame


def _place(scratch: Path, index: int) -> Path:
    return scratch / f"{index:08d}.npy"
