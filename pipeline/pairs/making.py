"""Filling the pair store: what one shard of it needs, from noisy frames and an aligner alone."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.alignment.aligned import Aligned, align_both
from self2align.alignment.aligner import Aligner
from self2align.alignment.loading import load_aligner
from self2align.pairs.generate import crop_rows, cut_source
from self2align.pairs.plan import Footage, PairCrop, plan_crops
from self2align.runtime.devices import device
from self2align.stores.codes import Coding
from self2align.stores.frames import FrameStore, SceneRecord, opened
from self2align.stores.pairs import CONFIDENCE, ROLES

KEPT = 8  # aligned pairs of frames, and frames, that a worker remembers


@lru_cache(maxsize=2)
def _aligner(path: Path, made: int) -> Aligner:
    return load_aligner(path, device())


def usable_scenes(store: FrameStore, size: int) -> tuple[list[SceneRecord], list[dict[str, str]]]:
    """Return the scenes with a role in the pair store, and those left out because a crop does not fit.

    Raises
    ------
    ValueError
        When none with the role pairs remains.
    """
    wanted = [scene for scene in store.scenes if set(scene.roles) & set(ROLES)]
    fits = [scene for scene in wanted if min(scene.height, scene.width) >= size]
    skipped = [
        {"scene": scene.title, "why": f"{scene.height} x {scene.width} px: smaller than a crop of {size} px"}
        for scene in wanted
        if scene not in fits
    ]
    if not any("pairs" in scene.roles for scene in fits):
        raise ValueError(
            f"{store.path}: found no scene with the role 'pairs' of at least {size} x {size} px "
            f"({len(skipped)} too small), expected at least one"
        )
    codings = {store.coding(scene) for scene in fits}
    if len(codings) > 1:
        found = " and ".join(sorted(coding.dtype for coding in codings))
        raise ValueError(f"{store.path}: found frames held as {found}, expected one type in all sources")
    return fits, skipped


def plan_pairs(
    scenes: Sequence[SceneRecord], *, offsets: Sequence[int], targets: int, crops: int, size: int, seed: int
) -> list[PairCrop]:
    """Return the pairs to make of some scenes; see `self2align.pairs.plan.plan_crops`.

    Raises
    ------
    ValueError
        When no scene with the role pairs is long enough for any offset.
    """
    footage = [Footage(scene.title, scene.count, scene.height, scene.width) for scene in scenes]
    rows = plan_crops(footage, offsets=offsets, targets=targets, crops=crops, size=size, seed=seed)
    if not any("pairs" in scenes[row.scene].roles for row in rows):
        longest = max(scene.count for scene in scenes if "pairs" in scene.roles)
        raise ValueError(
            f"generate_pairs.offsets: found {list(offsets)}, but the longest scene with the role 'pairs' has "
            f"{longest} frames; expected an offset of at most {longest - 1}"
        )
    return rows


def fill_pairs(
    noisy: Path,
    aligner: Path,
    scenes: Sequence[SceneRecord],
    rows: Sequence[PairCrop],
    size: int,
    margin: int,
    exposure: bool,
    kernel: str,
    warped: Coding,
    table: str,
    start: int,
    stop: int,
) -> dict[str, NDArray[Any]]:
    """Return rows ``start`` to ``stop`` of every array of the pair store."""
    store, align = opened(noisy), _aligner(aligner.resolve(), aligner.stat().st_mtime_ns)
    pieces = []

    # Both ways come of one estimate: the next target asks for this one's way back.
    @lru_cache(maxsize=KEPT)
    def aligned(number: int, first: int, second: int) -> tuple[Aligned, Aligned]:
        return align_both(decoded(number, first)[1], decoded(number, second)[1], align, exposure)

    @lru_cache(maxsize=KEPT)
    def decoded(number: int, frame: int) -> tuple[NDArray[Any], Tensor]:
        codes = store.codes(scenes[number], frame, frame + 1)[0]
        return codes, torch.from_numpy(store.coding(scenes[number]).decode(codes)).to(device())

    for (number, target, source), crops in groupby(
        rows[start:stop], lambda crop: (crop.scene, crop.target, crop.source)
    ):
        mine = list(crops)
        ways = aligned(number, min(target, source), max(target, source))
        wanted, other = decoded(number, target), decoded(number, source)
        values = crop_rows(ways[0 if target < source else 1], wanted[1], other[1], mine, size, margin, kernel)
        pieces.append(_encode(values, scenes[number], mine, wanted[0], other[0], size, margin, warped))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _encode(
    values: dict[str, NDArray[Any]],
    scene: SceneRecord,
    crops: Sequence[PairCrop],
    target: NDArray[Any],
    source: NDArray[Any],
    size: int,
    margin: int,
    warped: Coding,
) -> dict[str, NDArray[Any]]:
    box = [np.s_[:, crop.top : crop.top + size, crop.left : crop.left + size] for crop in crops]
    one = crops[0]
    whole = {
        "scene": one.scene,
        "target_frame": one.target,
        "source_frame": one.source,
    }
    columns = {name: np.full(len(crops), value, np.int32) for name, value in whole.items()}
    role = np.int8(ROLES.index("pairs" if "pairs" in scene.roles else "validation"))
    return {
        **values,
        **columns,
        "role": np.full(len(crops), role, np.int8),
        "top": np.array([crop.top for crop in crops], np.int32),
        "left": np.array([crop.left for crop in crops], np.int32),
        "target": np.stack([target[part] for part in box]),
        "source": np.stack([cut_source(source, c.top, c.left, size, margin) for c in crops]),
        "warped": warped.encode(values["warped"]),
        "transfer": values["transfer"].astype(np.float16),
        "confidence": CONFIDENCE.encode(values["confidence"]),
    }
