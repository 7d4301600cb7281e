"""Measuring aligners on scenes whose clean frames are known. No training uses these figures."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from self2align.alignment.aligner import estimate
from self2align.alignment.confidence import confidence
from self2align.alignment.exposure import compensate_exposure
from self2align.alignment.loading import load_aligner
from self2align.alignment.warp import warp
from self2align.evaluation.alignment_measures import aligned_psnr, endpoint_error, most_trusted, warped_noise
from self2align.noise.model import NoiseSettings
from self2align.pairs.plan import frame_pairs
from self2align.runtime.devices import device, finish
from self2align.runtime.progress import Progress
from self2align.runtime.workers import run_tasks
from self2align.stores.frames import FrameStore
from self2align.stores.scene import Truth

Row = dict[str, float | None]
UNALIGNED = "unaligned"
MEASURES = ("psnr", "psnr_confident", "coverage", "endpoint_error", "noise_ratio", "noise_correlation")


def _true_field(truth: Truth | None, target: int, source: int) -> tuple[Tensor, Tensor] | None:
    if truth is None:
        return None
    rows = np.flatnonzero((truth.target == target) & (truth.source == source))
    if not rows.size:
        return None
    row = int(rows[0])
    return torch.from_numpy(truth.transfer[row])[None], torch.from_numpy(~truth.occluded[row])[None]


def _load(paths: dict[str, Path]) -> dict[str, Any]:
    aligners: dict[str, Any] = {UNALIGNED: lambda target, source: torch.zeros_like(target[:, :2].expand(-1, 2, -1, -1))}
    return aligners | {name: load_aligner(path, device()) for name, path in paths.items()}


@torch.no_grad()
def evaluate_scene(
    noisy_path: Path,
    frames: Path,
    aligners: dict[str, Path],
    title: str,
    offsets: Sequence[int],
    pairs: int,
    coverage: float,
    exposure: bool,
) -> tuple[dict[str, Row], dict[str, float]]:
    """Return the measures of each aligner on one scene, and its seconds per frame pair (both directions).

    Parameters
    ----------
    noisy_path, frames
        Store of noisy frames; folder of stores of clean ones.
    aligners
        Name -> file.
    title
        Of the scene.
    offsets, pairs
        Frames between target and neighbour; limit of pairs per offset.
    coverage
        Share of the pixels, those with the highest confidence, used for ``psnr_confident``.
    exposure
        Whether gain and offset are compensated, as `generate_pairs` does it.
    """
    store = FrameStore(noisy_path)
    scene = store.scene(title)
    clean_store = FrameStore(frames / f"{scene.source}.zarr")
    clean_scene = clean_store.scene(title)
    truth = clean_store.truth(clean_scene)
    found: dict[str, list[Row]] = {}
    seconds: dict[str, float] = {}
    ready, warm = _load(aligners), False
    chosen = frame_pairs(scene.count, offsets, pairs)
    for first, second in chosen:
        # Clean frames in the type of the noisy ones, so their difference is the added noise.
        noisy = [torch.from_numpy(store.frames(scene, f, f + 1)).to(device()) for f in (first, second)]
        clean = [torch.from_numpy(clean_store.frames(clean_scene, f, f + 1)).to(device()) for f in (first, second)]
        both = torch.cat(noisy), torch.cat(noisy[::-1])
        known = _true_field(truth, first, second)
        for name, align in ready.items():
            if not warm:
                # The first call includes loading kernels and choosing algorithms.
                estimate(align, *both)
            finish(device())
            began = time.perf_counter()
            fields, expected = estimate(align, *both)
            finish(device())
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
            found.setdefault(name, []).append(measure_pair(noisy, clean, fields, expected, known, coverage, exposure))
        warm = True
    means = {name: _mean(rows) for name, rows in found.items()}
    return means, {name: total / max(len(chosen), 1) for name, total in seconds.items()}


def measure_pair(
    noisy: list[Tensor],
    clean: list[Tensor],
    fields: Tensor,
    expected: Tensor | None,
    known: tuple[Tensor, Tensor] | None,
    coverage: float,
    exposure: bool,
) -> Row:
    """Return the measures of one pair of frames, the second aligned to the first.

    Parameters
    ----------
    noisy, clean
        The two frames, each ``(1, C, H, W)``, white being 1.0.
    fields, expected
        Results of the aligner in both directions: ``(2, 2, H, W)``, px; see `self2align.alignment.aligner.estimate`.
    known
        The true field, ``(1, 2, H, W)``, and where it is visible, ``(1, H, W)``; None if unknown.
    coverage, exposure
        See `evaluate_scene`.
    """
    forward, backward = fields[:1], fields[1:]
    foreseen = None if expected is None else expected[:1]
    warped = warp(noisy[1], forward)
    warped, gain, offset = compensate_exposure(noisy[0], warped) if exposure else (warped, 1.0, 0.0)
    trust = confidence(noisy[0], noisy[1], warped, forward, backward, foreseen)
    lit = clean[1] * gain + offset
    ratio, correlation = warped_noise(noisy[0] - clean[0], noisy[1] - clean[1], forward)
    return {
        "psnr": aligned_psnr(clean[0], lit, forward),
        "psnr_confident": aligned_psnr(clean[0], lit, forward, most_trusted(trust, coverage)),
        "coverage": float(trust.mean()),
        "endpoint_error": None if known is None else endpoint_error(forward.cpu(), *known),
        "noise_ratio": ratio,
        "noise_correlation": correlation,
    }


def _mean(rows: Sequence[Row]) -> Row:
    means: Row = {}
    for name in MEASURES:
        values = [value for row in rows if (value := row[name]) is not None and math.isfinite(value)]
        means[name] = float(np.mean(values)) if values else None
    return means


def summarize(scenes: Sequence[dict[str, Row]]) -> dict[str, Row]:
    """Return the mean of each aligner over scenes, rounded so that summation order does not show."""
    names = list(scenes[0])
    means = {name: _mean([scene[name] for scene in scenes]) for name in names}
    return {
        name: {
            key: None if value is None or not math.isfinite(value) else round(value, 4) for key, value in row.items()
        }
        for name, row in means.items()
    }


@dataclass(frozen=True)
class AlignmentResults:
    """Measures of aligners on held-out scenes.

    Attributes
    ----------
    skipped
        Why nothing was measured; None if something was.
    rows
        One per aligner and scene: aligner, scene, and the values of `MEASURES` (empty where unknown).
    means
        Aligner -> measure -> mean over scenes.
    milliseconds
        Aligner -> time per frame pair, both directions.
    notes
        A line for each scene that was left out.
    """

    skipped: str | None
    rows: list[list[str]]
    means: dict[str, Row]
    milliseconds: dict[str, float]
    notes: tuple[str, ...]


def evaluate_aligners(
    noisy: Path,
    frames: Path,
    aligners: Mapping[str, Path],
    *,
    offsets: Sequence[int],
    pairs_per_scene: int,
    coverage: float,
    exposure: bool,
    progress: Progress,
) -> AlignmentResults:
    """Measure aligners on the scenes with the role test, against clean frames and true fields.

    Parameters
    ----------
    noisy, frames
        Store of noisy frames; folder of stores of clean ones.
    aligners
        Name -> weights.
    offsets, pairs_per_scene, coverage, exposure
        See `evaluate_scene`.
    progress
        Called with scenes done and all scenes.
    """
    store = FrameStore(noisy)
    candidates = store.with_role("test")
    scenes = [scene for scene in candidates if scene.count > min(offsets)]
    notes = tuple(
        f"left out {scene.title}: {scene.count} frames, too few for offsets {list(offsets)}"
        for scene in candidates
        if scene not in scenes
    )
    real = not NoiseSettings.recorded(store.attributes).at().synthetic
    if real or not scenes:
        why = "the footage has no clean frames" if real else "no scene with the role test is long enough"
        return AlignmentResults(why, [], {}, {}, notes)
    settings = (list(offsets), pairs_per_scene, coverage, exposure)
    tasks = [(noisy, frames, dict(aligners), scene.title, *settings) for scene in scenes]
    results = run_tasks(evaluate_scene, tasks, progress)
    rows = [
        [name, scene.title, *("" if row[key] is None else f"{row[key]:.4f}" for key in MEASURES)]
        for scene, (measures, _) in zip(scenes, results, strict=True)
        for name, row in measures.items()
    ]
    means = summarize([measures for measures, _ in results])
    pace = {name: 1000 * sum(seconds[name] for _, seconds in results) / len(results) for name in means}
    return AlignmentResults(None, rows, means, pace, notes)
