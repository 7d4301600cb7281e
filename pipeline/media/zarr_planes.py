"""Zarr arrays of any number of axes, plane by plane."""

from fractions import Fraction
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.frames import DenoiseFrames
from self2align.images.axes import of_array
from self2align.media.finishing import finish_frames, finished_frame
from self2align.media.medium import (
    OF_VIDEO,
    Choices,
    Frames,
    check_channels,
    check_finite,
    check_size,
    coding_of,
    fitted,
)
from self2align.media.planes import Planes
from self2align.media.rounding import result_type
from self2align.runtime.progress import Progress, ignore
from self2align.stores.arrays import absent_chunks, as_type, dimension_names, open_array, values, write_like
from self2align.stores.codes import Coding
from self2align.stores.damaged import as_line

_NO_DATA = ("_FillValue", "missing_value")  # attributes of CF


class ZarrPlanes:
    """Planes of an array, with their channels if the network denoises them together. See `Medium`.

    If the array has CF's ``scale_factor`` and ``add_offset``, they convert its values.
    """

    rate: Fraction | None = None

    def __init__(self, source: Path, target: Path, choices: Choices, progress: Progress = ignore) -> None:
        choices.refuse(source, *OF_VIDEO)
        self.source, self.target = source, target
        self.notes: list[str] = []
        array = self.array
        self.coding = coding_of(source, array.dtype, choices)
        if choices.white is None and "scale_factor" in array.attrs:
            with as_line(source, "an array with CF's scale and offset, or without"):
                self.coding = Coding.of(array.dtype, array.attrs)
        self.axes = of_array(source, array.shape, dimension_names(array), choices.axes)
        self.planes = Planes(self.axes, choices.channels)
        self.count, self.lines = self.planes.count, self.planes.lines
        if not self.count:
            raise ValueError(f"{source}: found an array of shape {array.shape}, expected values")
        check_size(source, *self.planes.shape)
        check_channels(source, self.planes.channels, choices)
        choices.fits(source, *self.planes.shape)
        self.sigma, self.pattern, self.strength = choices.sigma, choices.pattern, choices.strength
        self.trust = choices.trust
        self.notes += choices.gray(source, self.planes.channels)
        absent = absent_chunks(source, array)
        if absent:
            self.notes.append(f"{source}: found no data for {absent}: they stay absent (fill value {array.fill_value})")
        self.absent = bool(absent)
        self.dtype = self.coding.dtype
        check_finite(self._frames())
        if "scale_factor" not in array.attrs:
            self.coding = fitted(self._frames(), choices)
        self.dtype, changed = result_type(self._frames(), choices)
        if self.dtype != self.coding.dtype and as_type(source, self.dtype) is None:
            if choices.dtype is not None:
                raise ValueError(f"{source}: found codecs of {self.coding.dtype} alone, expected --dtype same")
            self.dtype, changed = self.coding.dtype, []
        self.notes += [f"{source}: {what}" for what in changed]
        self.reading = self.axes.trimmed().describe(source, array.dtype.name)

    @cached_property
    def array(self) -> Any:
        """The array, open for reading."""
        return open_array(self.source)

    def _read(self, index: int) -> NDArray[Any]:
        """Return one plane with its channels, ``(C, H, W)``."""
        return self.planes.read(lambda region: values(self.array, region), index)

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress, span: range | None = None) -> None:
        """See `Medium`."""
        finish_frames(self._frames(), scratch, denoise, progress, span)

    def _frames(self) -> Frames:
        return Frames(
            self.source,
            self.count,
            self.coding,
            self._read,
            self.sigma,
            self.dtype,
            self._hidden,
            self.pattern,
            self.strength,
            self.trust,
            colours=False,  # an array does not say so
        )

    def _hidden(self, index: int, stored: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where a plane has no data: chunks that are absent, and CF's ``_FillValue`` and ``missing_value``."""
        hidden = np.zeros(stored.shape[1:], bool)
        for name in _NO_DATA:
            if isinstance(value := self.array.attrs.get(name), (int, float)):
                hidden |= (stored == value).any(0)
        if self.absent:
            # Zarr stores no chunk of the fill value alone, so that one is as good as absent.
            empty = (stored == self.array.fill_value).all(0)
            rows, columns = (self.array.chunks[axis] for axis in (self.axes.y, self.axes.x))
            for top, left in product(range(0, len(empty), rows), range(0, empty.shape[1], columns)):
                chunk = np.s_[top : top + rows, left : left + columns]
                hidden[chunk] |= empty[chunk].all()
        return hidden

    def assemble(self, scratch: Path, made: Path) -> None:
        """See `Medium`."""
        finished = partial(finished_frame, scratch)
        write_like(self.source, made, lambda region: self.planes.piece(region, finished, self.dtype), self.dtype)
