"""Measures of denoised series without clean frames, on the frames that training did not see."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from self2align.alignment.aligned import Aligned, align_both
from self2align.alignment.dis import Dis
from self2align.alignment.warp import warp
from self2align.evaluation.without_truth import (
    flat_noise,
    gain,
    kept_brightness,
    removed_structure,
    unsupervised_mse,
)
from self2align.runtime.spacing import evenly_spaced

Frames = NDArray[np.float32]
MOST = 12  # frames of a series that are measured
LEAST = 20  # frames of a series of which a part is held out


def held_out(count: int) -> int:
    """Return how many frames at the end are left out of training."""
    return count // 4 if count >= LEAST else 0


def aligned(noisy: Frames, single: Frames, scale: float, target: int, source: int) -> tuple[Frames, Frames, Any]:
    """Return a neighbour aligned on denoised frames: its noisy and its denoised frame, and where it is trusted."""
    known, other, raw = (torch.from_numpy(one / scale) for one in (single[target], single[source], noisy[source]))
    found: Aligned = align_both(known, other, Dis(len(known)), exposure=True)[0]
    sampled = warp(raw[None], found.transfer[None], "sinc")[0] * found.gain + found.offset
    return sampled.numpy(), found.warped.numpy(), found.confidence.numpy() > 0.5


def figures_of(noisy: Frames, result: Frames, single: Frames, scale: float) -> dict[str, Any]:
    """Return the measures of a result; see `self2align.evaluation.without_truth`.

    Parameters
    ----------
    noisy, result
        The recording and what became of it, ``(T, C, H, W)``.
    single
        The result of single frames, which gives structure: that of a neighbour has none of this frame's noise.
    scale
        Value that stands for 1.0.
    """
    count = len(noisy)
    first = count - held_out(count) if held_out(count) >= 4 else 0
    places = np.arange(max(first, 1), count - 2)
    places = places[evenly_spaced(len(places), MOST)]
    near = {step: [aligned(noisy, single, scale, at, at + step) for at in places] for step in (1, -1, 2)}
    raw = {step: np.stack([one[0] for one in part]) for step, part in near.items()}
    structure = np.stack([one[1] for one in near[1]])
    close = np.stack([one[2] for one in near[1]])
    trusted = close & np.stack([one[2] for one in near[-1]]) & np.stack([one[2] for one in near[2]])
    before, after = noisy[places] / np.float32(scale), result[places] / np.float32(scale)
    error = unsupervised_mse(before, raw[2], raw[1], raw[-1], trusted)
    left = unsupervised_mse(after, raw[2], raw[1], raw[-1], trusted)
    better = gain(before, after, raw[1], close)
    sigma = float(np.sqrt(max(error.value, 1e-12)))
    seen = removed_structure(before, after, structure, close)
    flat = flat_noise(before, after, structure)
    shades = kept_brightness(before, after, structure, close)
    worst = max(shades, key=lambda one: abs(one.change.value))
    return {
        "frames": len(places),
        "held out": bool(first),
        "trusted": float(close.mean()),
        "sigma of range": sigma,
        "structure": [seen.value, seen.error],
        "flat": [flat.noisy / sigma, flat.denoised / sigma, flat.structure / sigma],
        "error before and left, of before": [1.0, left.value / error.value],
        "gain": [better.value / error.value, better.error / error.value],
        "worst shade": [worst.change.value / sigma, worst.change.error / sigma, worst.brightness],
        "shades": [[one.brightness, one.change.value / sigma, one.change.error / sigma] for one in shades],
    }
