"""Photons that are counted one by one: most pixels hold 0, 1 or 2 of them.

Medians of such values are no measure of their noise, and their zeros look like noise that was cut off at black. But
their noise is known: the variance is the mean, in steps of one photon.
"""

import numpy as np

from self2align.noise.estimation.views import HIGH, SIDE, Values

FEW = 0.02  # of the pixels hold nothing, at the least; else the ordinary measures serve
SAMPLE, DISTINCT = 7, 64  # every so manieth value is looked at for steps; so many different ones are few photons
# Variance over mean, and pixels without a photon over those foretold, of photons counted one by one with means of 0.01
# to 3 on a scene of contrast 10: 0.98 to 1.09, and 0.98 to 1.02 (tests/noise/test_noise_words.py).
LIKE, EMPTY = 0.15, 0.06


def photon(frames: Values, blocks: Values, waves: Values) -> float:
    """Return the value of one photon; 0 if the frames do not hold photons counted one by one.

    Parameters
    ----------
    frames
        ``(T, C, H, W)``, of any unit.
    blocks, waves
        ``(..., 8, 8)``: blocks of them, and transformed; values from 0 to 1, 0 being the lowest of the frames.
    """
    known = np.unique(frames.ravel()[::SAMPLE])
    known = known[np.isfinite(known)]
    if len(known) < 2 or len(known) > DISTINCT or known[0] != 0:
        return 0.0
    step = float(np.diff(known).min())
    steps = known / step
    if np.abs(steps - np.rint(steps)).max() > 1e-3:
        return 0.0
    scale = float(np.nanmax(frames)) / step  # photons at 1.0
    means = waves[..., 0, 0].astype(np.float64) * (scale / SIDE)
    power = (waves[..., HIGH].astype(np.float64) ** 2).mean(-1) * scale**2
    empty = float((blocks <= 0).mean())
    if empty < FEW or not means.sum():
        return 0.0
    # The mean of a block is noisy itself, which raises the mean of its exponential.
    foretold = float(np.exp(-means - means / (2 * SIDE**2)).mean())
    alike = abs(power.sum() / means.sum() - 1) < LIKE and abs(empty / foretold - 1) < EMPTY
    return step if alike else 0.0
