"""The level of noise that neighbouring pixels share, told by the network that was trained on it.

Single frames do not tell it: at high frequencies, where texture is least, a codec leaves nothing of the noise, and at
low ones noise and scene look alike. The network tells them apart. In training it was told levels that are off
(`self2align.objectives.recorrupted_neighbours.UNSURE`), so what it takes off hardly depends on the level, and the level
is right where both are equal. Measured in docs/decisions/shared-noise.md.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

START = 6 / 255  # standard deviation of usual camera noise, white being 1.0, where nothing else is known
ROUNDS = 2  # from half or twice the level the third changes the result by less than 0.02 dB
WINDOW, WINDOWS = 256, 4  # px a side; so many windows of larger frames are looked at
LEAST, MOST = 0.004, 0.35  # of the range of the values


def consistent_level(noisy: Image, span: float, run: Callable[[Image, float], Image], start: float = START) -> float:
    """Return the standard deviation of a frame's noise: as strong as what the network takes off when it is told.

    Parameters
    ----------
    noisy
        ``(C, H, W)``, finite.
    span
        Range of its values.
    run
        Denoises an image for a level.
    start
        The level to start from.
    """
    parts = _windows(noisy)
    level = float(np.clip(start, LEAST * span, MOST * span))
    for _ in range(ROUNDS):
        taken = [np.square(part - run(part, level), dtype=np.float64).mean() for part in parts]
        level = float(np.clip(np.sqrt(np.mean(taken)), LEAST * span, MOST * span))
    return level


def _windows(noisy: Image) -> list[Image]:
    """Return the frame, or evenly spaced windows of a large one."""
    _, height, width = noisy.shape
    if height * width <= WINDOWS * WINDOW**2:
        return [noisy]
    tops, lefts = (
        np.linspace(0, max(length - WINDOW, 0), 4).round().astype(int).tolist()[1:3] for length in (height, width)
    )
    return [noisy[:, top : top + WINDOW, left : left + WINDOW] for top in tops for left in lefts]
