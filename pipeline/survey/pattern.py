"""The fixed pattern of footage, estimated from the scenes of its files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from self2align.alignment.dis import Dis
from self2align.alignment.pattern import LEAST, Estimated, estimate_pattern
from self2align.noise.pattern import FixedPattern
from self2align.runtime.progress import Bars
from self2align.sources.folder import scenes_root
from self2align.sources.ingest import open_source, shows_nothing
from self2align.sources.source import Selection
from self2align.stores.scene import Scene
from self2align.survey.footage import source_kind

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
    root = scenes_root(path) if kind == "folder" else path
    source = open_source(kind, root, selection)
    scenes = [
        scene
        for unit in source.units()
        for scene in source.read(unit)
        if len(scene.frames) >= LEAST and not shows_nothing(scene, known=False)
    ]
    if not scenes:
        raise ValueError(f"{path}: found no scene of {LEAST} frames that shows something, expected one that moves")
    sizes = {scene.frames.shape[2:] for scene in scenes}
    if len(sizes) > 1:
        told = ", ".join(sorted(f"{width} x {height}" for height, width in sizes))
        raise ValueError(f"{path}: found scenes of {told} px, expected those of one sensor, of one size")
    gray = all((scene.frames == scene.frames[:, :1]).all() for scene in scenes)
    brightest = max(float(scene.coding.decode(scene.frames.max())) for scene in scenes)
    stretch = 1 / brightest if brightest < DIM or scenes[0].white == 1.0 else 1.0
    with bars("estimating a fixed pattern") as progress:
        readers = [(_reader(scene, gray, stretch), len(scene.frames)) for scene in scenes]
        found = estimate_pattern(readers, Dis(1 if gray else 3), progress)
    unit = scenes[0].white / stretch
    lines = [_told(found, unit)]
    if not found.found:
        return None, lines
    values, levels, gains = found.values * np.float32(unit), unit * found.levels, found.gains
    return FixedPattern(values, scenes[0].white, tuple(levels.tolist()), tuple(gains.tolist())), lines


def _reader(scene: Scene, gray: bool, stretch: float) -> Callable[[int], NDArray[np.float32]]:
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
