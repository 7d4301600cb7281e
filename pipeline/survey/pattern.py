"""The fixed pattern of footage, estimated from the scenes of its files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.alignment.dis import Dis
from self2align.alignment.pattern import LEAST, Estimated, estimate_pattern
from self2align.noise.pattern import FixedPattern
from self2align.runtime.disk import mapped_array
from self2align.runtime.progress import Bars
from self2align.runtime.scratch import root
from self2align.sources.folder import scenes_root
from self2align.sources.ingest import open_source, shows_nothing
from self2align.sources.source import Selection, Source
from self2align.stores.codes import Coding
from self2align.stores.scene import Scene
from self2align.survey.footage import source_kind
from self2align.training.holding import memory_limit

DIM = 0.25  # of white: the brightest value, below which values are stretched for the aligner


def pattern_of_footage(path: Path, selection: Selection, bars: Bars) -> tuple[FixedPattern | None, list[str]]:
    """Estimate the fixed pattern that all scenes of some footage share.

    Parameters
    ----------
    path, selection
        The footage, and which of its frames count.
    bars
        Opens the progress display.

    Returns
    -------
    tuple
        The pattern, None where the frames share none; and lines that say what was found.

    Raises
    ------
    ValueError
        If it cannot be read, its scenes differ in size, or too little moves to tell a pattern from the scene.
    """
    kind = source_kind(path, selection.axes)
    source = open_source(kind, scenes_root(path) if kind == "folder" else path, selection)
    root().mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="pattern-", dir=root()) as folder:
        room = Room(Path(folder), memory_limit())
        scenes = hold_footage(source, room)
        if not scenes:
            raise ValueError(f"{path}: found no scene of {LEAST} frames that shows something, expected one that moves")
        sizes = {scene.frames.shape[2:] for scene in scenes}
        if len(sizes) > 1:
            told = ", ".join(sorted(f"{width} x {height}" for height, width in sizes))
            raise ValueError(f"{path}: found scenes of {told} px, expected those of one sensor, of one size")
        gray = all(scene.gray for scene in scenes)
        brightest = max(scene.brightest for scene in scenes)
        stretch = 1 / brightest if brightest < DIM or scenes[0].white == 1.0 else 1.0
        with bars("estimating a fixed pattern") as progress:
            readers = [(_reader(scene, gray, stretch), len(scene.frames)) for scene in scenes]
            found = estimate_pattern(readers, Dis(1 if gray else 3), progress, room.array)
    unit = scenes[0].white / stretch
    lines = [_told(found, unit)]
    if not found.found:
        return None, lines
    values, levels, gains = found.values * np.float32(unit), unit * found.levels, found.gains
    return FixedPattern(values, scenes[0].white, tuple(levels.tolist()), tuple(gains.tolist())), lines


@dataclass
class Room:
    """Where arrays lie: in memory as long as they fit, then in files of a folder.

    Attributes
    ----------
    folder
        Of the files.
    left
        Bytes of memory that may be used.
    """

    folder: Path
    left: int

    def array(self, name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
        """Return a new array of that name."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if size > self.left:
            return mapped_array(self.folder / f"{name}.npy", shape, dtype)
        self.left -= size
        return np.empty(shape, dtype)

    def keep(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return an array, or what holds the same in a file."""
        if values.nbytes <= self.left:
            self.left -= values.nbytes
            return values
        kept = self.array(name, values.shape, values.dtype)
        kept[:] = values
        return kept


@dataclass(frozen=True)
class Held:
    """The frames of a scene as stored, ``(T, C, H, W)``, in memory or in a file, and what is asked of all of them.

    Attributes
    ----------
    frames, coding, white
        See `self2align.stores.scene.Scene`.
    gray
        Whether all channels are the same.
    brightest
        Value, white being 1.0.
    """

    frames: NDArray[Any]
    coding: Coding
    white: float
    gray: bool
    brightest: float


def hold_footage(source: Source, room: Room) -> list[Held]:
    """Return the scenes of a source that are long enough and show something; one at a time is read into memory."""
    found: list[Held] = []
    for unit in source.units():
        for scene in source.read(unit):
            if len(scene.frames) >= LEAST and not shows_nothing(scene, known=False):
                found.append(_held(scene, room, f"scene-{len(found)}"))
    return found


def _held(scene: Scene, room: Room, name: str) -> Held:
    gray = all(bool((frame == frame[:1]).all()) for frame in scene.frames)
    brightest = float(scene.coding.decode(scene.frames.max()))
    return Held(room.keep(name, scene.frames), scene.coding, scene.white, gray, brightest)


def _reader(scene: Held, gray: bool, stretch: float) -> Callable[[int], NDArray[np.float32]]:
    """Return what decodes a frame of a scene, ``(C, H, W)``."""

    def read(number: int) -> NDArray[np.float32]:
        codes = scene.frames[number, :1] if gray else scene.frames[number]
        return scene.coding.decode(codes) * np.float32(stretch)

    return read


def _told(found: Estimated, unit: float) -> str:
    """Return what was found, as a line."""
    seen = f"{found.frames} frames, moving by {found.motion:.1f} px between neighbours"
    if not found.found:
        return f"no fixed pattern: what both halves of {seen}, have in common may be chance"
    parts = [
        f"{name} {unit * sigma:.3g} ({share:.0%} of its variance is removed)"
        for name, sigma, share in zip(("rows", "columns", "pixels"), found.sigma, found.kept, strict=True)
        if sigma
    ]
    return f"fixed pattern, standard deviation in values of the file, from {seen}: {', '.join(parts)}"
