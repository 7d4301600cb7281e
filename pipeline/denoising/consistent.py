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

START = 0.02  # of the range of the values: usual camera noise
ALIKE = 1.25  # factor between what was told and what was taken off: nearer changes the result by less than 0.03 dB
ROUNDS = 3
# The network is told so much more than it found, in the end: what it takes off is less than there is.
RAISED = 2.0
WINDOW, WINDOWS = 256, 2  # px a side; so many windows of larger frames are looked at
# Of the range of the values. What the network takes off can be less than there is: of coarse noise of cameras a third.
LEAST, MOST = 0.01, 0.35


def consistent_level(noisy: Image, span: float, run: Callable[[Image, float], Image], start: float = 0.0) -> float:
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
        The level to start from, if it is more than that of usual camera noise.
    """
    parts = _windows(noisy)
    level = float(np.clip(start, START * span, MOST * span))
    for _ in range(ROUNDS):
        told = level
        taken = [np.square(part - run(part, told), dtype=np.float64).mean() for part in parts]
        level = float(np.clip(np.sqrt(np.mean(taken)), LEAST * span, MOST * span))
        if told / ALIKE < level < told * ALIKE:
            break
    return level


def _windows(noisy: Image) -> list[Image]:
    """Return the frame, or of a large one windows at a third and two thirds of its height and width."""
    _, height, width = noisy.shape
    if height * width <= WINDOWS * WINDOW**2:
        return [noisy]
    places = [
        [round(max(length - WINDOW, 0) * (at + 1) / (WINDOWS + 1)) for length in (height, width)]
        for at in range(WINDOWS)
    ]
    return [noisy[:, top : top + WINDOW, left : left + WINDOW] for top, left in places]
