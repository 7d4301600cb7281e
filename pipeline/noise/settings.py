"""The noise of a store: what the parameters say of it, and what the store records."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from self2align.noise import NOISE
from self2align.noise.model import NoiseModel
from self2align.runtime.families import load


@dataclass(frozen=True)
class NoiseSettings:
    """A noise model with its parameters; one level for all scenes, or one per scene from a range.

    Attributes
    ----------
    model
        A key of `self2align.noise.NOISE`.
    sigma
        Standard deviation of Gaussian noise on the scale 0 to 255; with ``sigma_max`` the lowest of a range.
    sigma_max
        The highest sigma of a scene; None if all scenes have ``sigma``.
    peak
        Expected photons at white.
    """

    model: str
    sigma: float
    sigma_max: float | None
    peak: float

    @classmethod
    def recorded(cls, attributes: Mapping[str, Any]) -> "NoiseSettings":
        """Return the noise that a store's root attributes record."""
        return cls(**attributes["noise"])

    def record(self) -> dict[str, Any]:
        """Return the values that a store records."""
        return asdict(self)

    @property
    def levels(self) -> tuple[float, float]:
        """Return the lowest and the highest sigma of a scene."""
        return self.sigma, self.sigma if self.sigma_max is None else self.sigma_max

    @property
    def one_gaussian(self) -> bool:
        """Return whether the noise is Gaussian with one level for all scenes."""
        model = self.at()
        gaussian = model.uses_sigma and not model.signal_dependent
        return gaussian and self.sigma > 0 and self.sigma_max is None

    def at(self, sigma: float | None = None) -> NoiseModel:
        """Return the model at a level; None for the lowest."""
        made: NoiseModel = load(NOISE, self.model, "synthesize.model")(
            self.sigma if sigma is None else sigma, self.peak
        )
        return made

    def describe(self) -> str:
        """Return the noise in a few words."""
        text = self.at().describe()
        return text if self.sigma_max is None else f"{text} to {self.sigma_max:g}"
