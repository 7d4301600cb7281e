"""SSIM of pairs: the paper's, and one with the noise removed."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from self2align.alignment.filters import gaussian_taps, low_pass, surround, surround_energy
from self2align.alignment.residuals import gaussian, high_pass, left_in_residual, typical_deviation
from self2align.noise.profile import NoiseProfile

C1, C2 = 0.01**2, 0.03**2  # Wang et al. 2004, for a data range of 1


def _window_mean(x: Tensor, taps: Tensor) -> Tensor:
    channels = x.shape[1]
    rows = functional.conv2d(x, taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return functional.conv2d(rows, taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def _moments(x: Tensor, y: Tensor, sigma: float, radius: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device) / sigma) ** 2)
    taps /= taps.sum()
    means = _window_mean(torch.cat([x, y, x * x, y * y, x * y], 1), taps).chunk(5, 1)
    mx, my, xx, yy, xy = means
    return mx, my, xx - mx * mx, yy - my * my, xy - mx * my


def pair_ssim(predict: Tensor, target: Tensor) -> Tensor:
    """Return F_SSIM of equation 7 for each pair.

    Gaussian window of 11 x 11 px, sigma 1.5 px, population covariance, data range 1, mean over the valid
    region and the channels: scikit-image's ``structural_similarity`` with the benchmark's settings.

    Parameters
    ----------
    predict, target
        ``(N, C, H, W)``, at least 11 px a side.

    Returns
    -------
    Tensor
        ``(N,)``, float64, in [-1, 1].
    """
    # float64: the variances of flat regions are differences of nearly equal numbers.
    mx, my, vx, vy, covariance = _moments(predict.double(), target.double(), 1.5, 5)
    value = ((2 * mx * my + C1) * (2 * covariance + C2)) / ((mx * mx + my * my + C1) * (vx + vy + C2))
    return value.mean((1, 2, 3))


BLUR = 1.5  # px, of the frames that ssim_filtered compares
WINDOW = 4.0  # px, sigma of its windows
# Bilinear sampling at a random fraction: pixels keep 0.45 of their noise variance, low-passed pixels all of it.
INTERPOLATED = 2 / 1.45


@dataclass(frozen=True)
class Remainder:
    """Noise in ``target - predict``: the median of its absolute high-pass, and what a low-pass leaves of it.

    Attributes
    ----------
    normal
        Deviation of the high-pass over the median.
    low
        Variance of the low-passed residual over that of the high-pass.
    """

    normal: float
    low: float


def remainder(noise: NoiseProfile | None) -> Remainder:
    """Return what `ssim_filtered` expects of white noise (None), or of the noise of a profile."""
    if noise is None or not noise.is_shared:
        taps = torch.tensor(gaussian_taps(BLUR), dtype=torch.float64)
        return Remainder(1.4826, float((taps**2).sum()) ** 2 * INTERPOLATED / (1 + surround_energy(BLUR)))
    return _coloured(noise.covariance.tobytes(), noise.variances.tobytes(), noise.covariance.shape)


@lru_cache(maxsize=16)
def _coloured(covariance: bytes, variances: bytes, shape: tuple[int, ...]) -> Remainder:
    known = np.frombuffer(variances).reshape(shape[0], -1)
    noise = NoiseProfile(np.linspace(0, 1, known.shape[1]), known, np.frombuffer(covariance).reshape(shape))
    high, low = left_in_residual(noise, high_pass(BLUR)), left_in_residual(noise, gaussian(BLUR))
    return Remainder(1 / typical_deviation(high, together=False), float(np.trace(low) / np.trace(high)))


def ssim_filtered(predict: Tensor, target: Tensor, noise: NoiseProfile | None = None) -> Tensor:
    """Return an SSIM that is near 1 for perfect alignment at any noise level.

    SSIM's structure term on low-passed frames. Windows are weighted by contrast (a ratio of sums, not a mean of ratios:
    flat windows contain only noise), and the contribution of the noise is subtracted from the differences. It is
    estimated by a robust high-pass of the residual, so neither sigma nor a clean frame is needed.

    Parameters
    ----------
    predict, target
        ``(N, C, H, W)``, exposure compensated.
    noise
        What neighbouring pixels and channels share of the noise; None for nothing.

    Returns
    -------
    Tensor
        ``(N,)`` in [0, 1], float64.
    """
    residual, known = (target - predict).double(), remainder(noise)
    high = (residual - surround(residual, BLUR)).abs().flatten(1).median(1).values * known.normal
    explained = high**2 * known.low
    x, y = low_pass(predict.double(), BLUR), low_pass(target.double(), BLUR)
    _, _, vx, vy, covariance = _moments(x, y, WINDOW, math.ceil(2.5 * WINDOW))
    common = (2 * covariance).mean((1, 2, 3)).clamp(min=0) + C2
    apart = ((vx + vy - 2 * covariance).mean((1, 2, 3)) - explained).clamp(min=0)
    return common / (common + apart)


BIN = 0.05
LOWEST = -0.2  # lower end of the histogram: the few lower scores are counted in its first bin


def histogram(ssim: NDArray[np.float32], filtered: NDArray[np.float32]) -> list[tuple[float, float, int, int]]:
    """Return the distribution of both scores: rows of bin start, bin end, pairs by ssim, pairs by ssim_filtered.

    Parameters
    ----------
    ssim, filtered
        ``(N,)``.
    """
    count = round((1 - LOWEST) / BIN)
    edges = np.round(LOWEST + BIN * np.arange(count + 1), 2)
    # Rounded: a float32 score at the lowest edge would lie below it.
    exact = [np.clip(values.astype(np.float64).round(6), LOWEST, 1) for values in (ssim, filtered)]
    counts = [np.histogram(values, edges)[0] for values in exact]
    return [(float(a), float(b), int(x), int(y)) for a, b, x, y in zip(edges[:-1], edges[1:], *counts, strict=True)]
