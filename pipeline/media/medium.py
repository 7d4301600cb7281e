"""What every kind of file promises, and what their frames have in common."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.denoiser import fits
from pipeline.stores.codes import Coding

Progress = Callable[[int, int], None]

# A frame is held whole, in float32 twice and in its own type: about 5 GiB at this size.
MOST_VALUES = 2**29
WHITES = {"uint8": 255.0, "uint16": 65535.0, "float16": 1.0, "float32": 1.0, "float64": 1.0}


class Clean(Protocol):
    """What denoises frames in their order; see `pipeline.footage`.

    Attributes
    ----------
    radius
        So many frames before it, and so many after, decide a frame's result.
    """

    radius: int

    def __call__(
        self, frames: Iterator[NDArray[np.float32]], progress: Progress | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Yield a clean frame, ``(C, H, W)``, for each noisy one."""
        ...


@dataclass(frozen=True)
class Choices:
    """What a user may choose about a file.

    Attributes
    ----------
    channels
        Of the network.
    white
        The value that stands for 1.0; None for what the type says.
    codec
        Encoder of a video; None for what its container usually has.
    axes
        One letter for each axis of a Zarr array, "TCYX"; None for what its dimension names say.
    """

    channels: int
    white: float | None = None
    codec: str | None = None
    axes: str | None = None

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
    """

    count: int
    notes: list[str]

    def __init__(self, source: Path, target: Path, choices: Choices) -> None: ...

    def work(self, scratch: Path, clean: Clean, progress: Progress) -> None:
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


def coding_of(source: Path, dtype: np.dtype[Any], white: float | None) -> Coding:
    """Return how a type holds values: as ingested footage does, unless a white is given.

    Raises
    ------
    ValueError
        When the type has no white of its own and none is given, or none can be.
    """
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise ValueError(f"{source}: found values of type {dtype}, expected integers or real numbers")
    if white is not None and not white > 0:
        raise ValueError(f"white: found {white:g}, expected more than 0")
    white = WHITES.get(dtype.name) if white is None else white
    if white is None:
        raise ValueError(f"{source}: found values of type {dtype}, expected --white to tell which stands for white")
    return Coding(dtype.name, 1 / white)


def check_size(source: Path, channels: int, height: int, width: int) -> None:
    """Refuse a frame that no memory would hold, before it is read."""
    if min(channels, height, width) < 1 or math.prod((channels, height, width)) > MOST_VALUES:
        raise ValueError(
            f"{source}: found a frame of {width} x {height} pixels of {channels} values, "
            f"expected at least one and at most {MOST_VALUES} values"
        )


def check_channels(source: Path, channels: int, choices: Choices) -> None:
    """Refuse a frame that the network has no use for."""
    if not fits(channels, choices.channels):
        raise ValueError(
            f"{source}: found {channels} channels, expected {choices.channels}, as the network was trained with"
        )


def finish_frames(frames: Frames, scratch: Path, clean: Clean, progress: Progress) -> None:
    """Denoise the frames that are not finished; a kill loses the one at work."""
    done = next((index for index in range(frames.count) if not _place(scratch, index).exists()), frames.count)
    if done == frames.count:
        return
    first = max(0, done - clean.radius)
    noisy = (frames.values(index) for index in range(first, frames.count))
    # Of a single frame the progress tells tiles.
    shown = progress if frames.count == 1 else None
    for index, values in enumerate(clean(noisy, shown), first):
        if index < done:
            continue
        final = _place(scratch, index)
        partial = final.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, frames.coding.encode(values), allow_pickle=False)
        partial.replace(final)
        if frames.count > 1:
            progress(index + 1, frames.count)


def finished_frame(scratch: Path, index: int) -> NDArray[Any]:
    """Return a finished frame, ``(C, H, W)``, as it will be stored; mapped, not read."""
    frame: NDArray[Any] = np.load(_place(scratch, index), mmap_mode="r", allow_pickle=False)
    return frame


def _place(scratch: Path, index: int) -> Path:
    return scratch / f"{index:08d}.npy"
