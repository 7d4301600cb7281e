"""Frames in an array of any axes: where each lies, and regions put together from finished ones."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.images.axes import Axes

Region = tuple[int | slice, ...]


class Planes:
    """Frames of an array: Y and X, with the channels that the network denoises together.

    Samples of a pixel (S) are always together. Channels (C) are, if they are as many as the network's; else each is a
    frame of its own.

    Parameters
    ----------
    axes
        Of the array.
    channels
        Of the network.
    """

    def __init__(self, axes: Axes, channels: int) -> None:
        self.axes = axes
        together = axes.channel is not None and (axes.letters[axes.channel] == "S" or axes.channels == channels > 1)
        self.c = axes.channel if together else None
        self.inside = [axis for axis in (self.c, axes.y, axes.x) if axis is not None]
        self.outside = [axis for axis in range(len(axes.shape)) if axis not in self.inside]
        self.counts = tuple(axes.shape[axis] for axis in self.outside)
        self.count = math.prod(self.counts)
        self.channels = 1 if self.c is None else axes.channels
        self.shape = (self.channels, *axes.size)

    @property
    def lines(self) -> int:
        """Number of axes along which frames lie: 1 for time, one more for each further one. C is never time."""
        long = [self.axes.letters[axis] for axis in self.outside if self.axes.shape[axis] > 1]
        return max(1, sum(letter != "C" for letter in long)) + ("C" in long)

    def read(self, values: Callable[[Region], NDArray[Any]], index: int) -> NDArray[Any]:
        """Return a frame, ``(C, H, W)``.

        Parameters
        ----------
        values
            Returns a region of the array.
        index
            Of the frame, in the order of the axes.
        """
        place: list[int | slice] = [slice(None)] * len(self.axes.shape)
        for axis, at in zip(self.outside, np.unravel_index(index, self.counts), strict=True):
            place[axis] = int(at)
        order = [sorted(self.inside).index(axis) for axis in self.inside]
        turned = values(tuple(place)).transpose(order)
        return turned if self.c is not None else turned[None]

    def piece(
        self, region: Sequence[slice], finished: Callable[[int], NDArray[Any]], dtype: np.dtype[Any] | str
    ) -> NDArray[Any]:
        """Return a region of the result.

        Parameters
        ----------
        region
            A slice with start and stop for each axis.
        finished
            Returns a denoised frame, ``(C, H, W)``, by its number.
        dtype
            Of the result.
        """
        block = np.empty([side.stop - side.start for side in region], dtype)
        lead = self.outside if self.c is None else [*self.outside, self.c]
        # A view of the block with the frames' axes last: (outside ..., [channel,] y, x).
        view = block.transpose([*lead, self.axes.y, self.axes.x])
        channels = slice(0, 1) if self.c is None else region[self.c]
        for number in np.ndindex(*(region[axis].stop - region[axis].start for axis in self.outside)):
            at = [region[axis].start + step for axis, step in zip(self.outside, number, strict=True)]
            index = int(np.ravel_multi_index(at, self.counts)) if at else 0
            part = finished(index)[channels, region[self.axes.y], region[self.axes.x]]
            view[number] = part[0] if self.c is None else part
        return block
