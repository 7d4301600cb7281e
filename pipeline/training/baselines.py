"""Baselines, and what they train on: the very crops that the pair store holds as targets, noisy, twice, and clean."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.noise.synthesis import second_draw
from self2align.objectives import OBJECTIVES
from self2align.pairs.making import plan, usable_scenes
from self2align.pairs.plan import Crop
from self2align.params.schema import Params
from self2align.runtime.families import load as load_member
from self2align.runtime.scratch import workspace, write_json
from self2align.stores.codes import Coding
from self2align.stores.frames import FrameStore, SceneRecord, opened
from self2align.training.denoiser import Crops, Look, fit_denoiser, init_digest
from self2align.training.feed import hold, memory_limit

Frames = Callable[[SceneRecord], NDArray[Any]]


def train_on_frames(
    name: str,
    noisy: Path,
    frames: Path,
    out: Path,
    params: Params,
    objective_name: str,
    look: Look | None = None,
) -> dict[str, Any]:
    """Train the chosen network under an objective that takes no aligned pairs; write and return the figures.

    Parameters
    ----------
    name
        Of the stage's item.
    noisy, frames
        Store of noisy frames; folder of stores of clean ones, read by objectives that need them.
    out
        Weights to write; curve and figures go beside them.
    look
        See `self2align.training.denoiser.fit_denoiser`.
    """
    objective = load_member(OBJECTIVES, objective_name, "objective")
    store = FrameStore(noisy)
    inputs = {"noisy": store.content, **init_digest(params.train_denoiser.init)}
    work = {
        **inputs,
        "params": params.train_denoiser.model_dump(exclude={"last_layer"}),
        "crops": params.generate_pairs.model_dump(),
        "seed": params.seed,
        "objective": objective_name,
    }
    with workspace(name.replace("@", "-"), work) as scratch:
        held, codings, roles = baseline_crops(store, frames, params, objective.needs, scratch)
        figures = fit_denoiser(
            name,
            objective_name,
            objective,
            params,
            Crops(held, codings, {}, roles, 0, None, inputs),
            told={},
            scratch=scratch,
            out=out,
            look=look,
        )
        write_json(out.with_suffix(".json"), figures)
    return figures


def baseline_crops(
    store: FrameStore, frames: Path, params: Params, names: Sequence[str], folder: Path
) -> tuple[dict[str, NDArray[Any]], dict[str, Coding], NDArray[np.int8]]:
    """Return crops as held, their codings, and for each row 0 (train) or 1 (validation).

    Parameters
    ----------
    names
        What is wanted of "target" and "first" (the noisy frames), "second" (another frozen draw of
        their noise) and "clean".
    folder
        For what memory does not hold.
    """
    mine = params.generate_pairs
    scenes, _ = usable_scenes(store, mine.crop)
    rows = once(
        plan(
            scenes,
            offsets=mine.offsets,
            targets=mine.targets_per_scene,
            crops=mine.crops_per_target,
            size=mine.crop,
            seed=params.seed,
        )
    )
    sources: dict[str, tuple[Frames, Callable[[SceneRecord], Coding]]] = {
        "target": (store.codes, store.coding),
        "first": (store.codes, store.coding),
        "second": (partial(_second, store, frames, params), store.coding),
        "clean": (partial(_clean, frames), partial(_clean_coding, frames)),
    }
    held: dict[str, NDArray[Any]] = {}
    codings: dict[str, Coding] = {}
    budget = memory_limit()
    for name in names:
        frames_of, coding_of = sources[name]
        found = {coding_of(scene) for scene in scenes}
        if len(found) > 1:
            types = " and ".join(sorted(coding.dtype for coding in found))
            raise ValueError(f"{frames}: found {name} frames held as {types}, expected one type in all sources")
        codings[name] = found.pop()
        first = frames_of(scenes[0])
        shape = (len(rows), first.shape[1], mine.crop, mine.crop)
        held[name] = hold(name, _crops(scenes, rows, mine.crop, frames_of), shape, first.dtype, folder, budget)
        budget -= held[name].nbytes
    roles = [0 if "pairs" in scenes[row.scene].roles else 1 for row in rows]
    return held, codings, np.array(roles, np.int8)


def once(rows: Sequence[Crop]) -> list[Crop]:
    """Return the crops of each target, once: those of its first neighbour, which are the same for the others.

    In the order of `self2align.stores.pairs.PairStore.groups`, so that a step draws the same crops from both.
    """
    first: dict[tuple[int, int], int] = {}
    return [row for row in rows if first.setdefault((row.scene, row.target), row.source) == row.source]


def _clean(frames: Path, scene: SceneRecord) -> NDArray[Any]:
    store = opened(frames / f"{scene.source}.zarr")
    return store.codes(store.scene(scene.title))


def _clean_coding(frames: Path, scene: SceneRecord) -> Coding:
    store = opened(frames / f"{scene.source}.zarr")
    return store.coding(store.scene(scene.title))


def _second(store: FrameStore, frames: Path, params: Params, scene: SceneRecord) -> NDArray[Any]:
    noise = params.synthesize
    clean_store = opened(frames / f"{scene.source}.zarr")
    clean = clean_store.frames(clean_store.scene(scene.title))
    return second_draw(
        clean,
        store.coding(scene),
        scene.title,
        model=noise.model,
        levels=noise.levels,
        peak=noise.peak,
        seed=params.seed,
    )


def _crops(scenes: Sequence[SceneRecord], rows: Sequence[Crop], size: int, frames_of: Frames) -> Iterator[NDArray[Any]]:
    for number, crops in groupby(rows, lambda crop: crop.scene):
        codes = frames_of(scenes[number])
        yield np.stack([codes[c.target, :, c.top : c.top + size, c.left : c.left + size] for c in crops])
