"""Confidence in an alignment, computed without the noise that the denoiser must not learn.

The residual of a pixel is a low-pass that leaves out the target's value at that pixel. The disagreement that an aligner
expects depends on this value among hundreds of others: a change of three sigma changes the expectation by less than
1 %. Tests check that neither selects noise. A test on the pixel's own residual would keep the pixels whose noise agrees
with the neighbour's content, and bias what the denoiser learns.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from self2align.alignment.filters import surround, surround_energy
from self2align.alignment.residuals import around, high_pass, left_in_residual, left_in_target, typical_deviation
from self2align.alignment.warp import inside, warp
from self2align.noise.profile import NoiseProfile

RESIDUAL_BLUR = 2.0  # px; reduces noise to a seventh
# Blurs of the residual (px), their weights, and the noise that each leaves after bilinear sampling at a random
# fraction, relative to the noise in a high-pass. The finer one detects edges that are a fraction of a pixel off.
SCALES = ((1.0, 1 / 3, 1.25), (RESIDUAL_BLUR, 2 / 3, 1.38))
INCONSISTENT = 0.1  # weight of `inconsistency`; docs/decisions/alignment.md explains the choice of it and of SCALES
FORESEEN = 0.9  # weight of the disagreement that the aligner expects; the rest is that of the frames
THIN = 3  # px
BINS = 8  # classes of brightness, for noise that depends on it
FLOOR = (1.5 / 255) ** 2  # residual variance of a good alignment of clean frames


def inconsistency(forward: Tensor, backward: Tensor) -> Tensor:
    """Return how far the two fields are from being inverse, ``(N, H, W)``, at least 0.

    1 where ``|f + b|^2 = 0.01 (|f|^2 + |b|^2) + 0.5``, the limit of Sundaram et al. (2010); grows with the distance.
    """
    returned = warp(backward, forward)
    gap = ((forward + returned) ** 2).sum(1)
    allowed = 0.01 * ((forward**2).sum(1) + (returned**2).sum(1)) + 0.5
    return (gap / allowed).sqrt()


@dataclass(frozen=True)
class Shares:
    """What the filters of this module leave of the noise of ``target - warped``.

    Attributes
    ----------
    typical
        Median over the pixels of the mean absolute value of the channels, relative to the root of the mean variance.
    high
        Variance of the high-pass, relative to that of a pixel.
    scales
        For each of `SCALES`: blur, px; weight; and two factors of the variance of the low-passed residual: what
        sampling between pixels changes, and what the filter leaves of a frame's noise.
    """

    typical: float
    high: float
    scales: tuple[tuple[float, float, float, float], ...]


def shares(channels: int, noise: NoiseProfile | None) -> Shares:
    """Return the shares of white noise of C channels, or those of the noise of a profile."""
    if noise is None or not noise.is_shared:
        # The median over pixels of the mean of C absolute Gaussian values is 0.675 sigma for C = 1, 0.758 for C = 3.
        typical = math.sqrt(2 / math.pi) - 0.12 / channels
        scales = tuple((blur, weight, sampled, surround_energy(blur)) for blur, weight, sampled in SCALES)
        return Shares(typical, 1 + surround_energy(RESIDUAL_BLUR), scales)
    return _coloured(noise.covariance.tobytes(), noise.variances.tobytes(), noise.covariance.shape)


@lru_cache(maxsize=16)
def _coloured(covariance: bytes, variances: bytes, shape: tuple[int, ...]) -> Shares:
    """Return the shares of noise that pixels share; cached, since a profile serves all pairs of a scene."""
    known = np.frombuffer(variances).reshape(shape[0], -1)
    noise = NoiseProfile(np.linspace(0, 1, known.shape[1]), known, np.frombuffer(covariance).reshape(shape))
    high, pixel = (left_in_residual(noise, high_pass(RESIDUAL_BLUR)), left_in_target(noise, high_pass(RESIDUAL_BLUR)))
    # As for white noise, the unit is the noise of a frame whose high-pass alone has the variance that is found.
    sampled_high = np.trace(high) / np.trace(pixel)
    scales = []
    for blur, weight, _ in SCALES:
        left, residual = left_in_target(noise, around(blur)), left_in_residual(noise, around(blur))
        sampled = np.trace(residual) / np.trace(left) / sampled_high
        scales.append((blur, weight, float(sampled), float(np.trace(left) / len(left))))
    return Shares(typical_deviation(high, together=True), float(np.trace(pixel) / len(pixel)), tuple(scales))


def residual_noise_variance(target: Tensor, warped: Tensor, noise: NoiseProfile | None = None) -> Tensor:
    """Return the variance of ``target - warped`` that noise alone explains, by brightness, ``(N, H, W)``.

    Robust (median of a high-pass in each of eight classes of brightness), so a minority of misaligned places does not
    raise it. The profile tells what the high-pass leaves of the noise; None for white noise.
    """
    residual = target - warped
    high = (residual - surround(residual, RESIDUAL_BLUR)).abs().mean(1)
    known = shares(target.shape[1], noise)
    variance = (high / known.typical) ** 2 / known.high
    brightness = surround(target, RESIDUAL_BLUR).mean(1)
    result = torch.empty_like(variance)
    for one, bright, out in zip(variance, brightness, result, strict=True):
        # Every third row and column: enough for medians of thousands of values.
        some, shade = one[::THIN, ::THIN].flatten(), bright[::THIN, ::THIN].flatten()
        order = shade.argsort(stable=True)
        parts = order.tensor_split(BINS) if order.numel() >= 64 * BINS else (order,)
        levels = torch.stack([some[part].median() for part in parts])
        edges = torch.stack([shade[part[0]] for part in parts[1:]]) if len(parts) > 1 else shade[:0]
        out.copy_(levels[torch.bucketize(bright, edges, right=True)])
    return result


def disagreement(target: Tensor, warped: Tensor, noise: NoiseProfile | None = None) -> Tensor:
    """Return the squared low-passed residual, relative to what noise explains, ``(N, H, W)``.

    About 1 for perfect alignment at any noise level.

    Parameters
    ----------
    target, warped
        ``(N, C, H, W)``; exposure compensated.
    noise
        What neighbouring pixels and channels share of the noise; None for nothing.
    """
    residual, variance = target - warped, residual_noise_variance(target, warped, noise)
    total = torch.zeros_like(variance)
    for blur, weight, sampled, left in shares(target.shape[1], noise).scales:
        expected = variance * sampled * left + FLOOR
        total += weight * (surround(residual, blur) ** 2).mean(1) / expected
    return total


def confidence(
    target: Tensor,
    source: Tensor,
    warped: Tensor,
    forward: Tensor,
    backward: Tensor,
    expected: Tensor | None = None,
    noise: NoiseProfile | None = None,
) -> Tensor:
    """Return the confidence in an alignment.

    Parameters
    ----------
    target, source, warped
        ``(N, C, H, W)``; warped is the source sampled by ``forward``, exposure compensated.
    forward, backward
        Transfer fields target to source and source to target, ``(N, 2, H, W)``, px.
    expected
        The disagreement that the aligner expects, ``(N, H, W)``; None if it predicts none. See
        `self2align.alignment.aligner.estimate`.
    noise
        See `disagreement`.

    Returns
    -------
    Tensor
        ``(N, H, W)`` in [0, 1]: near 1 for a residual that noise explains, 0.5 for four times its variance; lower
        where the fields are not inverse; 0 out of the frame.
    """
    visible = inside(forward, *source.shape[-2:])
    # Not smoothed: the residuals of neighbouring pixels depend on the noise of this pixel.
    doubt = disagreement(target, warped, noise) + INCONSISTENT * inconsistency(forward, backward)
    if expected is not None:
        doubt = (1 - FORESEEN) * doubt + FORESEEN * expected
    return torch.exp(-math.log(2) * (doubt / 4) ** 2) * visible
