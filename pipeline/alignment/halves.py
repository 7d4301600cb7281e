"""What two independent estimates of a fixed pattern have in common, beyond chance."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from self2align.noise.profile import REACH

CHANCE = 4.0  # standard errors of what the halves have in common

Parts = tuple[float, float, float]


def shrunk(first: Tensor, second: Tensor) -> tuple[NDArray[np.float32], Parts, Parts]:
    """Return the mean of two independent estimates, each part of it multiplied by the share that both have in common.

    Parameters
    ----------
    first, second
        ``(C, H, W)``.

    Returns
    -------
    values
        ``(C, H, W)``.
    sigma
        Standard deviation that they have in common: of rows, of columns, of single pixels; 0 where it may be chance.
    kept
        By how much each of these parts was multiplied.
    """
    values = torch.zeros_like(first)
    sigma, kept = [], []
    halves = [first, second]
    for axis in (2, 1, None):
        parts = [half if axis is None else half.mean(axis, keepdim=True) for half in halves]
        halves = [half - part for half, part in zip(halves, parts, strict=True)]
        mean = (parts[0] + parts[1]) / 2
        common = float((parts[0] * parts[1]).mean())
        chance = chance_in_common(parts[0], parts[1])
        share = common / max(float(mean.square().mean()), 1e-30) if common > CHANCE * chance else 0.0
        values += share * mean
        sigma.append(common**0.5 if share else 0.0)
        kept.append(share)
    return values.numpy(), (sigma[0], sigma[1], sigma[2]), (kept[0], kept[1], kept[2])


def chance_in_common(first: Tensor, second: Tensor) -> float:
    """Return the standard error of the mean product of two independent estimates.

    Pixels and channels share noise, which demosaicking and codecs make, so products are no independent values: their
    autocovariance is the product of those of the estimates (Bartlett 1946), here up to a distance of 7 px. Where both
    are noisier than elsewhere, they are more uncertain than their spectra tell.

    Parameters
    ----------
    first, second
        ``(C, H, W)``, of mean 0; H or W may be 1.
    """
    channels, height, width = first.shape
    size = height + REACH, width + REACH
    shared = []
    for one in (first, second):
        wave = torch.fft.rfft2(one, size)
        whole = torch.fft.irfft2(wave.conj()[:, None] * wave, size) / (height * width)
        shared.append(whole.roll((REACH, REACH), (-2, -1))[..., : 2 * REACH + 1, : 2 * REACH + 1])
    side = 2 * REACH + 1
    local = [functional.avg_pool2d(one**2, side, 1, REACH, count_include_pad=False) for one in (first, second)]
    uneven = float((local[0] * local[1]).mean() / (local[0].mean() * local[1].mean()).clamp(min=1e-30))
    independent = float((first.square().mean((1, 2)) * second.square().mean((1, 2))).sum())
    total = max(float((shared[0] * shared[1]).sum()), independent)
    return math.sqrt(uneven * total / (height * width)) / channels
