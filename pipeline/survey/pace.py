"""An estimate of the computing time on this machine, from a few timed steps of each training and one timed pair."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from self2align.alignment import LOSSES
from self2align.alignment.aligned import align_both
from self2align.alignment.aligner import Aligner
from self2align.alignment.loading import make_aligner
from self2align.networks.network import build_network
from self2align.networks.normalised import LEVEL, Normalised
from self2align.objectives import OBJECTIVES
from self2align.objectives.objective import Loss
from self2align.params.schema import Params
from self2align.runtime.devices import device, place, use_bfloat16
from self2align.runtime.families import load as load_member
from self2align.runtime.workers import exact_threads, workers
from self2align.training.loop import train
from self2align.training.settings import TrainingSettings

STEPS = 5  # timed; the first is left out, and the fastest of the others counts: other work disturbed it least


def seconds(params: Params, frames: NDArray[np.float32], scenes: int) -> dict[str, float]:
    """Return the computing time of each stage that takes long, in seconds, by name.

    Parameters
    ----------
    params
        Parameters of a project on noisy footage: one aligner, objective on aligned neighbours.
    frames
        Two neighbouring frames, ``(2, C, H, W)``.
    scenes
        Number of scenes that pairs are made from.
    """
    channels, pairs = frames.shape[1], params.generate_pairs
    chosen = params.train_ian.aligners[pairs.aligner]
    aligner = make_aligner(chosen.kind, channels, chosen.arguments)
    times = {}
    if chosen.training is not None and isinstance(aligner, nn.Module):
        loss, training = load_member(LOSSES, chosen.loss, "loss"), chosen.training.settings()
        times["train_ian"] = training.steps * _step(aligner, loss, _frames_batch(training, channels), training)
    aligned = scenes * pairs.targets_per_scene * 2 * len(pairs.offsets)
    times["generate_pairs"] = aligned * _pair(aligner, frames) / workers()
    denoiser = params.train_denoiser
    network = build_network(denoiser.network, channels, denoiser.arguments)
    if denoiser.normalise:
        network = Normalised(network)
    loss = load_member(OBJECTIVES, denoiser.objective, "train_denoiser.objective").loss
    training = denoiser.training.settings()
    batch = _neighbours_batch(training, channels, 2 * len(pairs.offsets))
    times["train_denoiser"] = training.steps * _step(network, loss, batch, training)
    return times


def duration_text(duration: float) -> str:
    """Return a duration, given in seconds, with a suitable unit."""
    minutes = duration / 60
    if minutes < 1.5:
        return "a minute or less"
    return f"{minutes:.0f} minutes" if minutes < 100 else f"{minutes / 60:.1f} hours"


def _frames_batch(settings: TrainingSettings, channels: int) -> dict[str, Tensor]:
    shape = (settings.batch, channels, settings.crop, settings.crop)
    return {name: torch.rand(shape) for name in ("target", "source")}


def _neighbours_batch(settings: TrainingSettings, channels: int, neighbours: int) -> dict[str, Tensor]:
    count, side = settings.batch, settings.crop
    return {
        "target": torch.rand(count, channels, side, side),
        "warped": torch.rand(count, neighbours, channels, side, side),
        "confidence": torch.rand(count, neighbours, side, side),
        **{name: torch.ones(count) for name in ("keep", "gain", "offset", "white")},
        **{name: torch.full((count, 1, 1, 1), LEVEL) for name in ("level", "weight")},
    }


def _step(network: nn.Module, loss: Loss, batch: Mapping[str, Tensor], settings: TrainingSettings) -> float:
    """Return the seconds per training step: the fastest of a few, on one batch."""
    where = device()
    few = replace(settings, steps=STEPS, checkpoint_every=STEPS, log_every=STEPS, validate_every=STEPS)
    marks: list[float] = []

    def watch(*_: object) -> None:
        marks.append(time.perf_counter())

    with exact_threads(settings.threads), TemporaryDirectory() as folder:
        train(
            network,
            loss,
            lambda _: dict(batch),
            few,
            bfloat16=use_bfloat16(where, settings.precision),
            device=where,
            seed=0,
            purpose="pace",
            checkpoint=Path(folder) / "checkpoint",
            validation=[],
            watch=watch,
        )
    return float(np.diff(marks).min())


def _pair(aligner: Aligner, frames: NDArray[np.float32]) -> float:
    """Return the seconds for aligning two frames to each other, on one thread as in the stage."""
    where = device()
    placed: Any = place(aligner, where).eval() if isinstance(aligner, nn.Module) else aligner
    first, second = torch.from_numpy(frames).to(where)
    marks = []
    with exact_threads(1), torch.inference_mode():
        for _ in range(STEPS):
            marks.append(time.perf_counter())
            align_both(first, second, placed, True)
    return float(np.diff(marks).min())
