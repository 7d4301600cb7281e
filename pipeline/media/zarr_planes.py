"""Zarr arrays of any number of axes, plane by plane."""

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.frames import DenoiseFrames
from self2align.media.medium import (
    Choices,
    Frames,
    check_channels,
    check_size,
    coding_of,
    count_lines,
    finish_frames,
    finished_frame,
    fitted,
)
from self2align.runtime.progress import Progress
from self2align.stores.arrays import dimension_names, open_array, values, write_like
from self2align.stores.codes import Coding

SUFFIXES: frozenset[str] = frozenset()  # an array is a folder: see `self2align.media.jobs.kind_of`

# The usual axes of arrays without dimension names, in OME's order.
_USUAL = {2: "YX", 3: "TYX", 4: "TCYX", 5: "TCZYX"}
_LETTERS = {"y": "Y", "height": "Y", "row": "Y", "x": "X", "width": "X", "column": "X"}
_LETTERS |= {"c": "C", "channel": "C", "channels": "C", "band": "C", "s": "C", "sample": "C", "samples": "C"}
_NARROW = 8  # px; an unnamed axis shorter than this is hardly a side of an image


class ZarrPlanes:
    """Planes of an array, with their channels if the network denoises them together. See `Medium`.

    If the array has CF's ``scale_factor`` and ``add_offset``, they convert its values.
    """

    def __init__(self, source: Path, target: Path, choices: Choices) -> None:
        choices.refuse(source, "codec")
        self.source, self.target = source, target
        self.notes: list[str] = []
        array = self.array
        self.coding = coding_of(source, array.dtype, choices)
        if choices.white is None and "scale_factor" in array.attrs:
            self.coding = Coding.of(array.dtype, array.attrs)
        axes = _axes(source, array.shape, dimension_names(array), choices.axes)
        self.y, self.x = axes.index("Y"), axes.index("X")
        channels = array.shape[axes.index("C")] if "C" in axes else 1
        # Otherwise each channel is a plane of its own.
        self.c = axes.index("C") if channels == choices.channels > 1 else None
        inside = [axis for axis in (self.c, self.y, self.x) if axis is not None]
        self.outside = [axis for axis in range(array.ndim) if axis not in inside]
        self.counts = tuple(array.shape[axis] for axis in self.outside)
        self.count = math.prod(self.counts)
        self.lines = count_lines({"C" if axes[axis] == "C" else str(axis): array.shape[axis] for axis in self.outside})
        if not self.count:
            raise ValueError(f"{source}: found an array of shape {array.shape}, expected values")
        height, width = array.shape[self.y], array.shape[self.x]
        channels = 1 if self.c is None else channels
        check_size(source, channels, height, width)
        check_channels(source, channels, choices)
        self.sigma = choices.sigma
        stored, expected = array.nchunks_initialized, array.nchunks
        if stored < expected:
            absent = f"{expected - stored} of {expected} chunks"
            self.notes.append(f"{source}: found no data for {absent}: read as the fill value, {array.fill_value}")
        if "scale_factor" not in array.attrs:
            self.coding = fitted(self._frames(), choices)

    @cached_property
    def array(self) -> Any:
        """The array, open for reading."""
        return open_array(self.source)

    def _read(self, index: int) -> NDArray[Any]:
        """Return one plane with its channels, ``(C, H, W)``."""
        place: list[int | slice] = [slice(None)] * self.array.ndim
        for axis, at in zip(self.outside, np.unravel_index(index, self.counts), strict=True):
            place[axis] = int(at)
        return self._to_planes(values(self.array, tuple(place)))

    def _to_planes(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return the remaining axes of a block in the order ``(C, H, W)``."""
        order = [axis for axis in (self.c, self.y, self.x) if axis is not None]
        ranks = [sorted(order).index(axis) for axis in order]
        turned = block.transpose(ranks)
        return turned if self.c is not None else turned[None]

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress) -> None:
        """See `Medium`."""
        finish_frames(self._frames(), scratch, denoise, progress)

    def _frames(self) -> Frames:
        return Frames(self.source, self.count, self.coding, self._read, self.sigma)

    def assemble(self, scratch: Path, made: Path) -> None:
        """See `Medium`."""
        write_like(self.source, made, lambda region: self._piece(scratch, region))

    def _piece(self, scratch: Path, region: tuple[slice, ...]) -> NDArray[Any]:
        """Return a region of the result, assembled from finished planes."""
        block = np.empty([side.stop - side.start for side in region], self.coding.dtype)
        lead = self.outside if self.c is None else [*self.outside, self.c]
        # A view of the block with the planes' axes last: (outside ..., [channel,] y, x).
        view = block.transpose([*lead, self.y, self.x])
        channels = slice(0, 1) if self.c is None else region[self.c]
        for number in np.ndindex(*(region[axis].stop - region[axis].start for axis in self.outside)):
            at = [region[axis].start + step for axis, step in zip(self.outside, number, strict=True)]
            index = int(np.ravel_multi_index(at, self.counts)) if at else 0
            part = finished_frame(scratch, index)[channels, region[self.y], region[self.x]]
            view[number] = part[0] if self.c is None else part
        return block


def _axes(source: Path, shape: tuple[int, ...], names: tuple[str, ...] | None, given: str | None) -> str:
    """Return a letter for each axis; Y, X and C mean rows, columns and channels."""
    if given is not None:
        letters = given.upper()
        if len(letters) != len(shape) or len(set(letters)) != len(letters) or not {"Y", "X"} <= set(letters):
            raise ValueError(
                f"axes: found {given!r} for an array of shape {shape}, expected one letter per axis, with Y and X"
            )
        return letters
    if names is not None:
        letters = "".join(_LETTERS.get(name.lower(), "-") for name in names)
        if letters.count("Y") == letters.count("X") == 1 and letters.count("C") <= 1:
            return letters
        raise ValueError(f"{source}: found axes {', '.join(names)}, expected --axes to name Y and X")
    usual = _USUAL.get(len(shape))
    if usual is None or min(shape[-2:]) < _NARROW:
        raise ValueError(
            f"{source}: found an array of shape {shape} without dimension names, expected --axes, for example TYX"
        )
    return usual
