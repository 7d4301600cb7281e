"""Photon noise and read noise."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.noise.model import REACH, Draw


@dataclass(frozen=True)
class PoissonGaussian:
    """Photon noise of ``peak``, then read noise of ``sigma`` (Foi et al. 2008, equation 1).

    See `self2align.noise.model.NoiseModel`.
    """

    sigma: float
    peak: float
    synthetic = True
    measured = False
    coding = None
    uses_sigma = True
    signal_dependent = True

    @property
    def level(self) -> float:
        """Return the standard deviation at middle gray, white being 1.0."""
        return float(np.hypot(self.sigma / 255, (0.5 / self.peak) ** 0.5))

    @property
    def line(self) -> tuple[float, float]:
        """Return a and b of the variance ``a x + b`` at a clean value x."""
        return 1 / self.peak, (self.sigma / 255) ** 2

    @property
    def reach(self) -> tuple[float, float]:
        """Return the lowest and the highest noisy value."""
        read = self.sigma / 255
        return -REACH * read, 1 + REACH * float(np.hypot(read, self.peak**-0.5))

    def sample(self, clean: NDArray[Any], draw: Draw) -> NDArray[Any]:
        """Return counts over ``peak`` plus read noise."""
        counts = draw.photons(clean, self.peak)
        return counts + draw.normal(clean.shape) * (self.sigma / 255)

    def describe(self) -> str:
        """Return the noise in a few words."""
        return f"Poisson noise, {self.peak:g} photons at white, and Gaussian noise, sigma {self.sigma:g}"
