"""What a model of synthetic noise is, what it draws from, and the settings that parameters and stores hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from self2align.noise import NOISE
from self2align.runtime.families import check_arguments, load
from self2align.runtime.seeding import generator as seeded
from self2align.stores.codes import Coding

REACH = 8  # standard deviations beyond black and white that stored values can hold
CAMERA = "camera"  # the model that takes arguments, the section `synthesize.camera`


class Draw(Protocol):
    """A source of random numbers. The model calls it in a fixed order, so results repeat."""

    def normal(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return standard normal deviates."""
        ...

    def photons(self, clean: NDArray[Any], peak: float) -> NDArray[Any]:
        """Return Poisson counts with the expectation ``peak * clean``, divided by ``peak``."""
        ...

    def sensor(self, part: str) -> "Draw":
        """Return a source of what belongs to the sensor: its numbers are the same for all frames of a camera."""
        ...


class NoiseModel(Protocol):
    """A model of noise with its parameters: the same object makes frames noisy and the benchmark's test images.

    Attributes
    ----------
    synthetic
        Whether noise is added to clean frames; False for real footage, whose noise has no model.
    measured
        Whether the noise of frames is to be measured, as that of real footage; False where ``line`` tells it exactly.
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
    measured: bool
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
    def coding(self) -> Coding | None:
        """Return how noisy frames are stored; None for 16 bits over ``reach``."""
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
        """Return a noisy version of a clean frame, unclipped unless the model has a coding of its own.

        Parameters
        ----------
        clean
            ``(C, H, W)``, float32, white being 1.0.
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
    camera
        Seed and keys of the camera's sensor.
    """

    def __init__(self, generator: np.random.Generator, camera: tuple[int, *tuple[str, ...]] = (0,)) -> None:
        self.generator, self.camera = generator, camera

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """See `Draw`."""
        return self.generator.standard_normal(shape, np.float32)

    def photons(self, clean: NDArray[np.float32], peak: float) -> NDArray[np.float32]:
        """See `Draw`."""
        counts = self.generator.poisson(np.maximum(clean, 0).astype(np.float64) * peak)
        return (counts / peak).astype(np.float32)

    def sensor(self, part: str) -> "FrameDraw":
        """See `Draw`."""
        return FrameDraw(seeded(*self.camera, part), self.camera)


class PublishedDraw:
    """Randomness for the benchmark: the legacy stream of the published protocol, in float64.

    Parameters
    ----------
    stream
        The stream, which runs over all images. It was published for images laid out ``(H, W, C)``: the numbers of
        frames, ``(C, H, W)``, are drawn in that order.
    """

    def __init__(self, stream: np.random.RandomState) -> None:
        self.stream = stream

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """See `Draw`."""
        return _channels_first(self.stream.normal(size=(*shape[1:], shape[0]) if len(shape) == 3 else shape))

    def photons(self, clean: NDArray[np.float32], peak: float) -> NDArray[np.float64]:
        """See `Draw`."""
        expected = np.ascontiguousarray(np.moveaxis(clean, 0, -1)) if clean.ndim == 3 else clean
        return _channels_first(self.stream.poisson(peak * expected) / peak)

    def sensor(self, part: str) -> "FrameDraw":
        """See `Draw`: one camera takes all test images; images of one size have one pattern."""
        return FrameDraw(seeded(0, "benchmark", part))


def _channels_first(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.moveaxis(values, -1, 0) if values.ndim == 3 else np.asarray(values)


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
        Expected photons at white; with ``peak_max`` the fewest of a range.
    peak_max
        The most photons at white of a scene; None if all scenes have ``peak``.
    camera
        Arguments of the model "camera" that differ from its defaults; see `self2align.noise.camera.Camera`.
    """

    model: str
    sigma: float
    sigma_max: float | None
    peak: float
    peak_max: float | None = None
    camera: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def recorded(cls, attributes: Mapping[str, Any]) -> "NoiseSettings":
        """Return the noise that a store's root attributes record."""
        return cls(**attributes["noise"])

    def record(self) -> dict[str, Any]:
        """Return the values that a store records: what is at its default and came later is left out."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        camera = dict(values.pop("camera"))
        if values["peak_max"] is None:
            del values["peak_max"]
        return values | ({"camera": camera} if camera and self.model == CAMERA else {})

    @property
    def levels(self) -> tuple[float, float]:
        """Return the lowest and the highest sigma of a scene."""
        return self.sigma, self.sigma if self.sigma_max is None else self.sigma_max

    @property
    def peaks(self) -> tuple[float, float]:
        """Return the fewest and the most photons at white of a scene."""
        return self.peak, self.peak if self.peak_max is None else self.peak_max

    @property
    def gaussian(self) -> bool:
        """Return whether the noise is Gaussian, of any levels above 0."""
        model = self.at()
        return model.uses_sigma and not model.signal_dependent and self.sigma > 0

    @property
    def one_gaussian(self) -> bool:
        """Return whether the noise is Gaussian with one level for all scenes."""
        return self.gaussian and self.sigma_max is None

    def at(self, sigma: float | None = None, peak: float | None = None) -> NoiseModel:
        """Return the model at a sigma and a peak; None for the lowest.

        Raises
        ------
        ValueError
            For an unknown model, or wrong arguments of a camera.
        """
        member = load(NOISE, self.model, "synthesize.model")
        arguments = self.camera if self.model == CAMERA else {}
        check_arguments(member, arguments, "synthesize.camera")
        made: NoiseModel = member(
            self.sigma if sigma is None else sigma, self.peak if peak is None else peak, **arguments
        )
        return made

    def describe(self) -> str:
        """Return the noise in a few words."""
        model = self.at()
        text = model.describe()
        if self.sigma_max is not None and model.uses_sigma:
            text = f"{text} to {self.sigma_max:g}"
        return text if self.peak_max is None or not model.signal_dependent else f"{text} (up to {self.peak_max:g})"
