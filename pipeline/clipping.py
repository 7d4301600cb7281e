"""What clipping does to noise, and how its mean is undone.

A camera stores nothing below black and nothing above white. Of noise that reaches beyond, the mean of what is stored is
too bright in the dark and too dark in the light, by 0.4 sigma at black, and a denoiser, which estimates that mean,
learns it. The mean is a function of the true value alone where the noise is known, and rises with it, so that it can be
undone afterwards (Foi 2009, "Clipped noisy images: heteroskedastic modeling and practical denoising", section 5).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.estimation import estimate_noise

Values = NDArray[np.float32]
GRID = 4096
FEW = 0.005  # of the pixels: clipped less, there is nothing to undo
LIKELY = 0.5  # least share of the clipping that the noise's model foretells


def _normal(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of a normal distribution that lies below x."""
    share: NDArray[np.float64] = torch.special.ndtr(torch.from_numpy(x)).numpy()
    return share


def _above(x: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of a Gaussian's part above 0: E max(0, X)."""
    ratio = x / sigma
    density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(x * _normal(ratio) + sigma * density)


@dataclass(frozen=True)
class Clipping:
    """Noise of variance ``gain x + read``, white being 1.0, and the ends at which it was clipped.

    Attributes
    ----------
    gain, read
        See `pipeline.estimation.NoiseEstimate`.
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
        found = _above(x, sigma) if self.low else x
        return found - _above(x - 1, sigma) if self.high else found

    def undo(self, values: Values) -> Values:
        """Return the true values that have these means; what lies between the ends of the range stays there.

        Parameters
        ----------
        values
            Denoised, any shape, white being 1.0. Beyond what a mean can be, they become black or white.
        """
        # Beyond white there is light as well, but nothing tells how much.
        x = np.linspace(0, 1, GRID)
        y = np.maximum.accumulate(self.mean(x))
        found = np.interp(values, y, x).astype(np.float32)
        outside = (values < 0) if not self.low else np.zeros_like(values, bool)
        outside |= (values > 1) if not self.high else np.zeros_like(values, bool)
        return np.where(outside, values, found)

    def told(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def find_clipping(noisy: Values, denoised: Values) -> Clipping | None:
    """Return how the noise of some frames was clipped; None where it was not.

    An end counts where pixels lie on it as often as the noise's model foretells from the denoised frames: black bars
    have no noise, and where compression took it off in the dark there is nothing to undo.

    Parameters
    ----------
    noisy, denoised
        ``(N, C, H, W)``, white being 1.0.
    """
    noise = estimate_noise(noisy)
    both = Clipping(noise.gain, max(noise.read, noise.rounding), low=True, high=True)
    true = both.undo(denoised).astype(np.float64)
    sigma = both.sigma(true)
    foretold = float(_normal(-true / sigma).mean()), float(_normal((true - 1) / sigma).mean())
    found = float((noisy <= 0).mean()), float((noisy >= 1).mean())
    low, high = (seen > max(FEW, LIKELY * wanted) for seen, wanted in zip(found, foretold, strict=True))
    return Clipping(both.gain, both.read, low, high) if low or high else None
