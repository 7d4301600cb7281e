"""No synthetic noise: real footage, which is noisy already."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from self2align.noise.model import Draw


@dataclass(frozen=True)
class Untouched:
    """Real noisy footage, passed through unchanged. See `self2align.noise.model.NoiseModel`."""

    sigma: float
    peak: float
    synthetic = False
    measured = True
    coding = None
    uses_sigma = False
    signal_dependent = False
    level = 0.0
    line = (0.0, 0.0)
    reach = (-0.0, 1.0)  # as `self2align.noise.poisson.Poisson.reach`

    def sample(self, clean: NDArray[Any], draw: Draw) -> NDArray[Any]:
        """Return the values unchanged."""
        return clean

    def describe(self) -> str:
        """Return the noise in a few words."""
        return "the footage's own noise"
