"""White Gaussian noise."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from self2align.noise.model import REACH, Draw


@dataclass(frozen=True)
class Gaussian:
    """White Gaussian noise of one standard deviation, unclipped. See `self2align.noise.model.NoiseModel`."""

    sigma: float
    peak: float
    synthetic = True
    measured = False
    coding = None
    uses_sigma = True
    signal_dependent = False

    @property
    def level(self) -> float:
        """Return the standard deviation, white being 1.0."""
        return self.sigma / 255

    @property
    def line(self) -> tuple[float, float]:
        """Return a and b of the variance ``a x + b`` at a clean value x."""
        return 0.0, self.level**2

    @property
    def reach(self) -> tuple[float, float]:
        """Return the lowest and the highest noisy value."""
        return -REACH * self.level, 1 + REACH * self.level

    def sample(self, clean: NDArray[Any], draw: Draw) -> NDArray[Any]:
        """Return clean values plus noise."""
        return clean + draw.normal(clean.shape) * self.level

    def describe(self) -> str:
        """Return the noise in a few words."""
        return f"Gaussian noise, sigma {self.sigma:g}"
