"""Photon noise."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from self2align.noise.model import REACH, Draw


@dataclass(frozen=True)
class Poisson:
    """Poisson counts of photons; ``peak`` is the expected count at white. See `self2align.noise.model.NoiseModel`."""

    sigma: float
    peak: float
    synthetic = True
    measured = False
    coding = None
    uses_sigma = False
    signal_dependent = True

    @property
    def level(self) -> float:
        """Return the standard deviation at middle gray, white being 1.0."""
        return float((0.5 / self.peak) ** 0.5)

    @property
    def line(self) -> tuple[float, float]:
        """Return a and b of the variance ``a x + b`` at a clean value x."""
        return 1 / self.peak, 0.0

    @property
    def reach(self) -> tuple[float, float]:
        """Return the lowest and the highest noisy value."""
        # Existing stores record the offset -0.0; its sign is part of their bytes.
        return -0.0, 1 + REACH * self.peak**-0.5

    def sample(self, clean: NDArray[Any], draw: Draw) -> NDArray[Any]:
        """Return counts over ``peak``."""
        return draw.photons(clean, self.peak)

    def describe(self) -> str:
        """Return the noise in a few words."""
        return f"Poisson noise, {self.peak:g} photons at white"
