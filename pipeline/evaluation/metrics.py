"""PSNR and SSIM as the field's protocol defines them (Neighbor2Neighbor, section 4.1 and its code)."""

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

Image = NDArray[np.uint8]
WINDOW = 11  # px a side, of SSIM


def psnr(image: Image, clean: Image) -> float:
    """Return the PSNR over all channels, dB; infinite for equal images.

    Parameters
    ----------
    image, clean
        ``(C, H, W)``, 0 to 255.
    """
    if np.array_equal(image, clean):
        return float("inf")  # scikit-image divides by zero
    return float(peak_signal_noise_ratio(clean, image, data_range=255))  # type: ignore[no-untyped-call]


def ssim(image: Image, clean: Image) -> float:
    """Return the SSIM: Gaussian 11 x 11, sigma 1.5, population covariance, valid region, mean of channels.

    Parameters
    ----------
    image, clean
        ``(C, H, W)``, 0 to 255, at least 11 px a side.
    """
    value = structural_similarity(  # type: ignore[no-untyped-call]  # scikit-image is untyped
        image.astype(np.float64),
        clean.astype(np.float64),
        channel_axis=0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    return float(value)
