"""Noise that grows with brightness, in frames too small or too uneven for wide classes of brightness.

In a class of many brightnesses such noise differs from block to block, as texture does, and the flattest blocks are
its darkest ones. So blocks are divided by the noise that a line expects at their own brightness, and the line is
fitted again, to narrow classes. Where it is right, what is left is white noise of one level; texture is not.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from self2align.noise.estimation.measuring import Measure, measure
from self2align.noise.estimation.views import View

PER_CLASS = 32  # blocks, at the least, in a class: eight times less than where the level is one
TINY = 1e-12  # of the mean square of the values: what rounding leaves of frames without noise
ROUNDS = 3
LEAST = 0.01  # of the mean variance: the least that is expected
SPREAD = (0.02, 0.98)  # quantiles of the brightness of blocks
GROWTH = 0.35  # of the mean variance, between these: less is left to the wide classes
# Photographs with photon noise, and 13 of a microscope, leave dispersion 0.8 to 1.4, unevenness 0.8 to 1.27 and an
# error up to 0.04; their texture, where it shows, dispersion 1.6 to 12 or an error from 0.05.
EVEN, ALIKE, KNOWN = 1.5, 1.3, 0.05


def by_brightness(view: View, overlap: float, first: Measure) -> Measure | None:
    """Return noise that grows with brightness; None if it hardly does, or if that does not explain the blocks.

    Parameters
    ----------
    view, overlap
        See `measure`.
    first
        What `measure` found.
    """
    if first.clipped or first.variance <= TINY * float(np.square(view.means, dtype=np.float64).mean()):
        return None
    found = replace(first, gain=0.0, read=first.variance)
    for _ in range(ROUNDS):
        usual = _expected(view, found)
        waves = (view.waves / np.sqrt(usual, dtype=np.float32)[:, None, None]).astype(np.float32)
        found = measure(replace(view, waves=waves), overlap, least=PER_CLASS, usual=usual)
        if found.clipped or not _grows(view, found):
            return None
    explained = found.dispersion < EVEN and found.uneven < ALIKE and found.error < KNOWN
    return found if explained else None


def _expected(view: View, noise: Measure) -> NDArray[np.float64]:
    """Return the variance of the noise of each block, ``(N,)``, as a line tells it from its mean value."""
    line: NDArray[np.float64] = ((noise.gain * view.means.astype(np.float64) + noise.read) * view.shares).sum(1)
    most = max(float(line.mean()), np.finfo(np.float64).tiny)
    return np.maximum(line, LEAST * most)


def _grows(view: View, noise: Measure) -> bool:
    """Return whether the variance is another in dark and in bright blocks."""
    if not noise.gain:
        return False
    dark, bright = np.quantile(view.means, SPREAD)
    return bool(noise.gain * (bright - dark) > GROWTH * _expected(view, noise).mean())
