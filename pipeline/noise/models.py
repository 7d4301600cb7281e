"""Synthetic noise, drawn once a frame: frozen, as a camera would give it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.float32]
Noise = Callable[[Frames, np.random.Generator, float, float], Frames]


def gaussian(clean: Frames, generator: np.random.Generator, sigma: float, peak: float) -> Frames:
    """Add white Gaussian noise, unclipped.

    Parameters
    ----------
    clean
        Any shape, float32 in [0, 1].
    generator
        Gives the draw.
    sigma
        Standard deviation on the scale of 0 to 255.
    peak
        Not used.
    """
    return clean + generator.standard_normal(clean.shape, np.float32) * np.float32(sigma / 255)


def poisson(clean: Frames, generator: np.random.Generator, sigma: float, peak: float) -> Frames:
    """Replace each value by a count of photons over ``peak``, the expected count at white (1.0)."""
    counts = generator.poisson(np.maximum(clean, 0).astype(np.float64) * peak)
    return (counts / peak).astype(np.float32)


def poisson_gaussian(clean: Frames, generator: np.random.Generator, sigma: float, peak: float) -> Frames:
    """Photon noise of ``peak``, then read noise of ``sigma`` (Foi et al. 2008, equation 1)."""
    return gaussian(poisson(clean, generator, sigma, peak), generator, sigma, peak)


def none(clean: Frames, generator: np.random.Generator, sigma: float, peak: float) -> Frames:
    """Return footage untouched: it is noisy already."""
    return clean


NOISE: dict[str, Noise] = {
    "gaussian": gaussian,
    "none": none,
    "poisson": poisson,
    "poisson_gaussian": poisson_gaussian,
}


def reach(model: str, sigma: float, peak: float) -> tuple[float, float]:
    """Return the values that noisy frames can take: eight standard deviations beyond black and white."""
    read = sigma / 255 if model in ("gaussian", "poisson_gaussian") else 0.0
    shot = peak**-0.5 if model in ("poisson", "poisson_gaussian") else 0.0
    return -8 * read, 1 + 8 * float(np.hypot(read, shot))
