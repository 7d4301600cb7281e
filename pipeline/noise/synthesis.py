"""Noisy frames from clean ones: one frozen draw a frame."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.noise.models import NOISE, reach
from self2align.runtime.seeding import generator
from self2align.stores.codes import Coding
from self2align.stores.frames import FrameStore, Part, opened


def unclipped(model: str, sigma: float, peak: float, stretch: float = 1.0) -> Coding:
    """Return how noisy values are held: 16 bits, unclipped.

    Under read noise of four levels of 255 or more a step is an eighth of a level: rounding then adds a millionth
    to the noise's variance, and the low bits that nobody can compress are gone. Else all 65,536 steps are used.

    Parameters
    ----------
    model, sigma, peak
        See `self2align.noise.models`.
    stretch
        How far exposure compensation may take values beyond the noise's reach.
    """
    low, high = (edge * stretch for edge in reach(model, sigma, peak))
    low -= 0.5 * (stretch - 1)
    finest = (high - low) / 65535
    coarse = 1 / 2040 if "gaussian" in model and sigma >= 4 else finest
    return Coding("uint16", max(coarse, finest), low)


def scene_level(levels: tuple[float, float], seed: int, title: str) -> float:
    """Return the noise level of a scene, drawn evenly between two, on the scale of 0 to 255."""
    low, high = levels
    return low + (high - low) * float(generator(seed, "level", title).random())


def noisy_parts(stores: Sequence[FrameStore], model: str, levels: tuple[float, float], peak: float) -> list[Part]:
    """Return what to write for all scenes of some stores of clean frames; real footage keeps its own type."""
    parts = []
    for store in stores:
        for scene in store.scenes:
            coding = store.coding(scene) if model == "none" else unclipped(model, levels[1], peak)
            channels = store.codes(scene, 0, 1).shape[1]
            parts.append(Part(scene, coding, channels, str(store.path)))
    return parts


def fetch_noisy(
    model: str, levels: tuple[float, float], peak: float, seed: int, part: Part, start: int, stop: int
) -> NDArray[Any]:
    """Return noisy frames of a scene as held, ``(T, C, H, W)``; each frame's draw depends on its place alone."""
    store = opened(Path(part.handle))
    scene = store.scene(part.record.title)
    if model == "none":
        return store.codes(scene, start, stop)
    frames = []
    sigma = scene_level(levels, seed, scene.title)
    for number, clean in enumerate(store.frames(scene, start, stop), start):
        draw = generator(seed, "synthesize", scene.title, number)
        frames.append(part.coding.encode(NOISE[model](clean, draw, sigma, peak)))
    return np.stack(frames)


def second_draw(
    clean: NDArray[np.float32],
    coding: Coding,
    title: str,
    *,
    model: str,
    levels: tuple[float, float],
    peak: float,
    seed: int,
) -> NDArray[Any]:
    """Return another frozen draw of a scene's frames, as held: what Noise2Noise's perfect pairs need."""
    frames = []
    sigma = scene_level(levels, seed, title)
    for number, frame in enumerate(clean):
        draw = generator(seed, "second draw", title, number)
        frames.append(coding.encode(NOISE[model](frame, draw, sigma, peak)))
    return np.stack(frames)
