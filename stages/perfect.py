"""Perfect pairs for baselines: two frozen draws of the very crops that the pair store holds as targets."""

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.pairs.making import plan, usable_scenes
from pipeline.params import Params
from pipeline.stores.codes import Coding
from pipeline.stores.frames import FrameStore
from pipeline.synthesis import second_draw


def perfect_pairs(
    store: FrameStore, frames: Path, params: Params
) -> tuple[dict[str, NDArray[Any]], Coding, NDArray[np.int8]]:
    """Return crops ``first`` and ``second`` as held, their coding, and for each row 0 (train) or 1 (validation)."""
    mine, noise = params.generate_pairs, params.synthesize
    scenes, _ = usable_scenes(store, mine.crop)
    rows = plan(
        scenes,
        offsets=mine.offsets,
        targets=mine.targets_per_scene,
        crops=mine.crops_per_target,
        size=mine.crop,
        seed=params.seed,
    )
    clean_stores = {key: FrameStore(frames / f"{key}.zarr") for key in params.ingest.sources}
    first, second, roles = [], [], []
    for number, crops in groupby(rows, lambda crop: crop.scene):
        scene = scenes[number]
        clean_store = clean_stores[scene.source]
        clean = clean_store.frames(clean_store.scene(scene.title))
        coding = store.coding(scene)
        again = second_draw(
            clean,
            coding,
            scene.title,
            model=noise.model,
            sigma=noise.sigma,
            peak=noise.peak,
            seed=params.seed,
        )
        codes = store.codes(scene)
        for crop in crops:
            box = np.s_[crop.target, :, crop.top : crop.top + mine.crop, crop.left : crop.left + mine.crop]
            first.append(codes[box].copy())
            second.append(again[box].copy())
            roles.append(0 if "pairs" in scene.roles else 1)
    held = {"first": np.stack(first), "second": np.stack(second)}
    return held, store.coding(scenes[0]), np.array(roles, np.int8)
