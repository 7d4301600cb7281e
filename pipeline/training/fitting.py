"""What all trainings share: arrays held in memory, the loop with a progress display, the curve written as it grows."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from self2align.objectives.objective import Loss
from self2align.runtime.devices import use_bfloat16
from self2align.runtime.progress import Bars
from self2align.runtime.scratch import write_json
from self2align.runtime.tables import write_rows
from self2align.runtime.workers import exact_threads
from self2align.stores.frames import FrameStore, SceneRecord
from self2align.stores.pairs import PairStore
from self2align.training.feed import Batch, Draw
from self2align.training.holding import hold, memory_limit, memory_of
from self2align.training.launched import is_first, processes
from self2align.training.loop import Trained, train
from self2align.training.ranks import agree, own_device
from self2align.training.settings import TrainingSettings

FIELDS = ("step", "loss", "validation", "learning_rate")


@dataclass(frozen=True)
class Fit:
    """A finished training: the rows of its curve, and lines for the user about how it went."""

    curve: list[dict[str, float]]
    notes: tuple[str, ...]


def write_curve(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write a training curve as CSV, completely or not at all."""
    lines = [[int(row["step"]), *(f"{row[name]:.6g}" if name in row else "" for name in FIELDS[1:])] for row in rows]
    write_rows(path, FIELDS, lines)


def fit(
    name: str,
    network: nn.Module,
    loss: Loss,
    draw: Draw,
    settings: TrainingSettings,
    *,
    seed: int,
    scratch: Path,
    validation: Sequence[Batch],
    out: Path,
    bars: Bars,
    on_validation: Callable[[], None] | None = None,
) -> Fit:
    """Run the training loop; the curve is written beside ``out`` as it grows.

    With several processes (`self2align.training.ranks`) the first one writes it, and calls ``on_validation``.

    Parameters
    ----------
    name
        Of the stage and its item; part of the random draws.
    network, loss, draw, settings, validation
        See `self2align.training.loop.train`.
    scratch
        Folder for the checkpoint.
    out
        The weights that will be written; the curve and the timing lie beside them.
    bars
        Opens the progress display.
    on_validation
        Called after each validation.
    """
    where = own_device()
    bfloat16 = use_bfloat16(where, settings.precision)
    kind = "bfloat16" if bfloat16 else "float32"
    agree("device and precision", [where.type, kind])
    began = time.monotonic()
    with bars(f"training {name}") as progress, exact_threads(settings.threads):
        written = 0

        def watch(done: int, value: float, curve: Sequence[Mapping[str, float]]) -> None:
            nonlocal written
            progress(done, settings.steps, f"loss {value:.5f}")
            if len(curve) > written and is_first():
                written = len(curve)
                write_curve(out.with_suffix(".csv"), curve)
                if on_validation is not None and "validation" in curve[-1]:
                    on_validation()

        trained = train(
            network,
            loss,
            draw,
            settings,
            bfloat16=bfloat16,
            device=where,
            seed=seed,
            purpose=name,
            checkpoint=scratch / "checkpoint.safetensors",
            validation=validation,
            watch=watch,
        )
    seconds = time.monotonic() - began
    # Times are no output of DVC: the same inputs give the same lock file.
    timing = {"steps": settings.steps - trained.resumed, "seconds": round(seconds, 1), "device": where.type}
    timing |= {"precision": kind, "waited": round(trained.waited, 4)}
    if processes() > 1:
        timing["processes"] = processes()
    if is_first():
        write_json(out.with_suffix(".timing.json"), timing)
    place = f"{where.type}, {kind}" + (f", {processes()} processes" if processes() > 1 else "")
    return Fit(trained.curve, _notes(trained, settings.steps, seconds, place))


def _notes(trained: Trained, steps: int, seconds: float, where: str) -> tuple[str, ...]:
    done = steps - trained.resumed
    resumed = (f"resumed at step {trained.resumed} of {steps}",) if trained.resumed else ()
    pace = f"{1000 * seconds / max(done, 1):.0f} ms per step ({trained.waited:.1%} waiting for data)"
    return (*resumed, f"{done} steps in {seconds:.0f} s, {pace}, {where}")


def hold_scenes(store: FrameStore, scenes: Sequence[SceneRecord], folder: Path, budget: int, name: str) -> list[Any]:
    """Return the frames of scenes as stored, an array ``(T, C, H, W)`` each; mapped from disk beyond the budget."""
    held = []
    for number, scene in enumerate(scenes):
        first = store.codes(scene, 0, 1)
        shape = (scene.count, *first.shape[1:])
        blocks = (store.codes(scene, at, min(at + 16, scene.count)) for at in range(0, scene.count, 16))
        array = hold(f"{name}-{number}", blocks, shape, first.dtype, folder, budget)
        budget -= memory_of(array)
        held.append(array)
    return held


def hold_pairs(store: PairStore, names: Sequence[str], folder: Path, bars: Bars) -> dict[str, Any]:
    """Return arrays of the pair store as stored, decoded once; mapped from disk beyond the budget."""
    budget, held = memory_limit(), {}
    shard = store.shard_rows()
    with bars("reading pairs") as progress:
        for number, name in enumerate(names):
            progress(number, len(names))
            array = store.array(name)
            blocks = (np.asarray(array[at : at + shard]) for at in range(0, store.count, shard))
            held[name] = hold(name, blocks, array.shape, array.dtype, folder, budget)
            budget -= memory_of(held[name])
    return held
