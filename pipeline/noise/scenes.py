"""The noise of the scenes of a store: known where it was added, else measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from self2align.noise.estimation.estimate import estimate_noise
from self2align.noise.model import NoiseSettings
from self2align.noise.profile import NoiseProfile
from self2align.noise.synthesis import scene_model
from self2align.runtime.spacing import evenly_spaced
from self2align.stores.frames import FrameStore, SceneRecord

BLUR = 2.0  # px: the brightness at a pixel is that of its surroundings, which is hardly noisy
MEASURED = 5  # frames of a scene, evenly spaced
# Variance, white being 1.0: a codec takes more from a picture than the noise that it leaves.
LEAST_SHARED = (3 / 255) ** 2
LEAST = 1e-6  # of the variance of the frames: the least variance of noise, so that clean footage has some too


@dataclass(frozen=True)
class SceneNoise:
    """The noise of the frames of a scene, white being 1.0.

    Attributes
    ----------
    gain, read
        a and b of the variance ``a x + b`` at an expected value x.
    white
        Whether it is independent from pixel to pixel.
    """

    gain: float
    read: float
    white: bool = True

    @classmethod
    def of(cls, profile: NoiseProfile, frames: NDArray[np.float32]) -> "SceneNoise":
        """Return the noise of a profile, of one level whatever the brightness: gamma leaves no rising line.

        Parameters
        ----------
        profile
            The noise.
        frames
            Some of the scene, ``(T, C, H, W)``, white being 1.0: the level is that of their pixels in the mean.
        """
        read = usual_variance(profile, frames)
        return cls(0.0, read if profile.is_white else max(read, LEAST_SHARED), profile.is_white)

    @property
    def line(self) -> tuple[float, float]:
        """Return a and b."""
        return self.gain, self.read


def usual_variance(profile: NoiseProfile, frames: NDArray[np.float32]) -> float:
    """Return the variance of the noise in the mean of the pixels, by the brightness around each.

    Parameters
    ----------
    profile, frames
        See `SceneNoise.of`.
    """
    shade = gaussian_filter(frames, (0, 0, BLUR, BLUR), mode="nearest").swapaxes(0, 1)
    known = zip(shade, profile.variances, strict=True)
    return float(np.mean([np.interp(one, profile.levels, variances).mean() for one, variances in known]))


def some_frames(store: FrameStore, scene: SceneRecord, kept: Sequence[int] | None = None) -> NDArray[np.float32]:
    """Return frames of a scene, evenly spaced, ``(T, C, H, W)``, white being 1.0.

    Parameters
    ----------
    store, scene, kept
        See `scene_noise`.
    """
    known = range(scene.count) if kept is None else kept
    chosen = [known[at] for at in evenly_spaced(len(known), MEASURED).tolist()]
    return np.concatenate([store.frames(scene, at, at + 1) for at in chosen])


def scene_noise(store: FrameStore, scene: SceneRecord, kept: Sequence[int] | None = None) -> SceneNoise:
    """Return the noise of a scene.

    Of Gaussian and Poisson noise that was added they are known; of real footage, and of a simulated camera's, they are
    measured on some of its frames.

    Parameters
    ----------
    store, scene
        The footage.
    kept
        Numbers of the frames that may be measured; None for all.
    """
    model = scene_model(NoiseSettings.recorded(store.attributes), int(store.attributes["seed"]), scene.title)
    if not model.measured:
        return SceneNoise(*model.line)
    frames = some_frames(store, scene, kept)
    found = estimate_noise(frames)
    gain, read = found.line(frames)
    least = LEAST * float(frames.var(dtype=np.float64))
    if found.correlated:
        # Single frames show little of such noise.
        return SceneNoise(0.0, max(found.sigma**2, LEAST_SHARED), white=False)
    return SceneNoise(gain, max(read, least) if gain == 0 else read)
