"""The noise of the scenes of a store: known where it was added, else measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from self2align.noise.estimation.estimate import estimate_noise
from self2align.noise.model import NoiseSettings
from self2align.noise.profile import NoiseProfile
from self2align.noise.synthesis import scene_model
from self2align.runtime.spacing import evenly_spaced
from self2align.stores.frames import FrameStore, SceneRecord

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
    def of(cls, profile: NoiseProfile) -> "SceneNoise":
        """Return the noise of a profile, of one level whatever the brightness: gamma leaves no rising line."""
        read = float(np.mean(profile.variances))
        return cls(0.0, read if profile.is_white else max(read, LEAST_SHARED), profile.is_white)

    @property
    def line(self) -> tuple[float, float]:
        """Return a and b."""
        return self.gain, self.read


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
    known = range(scene.count) if kept is None else kept
    chosen = [known[at] for at in evenly_spaced(len(known), MEASURED).tolist()]
    frames = np.concatenate([store.frames(scene, at, at + 1) for at in chosen])
    found = estimate_noise(frames)
    gain, read = found.line(frames)
    least = LEAST * float(frames.var(dtype=np.float64))
    if found.correlated:
        # Single frames show little of such noise.
        return SceneNoise(0.0, max(found.sigma**2, LEAST_SHARED), white=False)
    return SceneNoise(gain, max(read, least) if gain == 0 else read)
