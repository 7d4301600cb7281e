"""The noise of the scenes of a store: known where it was added, else measured."""

from collections.abc import Sequence

import numpy as np

from self2align.noise.estimation.estimate import estimate_noise
from self2align.noise.model import NoiseSettings
from self2align.noise.synthesis import scene_model
from self2align.runtime.spacing import evenly_spaced
from self2align.stores.frames import FrameStore, SceneRecord

MEASURED = 5  # frames of a scene, evenly spaced
LEAST = 1e-6  # of the variance of the frames: the least variance of noise, so that clean footage has some too


def scene_noise(store: FrameStore, scene: SceneRecord, kept: Sequence[int] | None = None) -> tuple[float, float]:
    """Return a and b of the variance ``a x + b`` of a scene's noise, white being 1.0.

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
        return model.line
    known = range(scene.count) if kept is None else kept
    chosen = [known[at] for at in evenly_spaced(len(known), MEASURED).tolist()]
    frames = np.concatenate([store.frames(scene, at, at + 1) for at in chosen])
    gain, read = estimate_noise(frames).line(frames)
    return gain, max(read, LEAST * float(frames.var(dtype=np.float64))) if gain == 0 else read
