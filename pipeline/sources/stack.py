"""TIFF files of many pages: a microscope's time series, a camera's burst."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from self2align.images.files import to_color
from self2align.images.names import file_of, natural
from self2align.images.tiff import SUFFIXES
from self2align.images.tiff_layout import Layout, footage
from self2align.images.types import Pixels, stored
from self2align.sources.source import Selection, choose
from self2align.stores.codes import WHITES
from self2align.stores.scene import Scene


class Stack:
    """Scenes from a TIFF file of many pages, or from a folder of them at any depth: every file is one.

    Frames are gray or RGB, integers or floats; the axes are those that OME, ImageJ or the shape of the pages tell, or
    the selection. A scene is named by its file, relative to the root and without suffix.

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

    def check(self, unit: str) -> str:
        """Return the line that says how the file is read, from its heads alone."""
        path = self._file(unit)
        layout = layout_of(path, self.selection.axes)
        apart = layout.alone.apart if layout.alone else None
        return "; ".join([layout.describe(path), *([apart] if apart else [])])

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the one scene of that name."""
        path = self._file(unit)
        frames, white = read_stack(path, self.selection.step, self.selection.max_frames, self.selection.axes)
        yield Scene(unit, to_color(frames, self.selection.color), white)

    def _file(self, unit: str) -> Path:
        return self.path if self.path.is_file() else file_of(self.path / unit, SUFFIXES)

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


def layout_of(path: Path, axes: str | None = None) -> Layout:
    """Return what a TIFF file holds, if it is footage for training.

    Parameters
    ----------
    path
        The file.
    axes
        A letter for each axis; None for what the file says.

    Raises
    ------
    ValueError
        If it is broken, frames lie along several axes, or have neither 1 nor 3 channels.
    """
    with footage(path, axes) as (_, layout):
        _check(path, layout)
    return layout


def _check(path: Path, layout: Layout) -> None:
    """Refuse what is no footage for training."""
    layout.axes.frame_axis(path)
    if layout.axes.channels not in (1, 3):
        raise ValueError(f"{path}: found axes {layout.axes.told()}, expected 1 or 3 channels")


def count_frames(path: Path, axes: str | None = None) -> int:
    """Return how many frames a TIFF file holds."""
    return layout_of(path, axes).axes.count


def read_stack(path: Path, step: int = 1, most: int | None = None, axes: str | None = None) -> tuple[Pixels, float]:
    """Return every step-th frame of a TIFF file, at most so many.

    Parameters
    ----------
    path
        The file.
    step, most
        Which frames.
    axes
        A letter for each axis; None for what the file says.

    Returns
    -------
    frames
        ``(T, C, H, W)``, C = 1 or 3, uint8, uint16 or float32.
    white
        The value that stands for 1.0: of the type, or of as many bits as the file packs.

    Raises
    ------
    ValueError
        If the file is broken, or holds something else.
    """
    with footage(path, axes) as (file, layout):
        _check(path, layout)
        along = layout.axes
        frame = along.frame_axis(path)
        kept = range(along.count)[::step][:most]
        region: list[int | slice] = [slice(None)] * len(along.shape)
        if frame is not None:
            region[frame] = slice(kept.start, kept.stop, step)
        block = layout.array(file)[region]
    frames = stored(str(path), np.ascontiguousarray(along.ordered(block)))
    return frames, layout.white or WHITES[frames.dtype.name]
