"""Measures of an alignment against clean frames or the true field."""

import math

import torch
from torch import Tensor

from self2align.alignment.warp import warp


def endpoint_error(transfer: Tensor, true: Tensor, visible: Tensor) -> float:
    """Return the mean distance between two fields over visible pixels, px.

    Parameters
    ----------
    transfer, true
        ``(N, 2, H, W)``, px.
    visible
        ``(N, H, W)``, bool.
    """
    distance = torch.linalg.vector_norm(transfer - true, dim=1)
    return float(distance[visible].mean())


def aligned_psnr(clean_target: Tensor, clean_source: Tensor, transfer: Tensor, weights: Tensor | None = None) -> float:
    """Return the PSNR of the clean source, warped, against the clean target, dB.

    Parameters
    ----------
    clean_target, clean_source
        ``(N, C, H, W)`` in [0, 1].
    transfer
        ``(N, 2, H, W)``, px.
    weights
        ``(N, H, W)``; None weighs all pixels the same.

    Returns
    -------
    float
        Infinite for equal frames; NaN where nothing has weight.
    """
    error = ((warp(clean_source, transfer) - clean_target) ** 2).mean(1)
    if weights is None:
        weights = torch.ones_like(error)
    total = float(weights.sum())
    mean = float((error * weights).sum()) / total if total else math.nan
    return math.inf if mean == 0 else -10 * math.log10(mean)


def most_trusted(confidence: Tensor, coverage: float) -> Tensor:
    """Return 1 for the given share of pixels with the highest confidence, else 0, ``(N, H, W)``.

    Aligners are thus compared over the same number of pixels, each over its own most trusted ones.
    """
    flat = confidence.flatten()
    chosen = flat.argsort(descending=True, stable=True)[: round(coverage * len(flat))]
    return torch.zeros_like(flat).index_fill(0, chosen, 1).view_as(confidence)


def warped_noise(target_noise: Tensor, source_noise: Tensor, transfer: Tensor) -> tuple[float, float]:
    """Return two numbers that reveal a field that fits the noise.

    Parameters
    ----------
    target_noise, source_noise
        Noisy minus clean, ``(N, C, H, W)``.
    transfer
        The field estimated from the noisy frames, ``(N, 2, H, W)``, px.

    Returns
    -------
    ratio
        Standard deviation of the warped noise relative to the noise: 0.67 for bilinear sampling at random fractions,
        0.5 if every sample falls between four pixels, as with a collapsed aligner.
    correlation
        Of the warped noise with the noise of the target: 0 unless the field fits the noise.
    """
    moved = warp(source_noise, transfer)
    ratio = float(moved.std() / source_noise.std())
    a, b = moved - moved.mean(), target_noise - target_noise.mean()
    return ratio, float((a * b).mean() / (a.std() * b.std()))
