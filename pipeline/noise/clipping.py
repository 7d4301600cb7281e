"""Detect clipped noise and correct the bias that clipping causes.

A camera clips values at black and at white. Clipping biases the mean of the stored values: too bright near black, by
0.4 sigma at black, and too dark near white. A denoiser estimates this mean and so learns the bias. If the noise is
known, the mean depends on the true value alone and increases with it, so the bias can be corrected afterwards
(Foi 2009, "Clipped noisy images: heteroskedastic modeling and practical denoising", section 5).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from self2align.noise.estimation import estimate_noise

Values = NDArray[np.float32]
GRID = 2048
REACH = 6  # distance from an end, in sigmas, beyond which clipping has no effect
NEAR = (0.3, 2.0)  # distances from an end, in sigmas; black bars are nearer, and farther away almost nothing is clipped
FEW = 0.002  # share of the pixels; if fewer are within NEAR of an end, clipping there is ignored
# Read noise in photons. With less, photon counts, not a normal distribution, determine how many pixels are black.
PHOTONS = 1.25
RESOLVED = 1.5  # sigma in codes; with less, clipping adds half a code
# Ratio of the observed to the predicted number of pixels at an end (tests/test_clipping.py). Clipped noise gives 0.8
# to 1.2, single photon counts up to 2, and footage in which a codec removed the noise in dark areas almost 0.
LIKELY = (0.6, 1.4)


def _normal(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal cumulative distribution at x."""
    share: NDArray[np.float64] = torch.special.ndtr(torch.from_numpy(x)).numpy()
    return share


def _above(x: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return E max(0, X) for a Gaussian X with mean x and standard deviation sigma."""
    ratio = x / sigma
    density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(x * _normal(ratio) + sigma * density)


@dataclass(frozen=True)
class Clipping:
    """Noise of variance ``gain x + read``, white being 1.0, and the ends of the range at which it was clipped.

    Attributes
    ----------
    gain, read
        See `self2align.noise.estimation.NoiseEstimate`.
    low, high
        Whether the noise was clipped at black, and whether at white.
    """

    gain: float
    read: float
    low: bool
    high: bool

    @property
    def ends(self) -> str:
        """Return the names of the clipped ends."""
        return " and ".join(name for name, clipped in (("black", self.low), ("white", self.high)) if clipped)

    def sigma(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard deviation of the noise at true values."""
        return np.sqrt(np.maximum(self.gain * x + self.read, 1e-12))

    def mean(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean of the stored values at true values; it increases with them."""
        sigma = self.sigma(x)
        found = _above(x, sigma) if self.low else x
        return found - _above(x - 1, sigma) if self.high else found

    def undo(self, values: Values) -> Values:
        """Return the true values that have these means; values within the range stay within it.

        Parameters
        ----------
        values
            Denoised, any shape, white being 1.0. Values outside the range of possible means become black or white.
        """
        # Light above white exists as well, but its amount cannot be recovered.
        x = self._grid()
        y = np.maximum.accumulate(self.mean(x))
        found = np.interp(values, y, x).astype(np.float32)
        outside = (values < 0) if not self.low else np.zeros_like(values, bool)
        outside |= (values > 1) if not self.high else np.zeros_like(values, bool)
        return np.where(outside, values, found)

    def _grid(self) -> NDArray[np.float64]:
        """Return values from black to white, dense where clipping biases the mean."""
        dark, light = np.outer(self.sigma(np.array([0.0, 1.0])), np.linspace(0, REACH, GRID))
        bent = np.concatenate([dark, 1 - light])
        return np.unique(np.concatenate([np.linspace(0, 1, GRID), bent[(bent > 0) & (bent < 1)]]))

    def told(self) -> dict[str, Any]:
        """Return the attributes as plain values."""
        return asdict(self)


def find_clipping(noisy: Values, denoised: Values, step: float = 0.0) -> Clipping | None:
    """Return how the noise of frames was clipped; None if it was not.

    An end counts as clipped if no pixel lies beyond it and if, among the pixels whose true value is near the end but
    not at it, about as many are stored at the end as the noise model predicts. Black bars have no noise and are
    ignored. No clipping is reported if compression removed the noise in dark areas or if the black level is above 0.
    The same holds for single photon counts (read noise below `PHOTONS` photons): their zeros are not clipped noise.

    Parameters
    ----------
    noisy, denoised
        ``(N, C, H, W)``, white being 1.0.
    step
        Difference between adjacent codes; 0 for values that are not rounded.
    """
    noise = estimate_noise(noisy, step)
    both = Clipping(noise.gain, max(noise.read, noise.rounding), low=True, high=True)
    true = both.undo(denoised).astype(np.float64)
    sigma = both.sigma(true)
    resolved = both.sigma(np.array([0.0, 1.0])) >= RESOLVED * step
    low = bool(resolved[0] and noisy.min() >= 0 and np.sqrt(both.read) > PHOTONS * both.gain)
    high = bool(resolved[1] and noisy.max() <= 1)
    low = low and _explained(noisy <= 0, (true - step / 2) / sigma)
    high = high and _explained(noisy >= 1, (1 - true - step / 2) / sigma)
    return Clipping(both.gain, both.read, low, high) if low or high else None


def _explained(on: NDArray[np.bool_], distance: NDArray[np.float64]) -> bool:
    """Return whether a normal distribution predicts the number of pixels at an end, given distances in sigmas."""
    near = (distance > NEAR[0]) & (distance < NEAR[1])
    if near.mean() < FEW:
        return False
    ratio = float(on[near].mean() / _normal(-distance[near]).mean())
    return LIKELY[0] < ratio < LIKELY[1]
