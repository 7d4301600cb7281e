"""Perfect pairs for baselines: two frozen draws of the very crops that the pair store holds as targets."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.feed import hold, memory_limit
from pipeline.pairs.making import plan, usable_scenes
from pipeline.pairs.plan import Crop
from pipeline.params import Params
from pipeline.stores.codes import Coding
from pipeline.stores.frames import FrameStore, SceneRecord, opened
from pipeline.synthesis import second_draw

Frames = Callable[[SceneRecord], NDArray[Any]]


def perfect_pairs(
    store: FrameStore, frames: Path, params: Params, folder: Path
) -> tuple[dict[str, NDArray[Any]], Coding, NDArray[np.int8]]:
    """Return crops ``first`` and ``second`` as held, their coding, and for each row 0 (train) or 1 (validation)."""
    mine = params.generate_pairs
    scenes, _ = usable_scenes(store, mine.crop)
    rows = plan(
        scenes,
        offsets=mine.offsets,
        targets=mine.targets_per_scene,
        crops=mine.crops_per_target,
        size=mine.crop,
        seed=params.seed,
    )
    one = store.codes(scenes[0], 0, 1)
    shape = (len(rows), one.shape[1], mine.crop, mine.crop)
    held: dict[str, NDArray[Any]] = {}
    budget = memory_limit()
    sources: dict[str, Frames] = {"first": store.codes, "second": partial(_second, store, frames, params)}
    for name, frames_of in sources.items():
        held[name] = hold(name, _crops(scenes, rows, mine.crop, frames_of), shape, one.dtype, folder, budget)
        budget -= held[name].nbytes
    roles = [0 if "pairs" in scenes[row.scene].roles else 1 for row in rows]
    return held, store.coding(scenes[0]), np.array(roles, np.int8)


def _second(store: FrameStore, frames: Path, params: Params, scene: SceneRecord) -> NDArray[Any]:
    noise = params.synthesize
    clean_store = opened(frames / f"{scene.source}.zarr")
    clean = clean_store.frames(clean_store.scene(scene.title))
    return second_draw(
        clean,
        store.coding(scene),
        scene.title,
        model=noise.model,
        sigma=noise.sigma,
        peak=noise.peak,
        seed=params.seed,
    )


def _crops(scenes: Sequence[SceneRecord], rows: Sequence[Crop], size: int, frames_of: Frames) -> Iterator[NDArray[Any]]:
    for number, crops in groupby(rows, lambda crop: crop.scene):
        codes = frames_of(scenes[number])
        yield np.stack([codes[c.target, :, c.top : c.top + size, c.left : c.left + size] for c in crops])
