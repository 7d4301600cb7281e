"""Which scenes of a store, and which of their frames, pairs are made of."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from self2align.noise.scenes import scene_noise
from self2align.pairs.evidence import Evidence, judge
from self2align.runtime.workers import run_tasks
from self2align.stores.frames import FrameStore, SceneRecord, opened
from self2align.stores.pairs import ROLES


def usable_scenes(store: FrameStore, size: int) -> tuple[list[SceneRecord], list[dict[str, str]]]:
    """Return the scenes with a role in the pair store, and those left out because a crop does not fit.

    Raises
    ------
    ValueError
        If no scene with the role pairs remains.
    """
    candidates = [scene for scene in store.scenes if set(scene.roles) & set(ROLES)]
    fits = [scene for scene in candidates if min(scene.height, scene.width) >= size]
    skipped = [
        {"scene": scene.title, "why": f"{scene.height} x {scene.width} px: smaller than a crop of {size} px"}
        for scene in candidates
        if scene not in fits
    ]
    if not any("pairs" in scene.roles for scene in fits):
        raise ValueError(
            f"{store.path}: found no scene with the role 'pairs' of at least {size} x {size} px "
            f"({len(skipped)} too small), expected at least one"
        )
    return fits, skipped


def judge_scenes(noisy: Path, scenes: Sequence[SceneRecord]) -> list[Evidence]:
    """Return for each scene of a store which of its frames pairs are made of, and its noise; on all workers."""
    return run_tasks(judge_scene, [(noisy, scene) for scene in scenes], lambda done, total: None)


def judge_scene(noisy: Path, scene: SceneRecord) -> Evidence:
    """Return which frames of a scene of a store pairs are made of, and its noise."""
    store = opened(noisy)

    def frames() -> Iterator[NDArray[np.float32]]:
        return (store.frames(scene, at, at + 1)[0] for at in range(scene.count))

    found = judge(frames(), scene_noise(store, scene))
    # Copies and flat frames among those that were measured make a difference to the noise.
    return judge(frames(), scene_noise(store, scene, found.kept)) if found.left_out and found.kept else found
