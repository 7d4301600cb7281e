"""The noise of the scenes of a store: known where it was added, else measured."""

import numpy as np

from self2align.noise.estimation import estimate_noise
from self2align.noise.model import NoiseSettings
from self2align.noise.synthesis import scene_level
from self2align.runtime.spacing import evenly_spaced
from self2align.stores.frames import FrameStore, SceneRecord

MEASURED = 5  # frames of a scene, evenly spaced


def scene_noise(store: FrameStore, scene: SceneRecord) -> tuple[float, float]:
    """Return a and b of the variance ``a x + b`` of a scene's noise, white being 1.0.

    Of synthetic noise they are known; of real footage they are measured on some of its frames.
    """
    noise = NoiseSettings.recorded(store.attributes)
    model = noise.at(scene_level(noise.levels, int(store.attributes["seed"]), scene.title))
    if model.synthetic:
        return model.line
    coding = store.coding(scene)
    chosen = evenly_spaced(scene.count, MEASURED).tolist()
    frames = np.concatenate([store.frames(scene, at, at + 1) for at in chosen])
    step = 0.0 if coding.dtype.startswith("float") else coding.scale
    found = estimate_noise(frames, step)
    if found.kind == "gaussian":
        return 0.0, found.sigma**2
    return found.gain, max(found.read, found.rounding)
