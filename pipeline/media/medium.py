"""The protocol of every kind of file, and what all kinds share."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.frames import DenoiseFrames
from self2align.denoising.scale import fitted as fit_scale
from self2align.denoising.scale import sampled
from self2align.denoising.strength import Strength
from self2align.denoising.tiled import fits_channels
from self2align.media.trust import LastTrust
from self2align.noise.pattern import FixedPattern
from self2align.runtime.progress import Progress, ignore
from self2align.stores.codes import Coding, choose_coding, trained_white

# A normalised network's frame is held in memory up to 17 times as float32: 34 GiB at this size.
MOST_VALUES = 2**29
FULL = Strength()
_OF_WEIGHTS = ("channels", "trained")  # choices that follow from the weights
OF_VIDEO = ("codec", "crf", "preset")  # choices that only the encoder of a video takes


@dataclass(frozen=True)
class Choices:
    """Choices of the user about a file.

    Attributes
    ----------
    channels
        Of the network.
    white
        The value that stands for 1.0; None for that of the training footage, else of the type.
    codec
        Encoder of a video; None for the default of its container.
    sigma
        Standard deviation of the noise in the values of the file; None to measure it on each frame.
    axes
        A letter for each axis of a TIFF stack or Zarr array, "TCYX"; None for what the file says.
    trained
        The value of 1.0 in the training footage, by type as stored; see `self2align.stores.codes.trained_white`.
    skip_damaged
        Whether damaged frames of a video are left out; else they are refused.
    dtype
        Type of the result: "same" or "float32"; None for the same, unless rounding would lose what denoising gains.
    pattern
        Fixed pattern that is taken off every frame; None for none.
    crf, preset
        Of the encoder of a video; None for ours.
    strength
        How much of the noise is taken off.
    trust
        Holds how far the neighbours of the last denoised frame are trusted; None if nobody wants it.
    """

    channels: int
    white: float | None = None
    codec: str | None = None
    axes: str | None = None
    sigma: float | None = None
    trained: Mapping[str, float] = field(default_factory=dict)
    skip_damaged: bool = False
    dtype: str | None = None
    pattern: FixedPattern | None = None
    crf: float | None = None
    preset: str | None = None
    strength: Strength = FULL
    trust: LastTrust | None = None

    def fits(self, source: Path, channels: int, height: int, width: int) -> None:
        """Refuse frames that the fixed pattern or the strengths do not fit."""
        self.strength.check(str(source), channels)
        if self.pattern is not None:
            self.pattern.check(str(source), channels, height, width)

    def record(self) -> dict[str, Any]:
        """Return what decides a result besides the weights, as JSON values."""
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _OF_WEIGHTS}
        pattern = None if self.pattern is None else self.pattern.digest
        strength, trust = [self.strength.luma, self.strength.chroma], self.trust is not None
        return {**told, "pattern": pattern, "strength": strength, "trust": trust}

    def gray(self, source: Path, channels: int) -> list[str]:
        """Return a line where chroma was told for frames that have none."""
        told = channels == 1 and self.strength.luma != self.strength.chroma
        return [f"{source}: its frames are gray: the strength of luma counts, {self.strength.luma:g}"] if told else []

    def refuse(self, source: Path, *names: str) -> None:
        """Refuse choices that have no meaning for a file."""
        for name in names:
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: found {getattr(self, name)!r} for {source}, expected none for such a file")


class Medium(Protocol):
    """A file that was opened and checked as far as possible without decoding it.

    Attributes
    ----------
    count
        Number of frames, for the progress; an estimate for video.
    notes
        A line for each property that the result does not keep.
    reading
        How a stack or an array is read: frames, axes, type; "" for other files.
    lines
        Number of axes along which frames lie: 1 for time, one more for each of focal planes and channels.
    rate
        Mean frames a second; None if the file tells none.
    """

    count: int
    lines: int
    rate: Fraction | None
    notes: list[str]
    reading: str

    def __init__(self, source: Path, target: Path, choices: Choices, progress: Progress = ignore) -> None:
        """Open and check a file; ``progress`` is called where that takes time."""
        ...

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress, span: range | None = None) -> None:
        """Denoise the frames that are not yet finished in the folder ``scratch``: of ``span``; None for all."""
        ...

    def assemble(self, scratch: Path, made: Path) -> None:
        """Write the result from the finished frames."""
        ...


@dataclass(frozen=True)
class Frames:
    """Frames of one type, read one by one.

    Attributes
    ----------
    source
        Their file, for errors.
    count
        How many.
    coding
        How values are stored.
    read
        Returns the channels to denoise of a frame, ``(C, H, W)``, as stored.
    sigma
        Standard deviation of the noise, as stored; None to measure it.
    dtype
        Type of the result; None for the same.
    hidden
        Returns where a frame, as stored, holds no picture (transparent pixels, absent chunks), ``(H, W)``; None for a
        kind of file that always does.
    pattern
        What is taken off every frame; None for nothing.
    strength
        How much of the noise is taken off.
    trust
        See `Choices`.
    colours
        Whether three channels are red, green and blue of a picture, not channels of another kind.
    """

    source: Path
    count: int
    coding: Coding
    read: Callable[[int], NDArray[Any]]
    sigma: float | None = None
    dtype: str | None = None
    hidden: Callable[[int, NDArray[Any]], NDArray[np.bool_]] | None = None
    pattern: FixedPattern | None = None
    strength: Strength = FULL
    trust: LastTrust | None = None
    colours: bool = True

    @property
    def level(self) -> float | None:
        """Return sigma, white being 1.0."""
        return None if self.sigma is None else self.sigma * self.coding.scale

    def decode(self, index: int, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Return a frame, ``(C, H, W)``, white being 1.0, from what `read` returned; NaN where it holds no picture."""
        values = self.coding.decode(stored)
        if self.pattern is not None:
            values = self.pattern.off(values, self.coding)
        return values if self.hidden is None else np.where(self.hidden(index, stored), np.float32(np.nan), values)

    def encode(self, clean: NDArray[np.float32], stored: NDArray[Any]) -> NDArray[Any]:
        """Return a denoised frame as it will be stored; see `Coding.encode_changes`."""
        return self.coding.encode_changes(clean, stored, self.dtype)


