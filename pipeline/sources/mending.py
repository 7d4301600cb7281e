"""Footage for training without single pixels that are no light."""

from dataclasses import replace

import numpy as np

from self2align.noise.outliers import filled, isolated
from self2align.stores.scene import Scene

BEYOND = 2.0  # times white: no light, but a hot pixel or a cosmic ray


def mended(scene: Scene) -> tuple[Scene, int]:
    """Return a scene without single pixels far off all around them and beyond white, and their number.

    Raises
    ------
    ValueError
        If a value is not finite: it would spread over whatever is trained.
    """
    frames, count = scene.frames, 0
    for number, codes in enumerate(scene.frames):
        odd = codes.size - int(np.isfinite(codes).sum())
        if odd:
            raise ValueError(
                f"{scene.name}: found {odd} values that are not finite in frame {number}, expected finite ones for "
                "training: crop or fill them (denoise leaves such values as they are)"
            )
        values = scene.coding.decode(codes)
        beyond = np.abs(values) > BEYOND
        if not beyond.any():
            continue
        far = isolated(values) & beyond
        if far.any():
            frames = frames.copy() if frames is scene.frames else frames
            frames[number][far] = scene.coding.encode(filled(values, far))[far]
            count += int(far.sum())
    return (replace(scene, frames=frames) if count else scene), count
