"""Zarr arrays of frames: what a microscope's or a simulation's software writes."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from self2align.images.axes import Axes, of_array
from self2align.images.files import to_color
from self2align.images.names import natural
from self2align.images.types import check_type, stored
from self2align.sources.source import Selection, choose
from self2align.stores.arrays import absent_chunks, dimension_names, open_array, values
from self2align.stores.codes import WHITES
from self2align.stores.presence import is_zarr
from self2align.stores.scene import Scene


class Array:
    """Scenes from a Zarr array, or from a folder of them at any depth: every array is one.

    Axes are those of the selection, else of the dimension names, else the usual ones (YX, TYX, TCYX). A scene is named
    by its array, relative to the root and without suffix.

    Parameters
    ----------
    path
        An array or a folder.
    selection
        Which frames.
    """

    def __init__(self, path: Path, selection: Selection) -> None:
        self.path = path
        self.selection = selection

    def units(self) -> list[str]:
        """Return the names of the wanted arrays, with their suffixes."""
        if is_zarr(self.path):
            return choose([self.path.name], self.selection, self.path)
        found = [place.relative_to(self.path).as_posix() for place in list_arrays(self.path)]
        if not found:
            raise ValueError(f"{self.path}: found no Zarr array, expected one or a folder of them")
        return choose(sorted(found, key=natural), self.selection, self.path)

    def check(self, unit: str) -> str:
        """Return the line that says how an array is read."""
        path = self._place(unit)
        axes, dtype = array_axes(path, self.selection.axes)
        return axes.trimmed().describe(path, dtype)

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the one scene of that name."""
        path = self._place(unit)
        axes, _ = array_axes(path, self.selection.axes)
        frame = axes.frame_axis(path)
        kept = range(axes.count)[:: self.selection.step][: self.selection.max_frames]
        region: list[int | slice] = [slice(None)] * len(axes.shape)
        if frame is not None:
            region[frame] = slice(kept.start, kept.stop, kept.step)
        block = values(open_array(path), tuple(region))
        native = np.ascontiguousarray(axes.ordered(block), dtype=block.dtype.newbyteorder("="))
        frames = stored(str(path), native)
        yield Scene(unit, to_color(frames, self.selection.color), WHITES[frames.dtype.name])

    def _place(self, unit: str) -> Path:
        return self.path if is_zarr(self.path) else self.path / unit


def list_arrays(root: Path) -> list[Path]:
    """Return the Zarr arrays and groups below a folder; hidden ones are passed over."""
    found = []
    for place, folders, _ in os.walk(root):
        shown = [name for name in folders if not name.startswith(".")]
        arrays = [name for name in shown if is_zarr(Path(place) / name)]
        found += [Path(place) / name for name in arrays]
        folders[:] = [name for name in shown if name not in arrays]
    return found


def array_axes(path: Path, given: str | None) -> tuple[Axes, str]:
    """Return axes and type of an array that is footage for training.

    Raises
    ------
    ValueError
        If it is broken, its values are scaled codes or of another type than numbers, frames lie along several axes, or
        have neither 1 nor 3 channels.
    """
    array = open_array(path)
    if "scale_factor" in array.attrs:
        raise ValueError(f"{path}: found scale_factor, expected values as they are; codes of a scale are not read here")
    check_type(str(path), array.dtype)
    axes = of_array(path, array.shape, dimension_names(array), given)
    if 0 in array.shape:
        raise ValueError(f"{path}: found an array of shape {array.shape}, expected values")
    axes.frame_axis(path)
    if axes.channels not in (1, 3):
        raise ValueError(f"{path}: found axes {axes.told()}, expected 1 or 3 channels")
    if absent := absent_chunks(path, array):
        raise ValueError(f"{path}: found no data for {absent}, expected all: what is absent is no picture")
    return axes, array.dtype.name
