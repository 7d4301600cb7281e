"""Draws of noise that has a measured profile, as strong as it is at the brightness of each pixel."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter

from self2align.noise.profile import NoiseProfile

BLUR = 2.0  # px: the brightness at a pixel is that of its surroundings, which is hardly noisy


class NoiseDrawing:
    """Gaussian noise of a profile for images of one size.

    White noise, filtered by the root of the power spectrum on a torus that exceeds the image by the noise's reach
    (circulant embedding: Dietrich and Newsam 1997). Some thirty times as fast as a convolution.

    Parameters
    ----------
    profile
        The noise.
    height, width
        Of the images, px.
    """

    def __init__(self, profile: NoiseProfile, height: int, width: int) -> None:
        self.profile, self.height, self.width = profile, height, width
        self.side = fft.next_fast_len(max(height, width) + 2 * profile.reach + 1, real=True)
        spectrum = profile.power(self.side)[..., : self.side // 2 + 1].transpose(2, 3, 0, 1)
        values, vectors = np.linalg.eigh(spectrum)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]) @ vectors.conj().swapaxes(2, 3)
        # Conjugate: `NoiseProfile.covariance` is that of ``n_i(x) n_j(x + d)``, the spectrum of a filter's result that
        # of ``n_i(x + d) n_j(x)``.
        self.root = np.ascontiguousarray(root.transpose(2, 3, 0, 1).conj(), np.complex64)

    def unit(self, draw: np.random.Generator) -> NDArray[np.float32]:
        """Return noise of unit variance, ``(C, H, W)``."""
        seed = draw.standard_normal((len(self.root), self.side, self.side), np.float32)
        noise = fft.irfft2(np.einsum("ij...,j...->i...", self.root, fft.rfft2(seed)), (self.side, self.side))
        return np.ascontiguousarray(noise[:, : self.height, : self.width], np.float32)

    def __call__(self, image: NDArray[np.float32], draw: np.random.Generator) -> NDArray[np.float32]:
        """Return noise as strong as that of a noisy image, ``(C, H, W)``, independent of the image's own."""
        shade = gaussian_filter(image, (0, BLUR, BLUR), mode="nearest")
        pairs = zip(shade, self.profile.variances, strict=True)
        variance = np.stack([np.interp(one, self.profile.levels, known) for one, known in pairs])
        return np.asarray(np.sqrt(variance) * self.unit(draw), np.float32)
