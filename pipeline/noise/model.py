"""What a model of synthetic noise is, what it draws from, and the settings that parameters and stores hold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from self2align.noise import NOISE
from self2align.runtime.families import load

REACH = 8  # standard deviations beyond black and white that stored values can hold


class Draw(Protocol):
    """A source of random numbers. The model calls it in a fixed order, so results repeat."""

    def normal(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return standard normal deviates."""
        ...

    def photons(self, clean: NDArray[Any], peak: float) -> NDArray[Any]:
        """Return Poisson counts with the expectation ``peak * clean``, divided by ``peak``."""
        ...


class NoiseModel(Protocol):
    """A model of noise with its parameters: the same object makes frames noisy and the benchmark's test images.

    Attributes
    ----------
    synthetic
        Whether noise is added; False for real footage, whose noise has no model.
    uses_sigma
        Whether sigma has an effect.
    signal_dependent
        Whether the noise depends on the clean value. If not, the clean image is not needed to advance a random stream.
    level
        Standard deviation that methods are told, white being 1.0: read noise and shot noise at middle gray together.
    line
        a and b of the variance ``a x + b`` at a clean value x (Foi et al. 2008, equation 1).
    reach
        Lowest and highest value that a noisy frame can take in practice (`REACH` standard deviations).
    """

    synthetic: bool
    uses_sigma: bool
    signal_dependent: bool

    def __init__(self, sigma: float, peak: float) -> None:
        """Set the parameters.

        Parameters
        ----------
        sigma
            Standard deviation of Gaussian noise on the scale 0 to 255.
        peak
            Expected photons at white.
        """
        ...

    @property
    def level(self) -> float:
        """See the class."""
        ...

    @property
    def line(self) -> tuple[float, float]:
        """See the class."""
        ...

    @property
    def reach(self) -> tuple[float, float]:
        """See the class."""
        ...

    def sample(self, clean: NDArray[Any], draw: Draw) -> NDArray[Any]:
        """Return a noisy version of clean values, unclipped.

        Parameters
        ----------
        clean
            Any shape, float32, white being 1.0.
        draw
            Source of the noise.
        """
        ...

    def describe(self) -> str:
        """Return the noise in a few words: "Gaussian noise, sigma 25"."""
        ...


class FrameDraw:
    """Randomness for frames: a NumPy generator, in float32.

    Parameters
    ----------
    generator
        Derived from the seed and the frame's place; see `self2align.runtime.seeding`.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """See `Draw`."""
        return self.generator.standard_normal(shape, np.float32)

    def photons(self, clean: NDArray[np.float32], peak: float) -> NDArray[np.float32]:
        """See `Draw`."""
        counts = self.generator.poisson(np.maximum(clean, 0).astype(np.float64) * peak)
        return (counts / peak).astype(np.float32)


class PublishedDraw:
    """Randomness for the benchmark: the legacy stream of the published protocol, in float64.

    Parameters
    ----------
    stream
        The stream, which runs over all images; images are laid out ``(H, W, C)``.
    """

    def __init__(self, stream: np.random.RandomState) -> None:
        self.stream = stream

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """See `Draw`."""
        return np.asarray(self.stream.normal(size=shape))

    def photons(self, clean: NDArray[np.float32], peak: float) -> NDArray[np.float64]:
        """See `Draw`."""
        return np.asarray(self.stream.poisson(peak * clean) / peak)


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
    def gaussian(self) -> bool:
        """Return whether the noise is Gaussian, of any levels above 0."""
        model = self.at()
        return model.uses_sigma and not model.signal_dependent and self.sigma > 0

    @property
    def one_gaussian(self) -> bool:
        """Return whether the noise is Gaussian with one level for all scenes."""
        return self.gaussian and self.sigma_max is None

    def at(self, sigma: float | None = None) -> NoiseModel:
        """Return the model at a level; None for the lowest."""
        made: NoiseModel = load(NOISE, self.model, "synthesize.model")(
            self.sigma if sigma is None else sigma, self.peak
        )
        return made

    def describe(self) -> str:
        """Return the noise in a few words."""
        text = self.at().describe()
        return text if self.sigma_max is None or not self.at().uses_sigma else f"{text} to {self.sigma_max:g}"
