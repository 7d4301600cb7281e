"""What the training stages share: stores held in memory, the loop run with a bar, the curve written as it grows."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from self2align.alignment import LOSSES
from self2align.alignment.loading import make_aligner, save_aligner
from self2align.objectives.objective import Loss
from self2align.params.schema import AlignerParams, TrainingParams
from self2align.runtime.devices import device, use_bfloat16
from self2align.runtime.families import load
from self2align.runtime.scratch import workspace, write_json
from self2align.runtime.seeding import derived_seed
from self2align.runtime.tables import write_rows
from self2align.runtime.workers import exact_threads
from self2align.stages.screen import bar, say
from self2align.stores.frames import FrameStore, SceneRecord
from self2align.stores.pairs import PairStore
from self2align.training.feed import Batch, Draw, FrameFeed, hold, memory_limit
from self2align.training.loop import Recipe, train

FIELDS = ("step", "loss", "validation", "learning_rate")


def write_curve(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write a training curve as CSV, whole or not at all."""
    lines = [[int(row["step"]), *(f"{row[name]:.6g}" if name in row else "" for name in FIELDS[1:])] for row in rows]
    write_rows(path, FIELDS, lines)


def start_network(make: Any, seed: int, *keys: str) -> Any:
    """Build a network with weights that depend on the seed and the keys alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, *keys) >> 65)
        return make()


def fit(
    name: str,
    network: nn.Module,
    loss: Loss,
    draw: Draw,
    settings: TrainingParams,
    seed: int,
    scratch: Path,
    validation: Sequence[Batch],
    out: Path,
    look: Callable[[], None] | None = None,
) -> list[dict[str, float]]:
    """Run the training loop under a bar; return its curve, which is written beside ``out`` as it grows.

    ``look`` is called after each validation.
    """
    where = device()
    half = use_bfloat16(where, settings.precision)
    began = time.monotonic()
    with bar(f"training {name}") as progress, exact_threads(settings.threads):
        written = 0

        def watch(done: int, value: float, curve: Sequence[Mapping[str, float]]) -> None:
            nonlocal written
            progress(done, settings.steps, f"loss {value:.5f}")
            if len(curve) > written:
                written = len(curve)
                write_curve(out.with_suffix(".csv"), curve)
                if look is not None and "validation" in curve[-1]:
                    look()

        trained = train(
            network,
            loss,
            draw,
            Recipe(**settings.model_dump(exclude={"batch", "crop", "precision", "threads"})),
            half=half,
            device=where,
            seed=seed,
            purpose=name,
            checkpoint=scratch / "checkpoint.safetensors",
            validation=validation,
            watch=watch,
        )
    seconds = time.monotonic() - began
    steps = settings.steps - trained.resumed
    if trained.resumed:
        say(f"resumed at step {trained.resumed} of {settings.steps}")
    kind = "bfloat16" if half else "float32"
    say(
        f"{steps} steps in {seconds:.0f} s, {1000 * seconds / max(steps, 1):.0f} ms a step "
        f"({trained.waited:.1%} of it waiting for data), {where.type}, {kind}"
    )
    # Wall-clock figures stay outside DVC's outputs: the same inputs give the same lock file.
    timing = {"steps": steps, "seconds": round(seconds, 1), "device": where.type, "precision": kind}
    timing["waited"] = round(trained.waited, 4)
    write_json(out.with_suffix(".timing.json"), timing)
    return trained.curve


def hold_scenes(store: FrameStore, scenes: Sequence[SceneRecord], folder: Path, budget: int, name: str) -> list[Any]:
    """Return the frames of scenes as held, each an array ``(T, C, H, W)``; mapped when over the budget."""
    held = []
    for number, scene in enumerate(scenes):
        first = store.codes(scene, 0, 1)
        shape = (scene.count, *first.shape[1:])
        blocks = (store.codes(scene, at, min(at + 16, scene.count)) for at in range(0, scene.count, 16))
        array = hold(f"{name}-{number}", blocks, shape, first.dtype, folder, budget)
        budget -= array.nbytes
        held.append(array)
    return held


def hold_pairs(store: PairStore, names: Sequence[str], folder: Path) -> dict[str, Any]:
    """Return arrays of the pair store as held, decoded once; mapped when over the budget."""
    budget, held = memory_limit(), {}
    shard = store.shard_rows()
    with bar("reading pairs") as progress:
        for number, name in enumerate(names):
            progress(number, len(names))
            array = store.array(name)
            blocks = (np.asarray(array[at : at + shard]) for at in range(0, store.count, shard))
            held[name] = hold(name, blocks, array.shape, array.dtype, folder, budget)
            budget -= held[name].nbytes
    return held


def fit_aligner(
    name: str,
    chosen: AlignerParams,
    store: FrameStore,
    channels: int,
    seed: int,
    header: Mapping[str, Any],
    out: Path,
) -> list[dict[str, float]]:
    """Train a learned aligner on neighbouring noisy frames of the scenes that have the role align; write it.

    Raises
    ------
    ValueError
        When there is no such scene, or none that a crop fits.
    """
    settings = chosen.training
    assert settings is not None
    assert chosen.loss is not None
    loss = load(LOSSES, chosen.loss, "loss")
    wanted = store.with_role("align")
    scenes = [scene for scene in wanted if min(scene.height, scene.width) >= settings.crop]
    if not scenes:
        raise ValueError(
            f"{store.path}: found {len(wanted)} scenes with the role 'align', none of at least "
            f"{settings.crop} x {settings.crop} px; expected at least one"
        )
    if len(scenes) < len(wanted):
        say(f"{len(wanted) - len(scenes)} of {len(wanted)} scenes are smaller than a crop of {settings.crop} px")
    inputs = {"aligner": chosen.model_dump(), "noisy": store.content, "seed": seed, "name": name}
    with workspace(f"train_ian-{name}", inputs) as scratch:
        held = hold_scenes(store, scenes, scratch, memory_limit(), "align")
        feed = FrameFeed(
            [{"frames": array} for array in held],
            [store.coding(scene) for scene in scenes],
            {"target": ("frames", 0), "source": ("frames", 1)},
            crop=settings.crop,
            batch=settings.batch,
            seed=seed,
            purpose=f"train_ian@{name}",
        )
        network = start_network(lambda: make_aligner(chosen.kind, channels, chosen.arguments), seed, "train_ian", name)
        curve = fit(f"train_ian@{name}", network, loss, feed, settings, seed, scratch, [], out)
        write_curve(out.with_suffix(".csv"), curve)
        save_aligner(out, network.to("cpu").eval(), header)
    return curve