@runtime_checkable
class Pictures(Medium, Protocol):
    """A kind of file that may hold a single picture; pictures of a folder may be the frames of footage.

    Attributes
    ----------
    shape
        Channels, height and width of the first.
    choice
        How the type of its result was chosen: see ``Choices.dtype``.
    """

    shape: tuple[int, int, int]
    choice: str

    def still(self) -> Frames:
        """Return its first picture; the file is open only while that is read."""
        ...


def coding_of(source: Path, dtype: np.dtype[Any], choices: Choices) -> Coding:
    """Return how the type of a file holds values; see `self2align.stores.codes.choose_coding`."""
    return choose_coding(str(source), dtype, choices.white, choices.trained)


def fitted(frames: "Frames", choices: Choices) -> Coding:
    """Return the coding of frames for the range of their first, middle and last one; as it is if white is known."""
    coding = frames.coding
    known = choices.white is not None or trained_white(np.dtype(coding.dtype), choices.trained) is not None
    if known or coding.dtype == "uint8":
        return coding
    return fit_scale(coding, [frames.read(index) for index in sampled(frames.count)])


def check_finite(frames: "Frames") -> None:
    """Refuse frames that hold no number at all: nothing of them could be denoised."""
    # Usually the first frame tells; the others are read only where it holds nothing.
    if not any(np.isfinite(frames.decode(index, frames.read(index))).any() for index in range(frames.count)):
        raise ValueError(
            f"{frames.source}: found no value in its {frames.count} frames that is finite and measured, expected a "
            "picture in one of them"
        )


def check_size(source: Path, channels: int, height: int, width: int) -> None:
    """Refuse a frame too large for any memory, before it is read."""
    if min(channels, height, width) < 1 or math.prod((channels, height, width)) > MOST_VALUES:
        raise ValueError(
            f"{source}: found a frame of {width} x {height} pixels of {channels} values, "
            f"expected at least one and at most {MOST_VALUES} values"
        )


def check_channels(source: Path, channels: int, choices: Choices) -> None:
    """Refuse a frame whose channels do not fit the network."""
    if not fits_channels(channels, choices.channels):
        raise ValueError(
            f"{source}: found {channels} channels, expected {choices.channels}, as the network was trained with"
        )
