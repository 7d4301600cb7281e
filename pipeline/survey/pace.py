"""An estimate of the computing time on this machine, from a few timed steps of each training and one timed pair."""

import time
from collections.abc import Iterable, Mapping, Sequence
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

STEPS = 8  # timed; the first is left out
ALIKE = 1.3  # times: durations that differ by less are told as one

Span = tuple[float, float]  # seconds, at the pace of the fastest step and at the usual one


def seconds(params: Params, frames: NDArray[np.float32], scenes: int) -> dict[str, Span]:
    """Return the computing time of each stage that takes long, in seconds, by name: at the least, and as things are.

    Other work on the machine disturbs the fastest of a few steps least, so it tells the time without such work. The
    median tells the time if that work goes on.

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
        times["train_ian"] = times_of(
            training.steps, _steps(aligner, loss, _frames_batch(training, channels), training)
        )
    aligned = scenes * pairs.targets_per_scene * 2 * len(pairs.offsets)
    times["generate_pairs"] = times_of(aligned / workers(), _pairs(aligner, frames))
    denoiser = params.train_denoiser
    network = build_network(denoiser.network, channels, denoiser.arguments)
    if denoiser.normalise:
        network = Normalised(network)
    loss = load_member(OBJECTIVES, denoiser.objective, "train_denoiser.objective").loss
    training = denoiser.training.settings()
    batch = _neighbours_batch(training, channels, 2 * len(pairs.offsets))
    times["train_denoiser"] = times_of(training.steps, _steps(network, loss, batch, training))
    return times


def times_of(count: float, timed: Sequence[float]) -> Span:
    """Return the time for so many steps of which some were timed, by the fastest and by the median of these."""
    return count * float(np.min(timed)), count * float(np.median(timed))


def together(times: Iterable[Span]) -> Span:
    """Return the time of several stages, one after the other."""
    low, high = zip(*times, strict=True)
    return sum(low), sum(high)


def duration_text(duration: Span) -> str:
    """Return a duration, given in seconds from the least to the usual one, with a suitable unit."""
    low, high = (one / 60 for one in duration)
    if high < 1.5:
        return "a minute or less"
    if high > ALIKE * low:
        unit, factor, digits = ("minutes", 1, 0) if high < 100 else ("hours", 60, 1)
        least = 10.0**-digits
        ends = [f"{max(one / factor, least):.{digits}f}" for one in (low, high)]
        if ends[0] != ends[1]:
            return f"{ends[0]} to {ends[1]} {unit}"
    return f"{high:.0f} minutes" if high < 100 else f"{high / 60:.1f} hours"


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


def _steps(network: nn.Module, loss: Loss, batch: Mapping[str, Tensor], settings: TrainingSettings) -> list[float]:
    """Return the seconds of a few training steps on one batch."""
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
    return [float(one) for one in np.diff(marks)]


def _pairs(aligner: Aligner, frames: NDArray[np.float32]) -> list[float]:
    """Return the seconds for aligning two frames to each other a few times, on one thread as in the stage."""
    where = device()
    placed: Any = place(aligner, where).eval() if isinstance(aligner, nn.Module) else aligner
    first, second = torch.from_numpy(frames).to(where)
    marks = []
    with exact_threads(1), torch.inference_mode():
        for _ in range(STEPS):
            marks.append(time.perf_counter())
            align_both(first, second, placed, True)
    return [float(one) for one in np.diff(marks)]
