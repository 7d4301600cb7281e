"""What the axes of stacks and arrays mean: a letter for each.

Y and X are rows and columns; C and S (samples of a pixel) are channels of one moment; along any other, frames lie.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

CHANNELS = "CS"
UNKNOWN = "IQ"  # letters of an axis about which a file says nothing; tifffile's
# The usual axes of arrays without dimension names, in OME's order.
_USUAL = {2: "YX", 3: "TYX", 4: "TCYX", 5: "TCZYX"}
_LETTERS = {"y": "Y", "height": "Y", "row": "Y", "x": "X", "width": "X", "column": "X"}
_LETTERS |= {"c": "C", "channel": "C", "channels": "C", "band": "C", "s": "C", "sample": "C", "samples": "C"}
_LETTERS |= {"t": "T", "time": "T", "frame": "T", "frames": "T", "z": "Z", "depth": "Z"}
# An unnamed axis shorter than 8 px is hardly a side of an image. Nor is the last one if it is so many times shorter
# than those before it: then channels or moments lie last, (H, W, 30).
_NARROW, _NARROWER = 8, 4

MEANING = "Y and X for rows and columns, C for channels, T or another letter for frames"


@dataclass(frozen=True)
class Axes:
    """The axes of an array.

    Attributes
    ----------
    letters
        One for each axis.
    shape
        The length of each.
    """

    letters: str
    shape: tuple[int, ...]

    @property
    def y(self) -> int:
        """Which axis are rows."""
        return self.letters.index("Y")

    @property
    def x(self) -> int:
        """Which axis are columns."""
        return self.letters.index("X")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.shape[self.y], self.shape[self.x]

    @property
    def channel(self) -> int | None:
        """Which axis are the channels of a frame: samples, else C; None for gray."""
        return next((self.letters.index(letter) for letter in "SC" if letter in self.letters), None)

    @property
    def channels(self) -> int:
        """The number of channels."""
        return 1 if self.channel is None else self.shape[self.channel]

    @property
    def frames(self) -> list[int]:
        """Along which axes frames lie."""
        return [axis for axis in range(len(self.shape)) if axis not in (self.y, self.x, self.channel)]

    @property
    def count(self) -> int:
        """The number of frames."""
        return math.prod(self.shape[axis] for axis in self.frames)

    def trimmed(self) -> "Axes":
        """Return the axes without those of length 1, except Y and X."""
        kept = [axis for axis, length in enumerate(self.shape) if length != 1 or self.letters[axis] in "YX"]
        return Axes("".join(self.letters[axis] for axis in kept), tuple(self.shape[axis] for axis in kept))

    def ordered(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return an array of these axes as frames.

        Parameters
        ----------
        block
            Values by these axes, of all frames or of some along their axes.

        Returns
        -------
        NDArray
            ``(T, C, H, W)``, frames in the order of their axes.
        """
        channel = [] if self.channel is None else [self.channel]
        turned = block.transpose([*self.frames, *channel, self.y, self.x])
        return turned.reshape(-1, self.channels, *self.size)

    def frame_axis(self, what: Path | str) -> int | None:
        """Return along which axis frames lie; None for a single one.

        Raises
        ------
        ValueError
            If there are several, or an axis C beside the samples.
        """
        long = [axis for axis in self.frames if self.shape[axis] > 1]
        if len(long) > 1 or any(self.letters[axis] in CHANNELS for axis in long):
            unknown = any(self.letters[axis] in UNKNOWN for axis in long)
            hint = f"; axes (--axes) tells what they mean: {MEANING}" if unknown else ""
            raise ValueError(f"{what}: found axes {self.told()}, expected frames along one axis beside Y and X{hint}")
        return long[0] if long else None

    def told(self) -> str:
        """Return lengths and letters, "40 T x 512 Y x 512 X"."""
        return " x ".join(f"{length} {letter}" for letter, length in zip(self.letters, self.shape, strict=True))

    def describe(self, what: Path | str, dtype: str) -> str:
        """Return a line that says how a file is read: "a.tif: 40 frames (T) of 512 x 512 px, 1 channel, uint16"."""
        long = [axis for axis in self.frames if self.shape[axis] > 1]
        lengths = " x ".join(str(self.shape[axis]) for axis in long) or "1"
        letters = " x ".join(self.letters[axis] for axis in long)
        height, width = self.size
        frames = f"{lengths} frame{'s' if self.count > 1 else ''}{f' ({letters})' if letters else ''}"
        channels = f"{self.channels} channel{'s' if self.channels > 1 else ''}"
        return f"{what}: {frames} of {width} x {height} px, {channels}, {dtype}"


def named(what: Path | str, letters: str, shape: Sequence[int]) -> Axes:
    """Return axes as a user names them.

    Parameters
    ----------
    what
        File or array, for errors.
    letters
        A letter for each axis, or for each that is longer than 1; the others say nothing then.
    shape
        The length of each axis.

    Raises
    ------
    ValueError
        If their number is another one, or Y or X is missing, or a letter stands twice.
    """
    upper, full = letters.upper(), tuple(shape)
    if len(upper) not in (len(full), sum(length > 1 for length in full)) or not upper.isalpha():
        raise ValueError(
            f"{what}: found axes {letters!r} for an array of shape {full}, expected {len(full)} letters: {MEANING}"
        )
    counts = Counter(upper)
    if counts["Y"] != 1 or counts["X"] != 1 or max(counts.values()) > 1:
        raise ValueError(f"{what}: found axes {letters!r}, expected each letter once: {MEANING}")
    if len(upper) == len(full):
        return Axes(upper, full)
    told = iter(upper)
    return Axes("".join(next(told) if length > 1 else UNKNOWN[0] for length in full), full)


def check_unnamed(what: Path | str, shape: Sequence[int]) -> None:
    """Refuse an array without names of its axes whose last two are hardly rows and columns.

    Parameters
    ----------
    what
        File or array, for errors.
    shape
        The length of each axis.

    Raises
    ------
    ValueError
        If one of them is very short, or the last is much shorter than the two before it.
    """
    if min(shape[-2:]) < _NARROW or (len(shape) > 2 and shape[-1] * _NARROWER < min(shape[-3:-1])):
        raise ValueError(
            f"{what}: found an array of shape {tuple(shape)} without dimension names, expected axes (--axes) to say "
            f"which are rows and columns: {MEANING}"
        )


def of_array(what: Path | str, shape: Sequence[int], names: Sequence[str] | None, given: str | None) -> Axes:
    """Return the axes of an array that is no TIFF file.

    Parameters
    ----------
    what
        The array, for errors.
    shape
        The length of each axis.
    names
        Names of the dimensions; None if it has none.
    given
        A letter for each axis, by the user; None for what the names say, else the usual order.

    Raises
    ------
    ValueError
        If it is not clear which are rows and columns.
    """
    if given is not None:
        return named(what, given, shape)
    if names is not None:
        letters = "".join(_LETTERS.get(name.lower(), UNKNOWN[0]) for name in names)
        if letters.count("Y") == letters.count("X") == 1 and letters.count("C") <= 1:
            return Axes(letters, tuple(shape))
        raise ValueError(f"{what}: found axes {', '.join(names)}, expected axes (--axes) to name Y and X")
    usual = _USUAL.get(len(shape))
    if usual is None:
        raise ValueError(
            f"{what}: found an array of shape {tuple(shape)} without dimension names, expected axes (--axes), "
            "for example TYX"
        )
    check_unnamed(what, shape)
    return Axes(usual, tuple(shape))
