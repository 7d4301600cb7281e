"""Noisy frames from clean ones: one fixed draw of noise per frame, as a camera gives it."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.noise.model import FrameDraw, NoiseModel, NoiseSettings
from self2align.noise.pattern import FixedPattern, coding_without
from self2align.runtime.progress import Bars
from self2align.runtime.scratch import workspace
from self2align.runtime.seeding import generator
from self2align.stores.codes import Coding
from self2align.stores.frames import FrameStore, Part, SceneRecord, opened, write_frames


def unclipped(model: NoiseModel, sigma: float, stretch: float = 1.0) -> Coding:
    """Return how noisy values are stored: 16 bits, unclipped.

    With read noise of four levels of 255 or more, a step is an eighth of a level: rounding then adds a millionth to the
    variance of the noise, and the low bits, which do not compress, are gone. Otherwise all 65,536 steps are used.

    Parameters
    ----------
    model
        The noise at its highest level.
    sigma
        That level, on the scale 0 to 255.
    stretch
        Factor by which exposure compensation may extend the range of the noise.
    """
    low, high = (edge * stretch for edge in model.reach)
    low -= 0.5 * (stretch - 1)
    finest = (high - low) / 65535
    coarse = 1 / 2040 if model.uses_sigma and sigma >= 4 else finest
    return Coding("uint16", max(coarse, finest), low)


def noisy_coding(noise: NoiseSettings, stretch: float = 1.0) -> Coding:
    """Return how frames with this noise are stored; see `unclipped`."""
    return unclipped(noise.at(noise.levels[1]), noise.levels[1], stretch)


def warped_coding(noise: NoiseSettings, held: Collection[Coding], stretch: float) -> Coding:
    """Return how warped frames are stored: over the range of their noise, or of real footage that of its codes.

    Parameters
    ----------
    noise, stretch
        See `noisy_coding`.
    held
        How the frames are stored: one coding, or several where sources differ.
    """
    coding = noisy_coding(noise, stretch)
    shifted = [one for one in held if one.offset != 0]
    if noise.at().synthetic or not shifted:
        return coding
    ends = [stretch * end for one in shifted for end in one.reach]
    if len(shifted) < len(held):
        ends += coding.reach
    low, high = min(ends), max(ends)
    return Coding(coding.dtype, (high - low) / 65535, low)


def scene_level(levels: tuple[float, float], seed: int, title: str) -> float:
    """Return the sigma of a scene on the scale 0 to 255, drawn between two levels, uniformly in its logarithm.

    From 0 it is drawn uniformly.
    """
    low, high = levels
    drawn = float(generator(seed, "level", title).random())
    return low * (high / low) ** drawn if low else high * drawn


def scene_model(noise: NoiseSettings, seed: int, title: str) -> NoiseModel:
    """Return the noise of a scene: at the sigma and the peak that are drawn for it; see `scene_level`."""
    low, high = noise.peaks
    drawn = float(generator(seed, "exposure", title).random())
    return noise.at(scene_level(noise.levels, seed, title), low * (high / low) ** drawn)


def add_noise(
    stores: Sequence[FrameStore],
    *,
    noise: NoiseSettings,
    seed: int,
    out: Path,
    bars: Bars,
    pattern: FixedPattern | None = None,
) -> list[SceneRecord]:
    """Write the store of noisy frames of all scenes of some stores; return its scenes.

    Parameters
    ----------
    stores
        Clean frames, or real noisy footage for a model that is not synthetic.
    noise, seed
        The noise, and the seed of its draws; both are recorded in the store.
    out
        Store to write.
    bars
        Opens the progress display.
    pattern
        What is taken off every frame; what tells it from others is recorded in the store.

    Raises
    ------
    ValueError
        If the pattern does not fit the frames of a scene.
    """
    inputs = {"noise": noise.record(), "seed": seed, "frames": [store.content for store in stores]}
    if pattern is not None:
        inputs["fixed_pattern"] = pattern.digest
    fetch = partial(fetch_noisy, noise, seed, pattern)
    with workspace("synthesize", inputs, add_noise, type(noise.at())) as scratch, bars("adding noise") as progress:
        attributes = {"noise": noise.record(), "seed": seed}
        if pattern is not None:
            attributes["fixed_pattern"] = pattern.digest
        return write_frames(out, noisy_parts(stores, noise, pattern), fetch, attributes, scratch, progress)


def noisy_parts(stores: Sequence[FrameStore], noise: NoiseSettings, pattern: FixedPattern | None = None) -> list[Part]:
    """Return what to write for all scenes of some stores of clean frames.

    Real footage keeps its own type; less a fixed pattern, 8 bits do not hold it.
    """
    model = noise.at()
    coding = model.coding or noisy_coding(noise)
    parts = []
    for store in stores:
        for scene in store.scenes:
            channels = store.channels(scene)
            held = coding if model.synthetic else store.coding(scene)
            if pattern is not None:
                pattern.check(scene.title, channels, scene.height, scene.width)
                held = coding_without(held)
            parts.append(Part(scene, held, channels, str(store.path)))
    return parts


def fetch_noisy(
    noise: NoiseSettings, seed: int, pattern: FixedPattern | None, part: Part, start: int, stop: int
) -> NDArray[Any]:
    """Return noisy frames of a scene as stored, ``(T, C, H, W)``; the draw of a frame depends only on its place."""
    store = opened(Path(part.handle))
    scene, model = store.scene(part.record.title), noise.at()
    coding = model.coding or noisy_coding(noise) if model.synthetic else store.coding(scene)
    if model.synthetic:
        clean = store.frames(scene, start, stop)
        codes = _draw(clean, start, coding, scene.title, noise, seed, "synthesize")
    else:
        codes = store.codes(scene, start, stop)
    if pattern is None:
        return codes
    return np.stack([part.coding.encode(pattern.off_stored(frame, coding)) for frame in coding.decode(codes)])


def second_draw(
    clean: NDArray[np.float32], coding: Coding, title: str, *, noise: NoiseSettings, seed: int
) -> NDArray[Any]:
    """Return another fixed draw of the noise of a scene's frames, as stored: for Noise2Noise on perfect pairs."""
    return _draw(clean, 0, coding, title, noise, seed, "second draw")


def _draw(
    clean: NDArray[np.float32], start: int, coding: Coding, title: str, noise: NoiseSettings, seed: int, purpose: str
) -> NDArray[Any]:
    model = scene_model(noise, seed, title)
    # A source is a camera: its scenes have one sensor. Names of sources hold no "/".
    camera = (seed, "sensor", title.partition("/")[0])
    frames = []
    for number, frame in enumerate(clean, start):
        draw = FrameDraw(generator(seed, purpose, title, number), camera)
        # Video has values below black and above white, of which no model of noise knows.
        frames.append(coding.encode(model.sample(frame.clip(0, 1), draw)))
    return np.stack(frames)
