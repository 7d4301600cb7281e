"""Training baselines on the crops that the pair store has as targets: noisy, in a second draw, and clean."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.networks import NETWORKS
from self2align.noise.model import NoiseSettings
from self2align.noise.scenes import scene_noise
from self2align.noise.synthesis import second_draw
from self2align.objectives import OBJECTIVES
from self2align.objectives.objective import Objective
from self2align.pairs.making import plan_pairs
from self2align.pairs.plan import PairCrop
from self2align.pairs.scenes import recorded_frames, recorded_strides, usable_scenes
from self2align.runtime.families import load
from self2align.runtime.progress import Bars
from self2align.runtime.scratch import write_json
from self2align.stores.codes import Coding, common
from self2align.stores.frames import FrameStore, SceneRecord, opened
from self2align.stores.pairs import PairStore
from self2align.training.crops import Crops
from self2align.training.denoiser import OnValidation, TrainedDenoiser, fit_denoiser
from self2align.training.fitting import write_curve
from self2align.training.holding import hold, memory_limit, memory_of
from self2align.training.launched import is_first
from self2align.training.ranks import shared_workspace
from self2align.training.settings import TRAINED, CropSettings, DenoiserSettings
from self2align.training.starting import init_digest

FramesOf = Callable[[SceneRecord], NDArray[Any]]


def skip_baseline(out: Path, objective: str, noisy: Path) -> str | None:
    """Write empty outputs if a baseline needs clean frames and there are none; return why, or None to train it.

    Parameters
    ----------
    out
        Weights to write; curve and figures lie beside them.
    objective
        A key of `self2align.objectives.OBJECTIVES`.
    noisy
        Store of noisy frames, which records whether their noise is synthetic.
    """
    noise = NoiseSettings.recorded(FrameStore(noisy).attributes)
    if noise.at().synthetic or not load(OBJECTIVES, objective, "objective").supervised:
        return None
    why = "the footage has no clean frames"
    if not is_first():
        return why
    write_json(out.with_suffix(".json"), {"skipped": why})
    write_curve(out.with_suffix(".csv"), [])
    out.write_bytes(b"")
    return why


def train_on_frames(
    name: str,
    *,
    noisy: Path,
    frames: Path,
    pairs: Path,
    out: Path,
    settings: DenoiserSettings,
    crops: CropSettings,
    seed: int,
    bars: Bars,
    on_validation: OnValidation | None = None,
) -> TrainedDenoiser:
    """Train a network under an objective that takes no aligned pairs; write weights, curve and figures.

    Parameters
    ----------
    name
        Of the stage and its item.
    noisy, frames
        Store of noisy frames; folder of stores of clean ones, for objectives that need them.
    pairs
        Store of the pairs of the noisy frames, which records which of these say nothing about noise.
    out
        Weights to write; curve and figures lie beside them.
    settings, crops, seed
        What is trained, on which crops.
    bars
        Opens progress displays.
    on_validation
        See `self2align.training.denoiser.fit_denoiser`.
    """
    objective: Objective = load(OBJECTIVES, settings.objective, "objective")
    store = FrameStore(noisy)
    inputs = {"noisy": store.content, "pairs": PairStore(pairs).content, **init_digest(settings.init)}
    work = {**inputs, "settings": settings.deciding_checkpoint(), "crops": asdict(crops), "seed": seed}
    members = (objective.loss, load(NETWORKS, settings.network, "train_denoiser.network"))
    with shared_workspace(name.replace("@", "-"), work, train_on_frames, *members) as scratch:
        held, codings, columns, roles = baseline_crops(store, frames, pairs, crops, seed, objective.needs, scratch)
        trained = fit_denoiser(
            name,
            objective,
            Crops(held, codings, columns, roles, 0, None, inputs, seed, settings.normalise),
            settings=settings,
            last=TRAINED,
            noise=NoiseSettings.recorded(store.attributes),
            header={},
            scratch=scratch,
            out=out,
            bars=bars,
            on_validation=on_validation,
        )
        if is_first():
            write_json(out.with_suffix(".json"), trained.figures)
    return trained


def baseline_crops(
    store: FrameStore, frames: Path, pairs: Path, crops: CropSettings, seed: int, names: Sequence[str], folder: Path
) -> tuple[dict[str, NDArray[Any]], dict[str, Coding], dict[str, NDArray[np.float32]], NDArray[np.int8]]:
    """Return crops as stored, their codings, the noise of each row, and for each 0 (training) or 1 (validation).

    Parameters
    ----------
    store, frames, pairs
        Noisy frames; folder of stores of clean ones; store of the pairs of the noisy frames.
    crops, seed
        Which crops.
    names
        Any of "target" and "first" (the noisy frames), "second" (another fixed draw of their noise) and "clean".
    folder
        For what does not fit in memory.
    """
    size = crops.crop
    scenes, _ = usable_scenes(store, size)
    kept = recorded_frames(pairs, scenes)
    rows = one_per_target(
        plan_pairs(
            scenes,
            offsets=crops.offsets,
            targets=crops.targets_per_scene,
            crops=crops.crops_per_target,
            size=size,
            seed=seed,
            kept=kept,
            strides=recorded_strides(pairs, scenes),
        )
    )
    sources: dict[str, tuple[FramesOf, Callable[[SceneRecord], Coding]]] = {
        "target": (store.codes, store.coding),
        "first": (store.codes, store.coding),
        "second": (partial(_second, store, frames, seed), store.coding),
        "clean": (partial(_clean, frames), partial(_clean_coding, frames)),
    }
    held: dict[str, NDArray[Any]] = {}
    codings: dict[str, Coding] = {}
    budget = memory_limit()
    for name in names:
        frames_of, coding_of = sources[name]
        codings[name] = coding = common({coding_of(scene) for scene in scenes})
        crops_of = (coding.recode(cut, coding_of(scene)) for scene, cut in _crops(scenes, rows, size, frames_of))
        shape = (len(rows), store.channels(scenes[0]), size, size)
        held[name] = hold(name, crops_of, shape, np.dtype(coding.dtype), folder, budget)
        budget -= memory_of(held[name])
    roles = [0 if "pairs" in scenes[row.scene].roles else 1 for row in rows]
    noises = [scene_noise(store, scene, one or None) for scene, one in zip(scenes, kept, strict=True)]
    lines = np.array([one.line for one in noises], np.float32)[[row.scene for row in rows]]
    columns = {"noise_gain": lines[:, 0].copy(), "noise_read": lines[:, 1].copy()}
    return held, codings, columns, np.array(roles, np.int8)


def one_per_target(rows: Sequence[PairCrop]) -> list[PairCrop]:
    """Return the crops of each target once: those of its first neighbour, which are the same for the others.

    The order is that of `self2align.stores.pairs.PairStore.groups`, so a step draws the same crops from both.
    """
    first: dict[tuple[int, int], int] = {}
    return [row for row in rows if first.setdefault((row.scene, row.target), row.source) == row.source]


def _clean(frames: Path, scene: SceneRecord) -> NDArray[Any]:
    store = opened(frames / f"{scene.source}.zarr")
    return store.codes(store.scene(scene.title))


def _clean_coding(frames: Path, scene: SceneRecord) -> Coding:
    store = opened(frames / f"{scene.source}.zarr")
    return store.coding(store.scene(scene.title))


def _second(store: FrameStore, frames: Path, seed: int, scene: SceneRecord) -> NDArray[Any]:
    clean_store = opened(frames / f"{scene.source}.zarr")
    clean = clean_store.frames(clean_store.scene(scene.title))
    noise = NoiseSettings.recorded(store.attributes)
    return second_draw(clean, store.coding(scene), scene.title, noise=noise, seed=seed)


def _crops(
    scenes: Sequence[SceneRecord], rows: Sequence[PairCrop], size: int, frames_of: FramesOf
) -> Iterator[tuple[SceneRecord, NDArray[Any]]]:
    for number, crops in groupby(rows, lambda crop: crop.scene):
        codes = frames_of(scenes[number])
        yield (
            scenes[number],
            np.stack([codes[c.target, :, c.top : c.top + size, c.left : c.left + size] for c in crops]),
        )
