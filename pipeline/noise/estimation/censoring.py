"""Mean and variance of Gaussian noise that was clipped at black, at white, or at both."""

import numpy as np
import torch
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def normal(x: Numbers) -> Numbers:
    """Return the share of a normal distribution that lies below x."""
    share: Numbers = torch.special.ndtr(torch.from_numpy(x)).numpy()
    return share


def above(x: Numbers, sigma: Numbers | float) -> Numbers:
    """Return the mean of a Gaussian's part above 0: E max(0, X)."""
    ratio = x / sigma
    return np.asarray(x * normal(ratio) + sigma * _density(ratio))


def clipped_moments(x: Numbers, sigma: float, low: bool, high: bool) -> tuple[Numbers, Numbers]:
    """Return mean and variance of a Gaussian that was clipped at 0 if ``low`` and at 1 if ``high``.

    Equations 21 to 28 of Foi (2009), "Clipped noisy images: heteroskedastic modeling and practical denoising", in
    units of white.

    Parameters
    ----------
    x
        Means before clipping.
    sigma
        Standard deviation before clipping, above 0.
    """
    mean = above(x, sigma) if low else x
    square = _square_above(x, sigma) if low else x**2 + sigma**2
    if high:
        beyond = above(x - 1, sigma)
        mean = mean - beyond
        square = square - _square_above(x - 1, sigma) - 2 * beyond
    return mean, np.maximum(square - mean**2, 0)


def _density(ratio: Numbers) -> Numbers:
    return np.asarray(np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi))


def _square_above(x: Numbers, sigma: float) -> Numbers:
    """Return E max(0, X)^2."""
    ratio = x / sigma
    return np.asarray((x**2 + sigma**2) * normal(ratio) + x * sigma * _density(ratio))
