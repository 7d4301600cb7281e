"""TIFF files of many pages: a microscope's time series, a camera's burst."""

import logging
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from self2align.images.files import Pixels, to_color
from self2align.images.names import natural
from self2align.images.ome import open_alone
from self2align.sources.source import Selection, choose
from self2align.stores.codes import WHITES
from self2align.stores.scene import Scene

SUFFIXES = frozenset({".tif", ".tiff"})
TYPES = ("uint8", "uint16", "float32")
LARGEST = 2**28  # values a frame: a header can claim more than any memory holds
# What tifffile raises on files that are not whole; its own error is a ValueError.
_BROKEN = (ValueError, OSError, RuntimeError, IndexError, KeyError, TypeError, struct.error, zlib.error)


class Stack:
    """Scenes from a TIFF file of many pages, or from a folder of them at any depth: every file is one.

    Pages are frames in their order, gray or RGB, of 8 or 16 bits or 32-bit floats; the axes are those that
    OME, ImageJ or the shape of the pages tell. A scene is named by its file, relative to the root and without suffix.

    Parameters
    ----------
    path
        A file or a folder.
    selection
        Which frames.
    """

    def __init__(self, path: Path, selection: Selection) -> None:
        self.path = path
        self.selection = selection

    def units(self) -> list[str]:
        """Return the names of the wanted files."""
        return choose(list(self._files()), self.selection, self.path)

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the one scene of that name."""
        path = self._files()[unit]
        frames = read_stack(path, self.selection.step, self.selection.max_frames)
        yield Scene(unit, to_color(frames, self.selection.color), WHITES[frames.dtype.name])

    def _files(self) -> dict[str, Path]:
        if self.path.is_file():
            return {self.path.stem: self.path}
        if not self.path.is_dir():
            raise ValueError(f"{self.path}: found nothing, expected a TIFF file or a folder of them")
        found: dict[str, Path] = {}
        for file in list_stacks(self.path):
            name = file.relative_to(self.path).with_suffix("").as_posix()
            if name in found:
                raise ValueError(f"{file}: found {found[name].name} beside it, expected one file of that name")
            found[name] = file
        if not found:
            raise ValueError(f"{self.path}: found no TIFF files, expected some ({', '.join(sorted(SUFFIXES))})")
        return found


def list_stacks(root: Path) -> list[Path]:
    """Return the TIFF files below a folder, in natural order; hidden ones are passed over."""
    inside = [file.relative_to(root) for file in root.rglob("*") if file.suffix.lower() in SUFFIXES]
    shown = [file for file in inside if not any(part.startswith(".") for part in file.parts)]
    return [root / file for file in sorted(shown, key=lambda file: natural(file.as_posix())) if (root / file).is_file()]


def count_frames(path: Path) -> int:
    """Return how many frames a TIFF file holds."""
    with _opened(path) as file:
        return _Layout.of(path, file).count


def part_of_series(path: Path) -> str | None:
    """Return what a file holds of an OME series of several files; None if it is no part of one."""
    file, alone = open_alone(path)
    file.close()
    return None if alone is None else alone.apart


def read_stack(path: Path, step: int = 1, most: int | None = None) -> Pixels:
    """Return every step-th frame of a TIFF file, at most so many.

    Returns
    -------
    ndarray
        ``(T, C, H, W)``, C = 1 or 3, uint8, uint16 or float32.

    Raises
    ------
    ValueError
        When the file is broken, or holds something else.
    """
    with _opened(path) as file:
        layout = _Layout.of(path, file)
        kept = range(layout.count)[::step][:most]
        try:
            array = _read(file, layout, kept)
        except _BROKEN as error:
            raise ValueError(_broken(path, f"pages that do not decode ({_told(error)})")) from error
    order = [layout.axes.index(axis) for axis in (layout.frame, layout.color, "Y", "X") if axis]
    frames = array.transpose(order).reshape(len(kept), -1, *layout.size)
    return np.ascontiguousarray(frames)


@dataclass(frozen=True)
class _Layout:
    """What the axes of a file mean; ``frame`` and ``color`` are empty where there is no such axis."""

    axes: str
    shape: tuple[int, ...]
    frame: str
    color: str

    @property
    def count(self) -> int:
        return self.shape[self.axes.index(self.frame)] if self.frame else 1

    @property
    def size(self) -> tuple[int, int]:
        return self.shape[self.axes.index("Y")], self.shape[self.axes.index("X")]

    @staticmethod
    def of(path: Path, file: tifffile.TiffFile) -> "_Layout":
        if not file.series:
            raise ValueError(_broken(path, "no page"))
        series = file.series[0]
        axes, shape = series.axes, tuple(series.shape)
        lead = [axis for axis in axes if axis not in "YXS"]
        # ImageJ calls the pages of a plain stack channels.
        plain = lead == ["C"] and shape[axes.index("C")] != 3
        color = "S" if "S" in axes else "C" if "C" in axes and not plain else ""
        frame = [axis for axis in lead if axis != color]
        channels = shape[axes.index(color)] if color else 1
        if not {"X", "Y"} <= set(axes) or len(frame) > 1 or channels not in (1, 3):
            found = " x ".join(f"{size} {axis}" for axis, size in zip(axes, shape, strict=True))
            raise ValueError(f"{path}: found axes {found}, expected one of frames beside Y and X, and 1 or 3 channels")
        if series.dtype.name not in TYPES:
            raise ValueError(f"{path}: found pixels of type {series.dtype}, expected {', '.join(TYPES)}")
        layout = _Layout(axes, shape, "".join(frame), color)
        if channels * math.prod(layout.size) > LARGEST:
            height, width = layout.size
            raise ValueError(f"{path}: found frames of {height} x {width} px, expected at most {LARGEST} values in one")
        return layout


def _read(file: tifffile.TiffFile, layout: _Layout, kept: range) -> NDArray[Any]:
    """Return the frames that are wanted, all axes in their order."""
    series = file.series[0]
    shape, pages = layout.shape, list(range(len(series.pages)))
    # Pages of one frame stand together where its axis is the first.
    leads = layout.frame != "" and layout.axes[0] == layout.frame
    if leads:
        each = len(pages) // layout.count
        pages, shape = [frame * each + page for frame in kept for page in range(each)], (len(kept), *shape[1:])
    array = np.asarray(file.asarray(series=0, key=pages) if leads else series.asarray())
    array = array.reshape(shape)
    return array if leads or not layout.frame else array.take(kept, axis=layout.axes.index(layout.frame))


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file; refuse one of which tifffile only logs that it is cut short."""
    complaints = _Complaints()
    logger = logging.getLogger("tifffile")
    before = logger.level, logger.propagate
    logger.addHandler(complaints)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        file, _ = open_alone(path)
        with file:
            _ = file.series
            if complaints.first:
                raise ValueError(_broken(path, complaints.first))
            yield file
    except tifffile.TiffFileError as error:
        raise ValueError(_broken(path, _told(error))) from error
    finally:
        logger.removeHandler(complaints)
        logger.setLevel(before[0])
        logger.propagate = before[1]


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or record.getMessage()


def _told(error: BaseException) -> str:
    return " ".join(f"{error}".split()) or type(error).__name__


def _broken(path: Path, what: str) -> str:
    return f"{path}: found {what} ({path.stat().st_size} bytes), expected a TIFF file whole to its end"
