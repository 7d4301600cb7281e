"""What clipping does to noise, and how its mean is undone.

A camera stores nothing below black and nothing above white. Of noise that reaches beyond, the mean of what is stored is
too bright in the dark and too dark in the light, by 0.4 sigma at black, and a denoiser, which estimates that mean,
learns it. The mean is a function of the true value alone where the noise is known, and rises with it, so that it can be
undone afterwards (Foi 2009, "Clipped noisy images: heteroskedastic modeling and practical denoising", section 5).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.noise.estimation.censoring import above, normal
from self2align.noise.estimation.estimate import estimate_noise

Values = NDArray[np.float32]
GRID = 2048
REACH = 6  # sigmas from an end, where clipping no longer shows
NEAR = (0.3, 2.0)  # sigmas from an end: nearer lie black bars, farther away next to nothing is clipped
FEW = 0.002  # of the pixels: with fewer so near an end there is nothing to undo
PHOTONS = 1.25  # of read noise: with less their counts, not a normal distribution, decide how many pixels are black
RESOLVED = 1.5  # codes, of sigma: with less, clipping adds half a code
# Pixels on the end over those foretold (tests/test_clipping.py). Clipped noise gives 0.8 to 1.2, photons that are
# counted one by one up to 2, where a codec took the noise off in the dark next to 0.
LIKELY = (0.6, 1.4)


@dataclass(frozen=True)
class Clipping:
    """Noise of variance ``gain x + read``, white being 1.0, and the ends at which it was clipped.

    Attributes
    ----------
    gain, read
        See `self2align.noise.estimation.estimate.NoiseEstimate`.
    low, high
        Whether at black, and whether at white.
    """

    gain: float
    read: float
    low: bool
    high: bool

    @property
    def ends(self) -> str:
        """Return the names of the ends."""
        return " and ".join(name for name, clipped in (("black", self.low), ("white", self.high)) if clipped)

    def sigma(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the noise's standard deviation at true values."""
        return np.sqrt(np.maximum(self.gain * x + self.read, 1e-12))

    def mean(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean of what is stored at true values; it rises with them."""
        sigma = self.sigma(x)
        found = above(x, sigma) if self.low else x
        return found - above(x - 1, sigma) if self.high else found

    def undo(self, values: Values) -> Values:
        """Return the true values that have these means; what lies between the ends of the range stays there.

        Parameters
        ----------
        values
            Denoised, any shape, white being 1.0. Beyond what a mean can be, they become black or white.
        """
        # Beyond white there is light as well, but nothing tells how much.
        x = self._grid()
        y = np.maximum.accumulate(self.mean(x))
        found = np.interp(values, y, x).astype(np.float32)
        outside = (values < 0) if not self.low else np.zeros_like(values, bool)
        outside |= (values > 1) if not self.high else np.zeros_like(values, bool)
        return np.where(outside, values, found)

    def _grid(self) -> NDArray[np.float64]:
        """Return values from black to white, dense where clipping bends the mean."""
        dark, light = np.outer(self.sigma(np.array([0.0, 1.0])), np.linspace(0, REACH, GRID))
        bent = np.concatenate([dark, 1 - light])
        return np.unique(np.concatenate([np.linspace(0, 1, GRID), bent[(bent > 0) & (bent < 1)]]))

    def told(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def find_clipping(noisy: Values, denoised: Values, step: float = 0.0) -> Clipping | None:
    """Return how the noise of some frames was clipped; None where it was not.

    An end counts where no pixel lies beyond it, and where of the pixels that are truly near it, but not on it, about
    as many lie on it as the noise's model foretells. So black bars, which have no noise, say nothing; where compression
    took the noise off in the dark, and where black is held above 0, nothing is undone. Nor is it where photons are
    counted one by one: their zeros are no noise cut off, and read noise of less than a photon shows such counts.

    Parameters
    ----------
    noisy, denoised
        ``(N, C, H, W)``, white being 1.0.
    step
        Distance of two codes; 0 for values that are not rounded.
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
    """Return whether a normal distribution explains how many pixels lie on an end, by their distance in sigmas."""
    near = (distance > NEAR[0]) & (distance < NEAR[1])
    if near.mean() < FEW:
        return False
    ratio = float(on[near].mean() / normal(-distance[near]).mean())
    return LIKELY[0] < ratio < LIKELY[1]
