"""The level of noise whose covariance is known, on single frames.

Noise of a known covariance has a known power at each frequency of a block. In the flattest blocks the power of a frame
over that is the level's square. Low frequencies, which hold most texture and choose the blocks, do not count. The
differences of the channels of RGB hold less texture: the least of all is the noise.
"""

import numpy as np
from numpy.typing import NDArray

from self2align.noise.estimation.views import CHROMA, LOW, ORDER, SIDE, Values, cut_blocks, transform
from self2align.noise.profile import NoiseProfile

FLAT, FEWEST = 0.1, 48  # share, and the least number, of the blocks that are measured: the flattest
SEEN = 0.05  # of the largest power of the noise: frequencies at which a codec left less show nothing
Numbers = NDArray[np.float64]


def level_of_shape(frame: Values, profile: NoiseProfile) -> float:
    """Return the standard deviation of the noise of a frame, in the mean of its channels.

    Parameters
    ----------
    frame
        ``(C, H, W)``, white being 1.0, at least 11 px each way.
    profile
        Noise of the same covariance, of any strength.
    """
    blocks, _ = cut_blocks(frame[None])
    waves = transform(blocks)[0].astype(np.float64)
    strength = np.sqrt(profile.variances.mean(1) / max(float(profile.variances.mean()), 1e-20))
    power = wave_power(profile) * (strength[:, None] * strength)[..., None, None]
    channels = [_level(wave, power[one, one]) for one, wave in enumerate(waves)]
    found = [float(np.mean(channels))]
    if len(frame) == CHROMA.shape[1]:
        found += [_level(np.tensordot(one, waves, 1), np.einsum("i,j,ijkl->kl", one, one, power)) for one in CHROMA]
    # Texture only adds.
    return min(found)


def wave_power(profile: NoiseProfile) -> Numbers:
    """Return the power of noise of unit variance in the waves of a block, ``(C, C, 8, 8)``."""
    place = np.arange(SIDE)
    basis = np.sqrt(2 / SIDE) * np.cos(np.pi * place[:, None] * (2 * place + 1) / (2 * SIDE))
    basis[0] /= np.sqrt(2)
    reach = profile.reach
    # Of a wave at one place and at another: what a covariance at that distance adds to its power.
    lagged = np.array(
        [
            [one[max(0, -lag) :][: SIDE - abs(lag)] @ one[max(0, lag) :][: SIDE - abs(lag)] for one in basis]
            for lag in range(-reach, reach + 1)
        ]
    )
    return np.asarray(np.einsum("ijyx,yk,xl->ijkl", profile.covariance, lagged, lagged))


def _level(waves: Numbers, power: Numbers) -> float:
    """Return the level of blocks, ``(N, 8, 8)``, over noise of this power."""
    low = (waves[:, LOW] ** 2).mean(1)
    flat = np.argsort(low, kind="stable")[: max(FEWEST, round(FLAT * len(low)))]
    shown = (ORDER > 4) & (power > SEEN * power.max())
    ratios = (waves[flat] ** 2).mean(0)[shown] / power[shown]
    return float(np.sqrt(np.median(ratios)))
