"""What filters leave of the noise of a target and of its aligned neighbour, where neighbouring pixels share it."""

import numpy as np
from numpy.typing import NDArray

from self2align.alignment.filters import gaussian_taps
from self2align.noise.profile import NoiseProfile

GRID = 64  # px: filters and the noise's reach fit in
DRAWS = 2**15  # for a median to a percent

# Bilinear sampling between pixels leaves a noise power that depends on the fraction f by f (1 - f) alone, 1/6 in the
# mean over all fractions: that of this one, exactly.
FRACTION = 0.5 - 12**-0.5

Taps = NDArray[np.float64]


def gaussian(sigma: float) -> Taps:
    """Return the taps of `self2align.alignment.filters.low_pass`, ``(n, n)``; sigma in px."""
    taps = np.array(gaussian_taps(sigma))
    return np.outer(taps, taps)


def around(sigma: float) -> Taps:
    """Return the taps of `self2align.alignment.filters.surround`, ``(n, n)``."""
    taps = gaussian(sigma)
    middle = len(taps) // 2
    taps[middle, middle] = 0.0
    return np.asarray(taps / taps.sum())


def high_pass(sigma: float) -> Taps:
    """Return the taps that leave the difference of a pixel from its surroundings, ``(n, n)``."""
    taps = -around(sigma)
    taps[len(taps) // 2, len(taps) // 2] += 1.0
    return taps


def left_in_target(noise: NoiseProfile, taps: Taps) -> Taps:
    """Return the covariance of the channels of a frame's noise after a filter, ``(C, C)``.

    Relative to the variance of the noise, in the mean of brightness and channels.
    """
    return _left(noise, np.abs(np.fft.fft2(taps, (GRID, GRID))) ** 2)


def left_in_residual(noise: NoiseProfile, taps: Taps) -> Taps:
    """Return the covariance of the channels of ``target - warped`` after a filter, ``(C, C)``.

    The noise of both frames is independent; the neighbour is sampled by `self2align.alignment.warp.warp`, bilinear,
    between pixels at random fractions. Relative to the variance of the noise of one frame.
    """
    between = np.array([1 - FRACTION, FRACTION])
    sampling = np.abs(np.fft.fft2(np.outer(between, between), (GRID, GRID))) ** 2
    return _left(noise, np.abs(np.fft.fft2(taps, (GRID, GRID))) ** 2 * (1 + sampling))


def _left(noise: NoiseProfile, response: Taps) -> Taps:
    deviations = np.sqrt(noise.variances.mean(1))
    scale = deviations / np.sqrt((deviations**2).mean()) if deviations.any() else np.ones_like(deviations)
    covariance = (noise.power(GRID) * response).mean((2, 3)).real
    return np.asarray(covariance * np.outer(scale, scale))


def typical_deviation(covariance: Taps, together: bool) -> float:
    """Return the median of absolute values of Gaussian noise, relative to the root of its mean variance.

    Parameters
    ----------
    covariance
        Of the channels, ``(C, C)``.
    together
        Whether each value is the mean over the channels of one pixel.
    """
    values, vectors = np.linalg.eigh(covariance)
    seed = np.random.default_rng(0).standard_normal((DRAWS, len(covariance)))
    absolute = np.abs(seed * np.sqrt(np.maximum(values, 0.0)) @ vectors.T)
    median = float(np.median(absolute.mean(1) if together else absolute))
    return median / max(float(np.sqrt(np.trace(covariance) / len(covariance))), 1e-12)
