"""BM3D for correlated noise, told its covariance. It needs the package: ``pip install bm3d``."""

import numpy as np
from camera_clips import Values
from numpy.typing import NDArray

REACH = 7  # px: further away noise of a camera shares nothing that could be measured
TAPER = 16  # px, at which a triangular window is zero
# Opponent colours (Dabov et al. 2007): luminance, in which blocks are matched, and two differences.
OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0.0, -0.5], [0.25, -0.5, 0.25]])


def spectrum_of(noise: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the power spectrum of noise for an image of a shape, ``(h, w)``, as the package bm3d wants it.

    The covariance is measured over all fields of ``noise``, ``(N, H, W)``, up to `REACH` px, with a triangular window,
    which keeps the spectrum positive. White noise has the variance times h w everywhere.
    """
    fields = noise - noise.mean()
    power = (np.abs(np.fft.fft2(fields)) ** 2).mean(0)
    covariance = np.fft.ifft2(power).real / fields[0].size
    laid = np.zeros(shape)
    for y in range(-REACH, REACH + 1):
        for x in range(-REACH, REACH + 1):
            laid[y % shape[0], x % shape[1]] = covariance[y, x] * (1 - abs(y) / TAPER) * (1 - abs(x) / TAPER)
    return np.maximum(np.fft.fft2(laid).real, 1e-12) * shape[0] * shape[1]


def told_bm3d(image: Values, noise: Values, scale: float, profile: str, opponent: bool) -> Values:
    """Return an image filtered by BM3D for correlated noise (Mäkinen et al. 2020), told the true spectrum.

    Parameters
    ----------
    image
        ``(C, H, W)``, white being 1.0.
    noise
        Noise alone, ``(N, C, H', W')``.
    scale
        Factor of the standard deviation that it is told.
    profile
        The package's: "np" or "refilter".
    opponent
        Whether colours are filtered as luminance and two differences, whose noise is measured as such.
    """
    import bm3d

    # The package bm4d, which bm3d rests on, calls the old name for correlated noise; numpy 2.4 has only the new one.
    np.trapz = np.trapezoid  # noqa: NPY201
    settings = {"np": bm3d.BM3DProfile, "refilter": bm3d.BM3DProfileRefilter}[profile]()
    settings.num_threads = 1  # with more the summation order varies
    if len(image) == 1:
        spectrum = scale**2 * spectrum_of(noise[:, 0].astype(np.float64), image.shape[1:])
        return np.asarray(bm3d.bm3d(image[0], spectrum, settings), np.float32)[None]
    matrix = OPPONENT if opponent else np.eye(3)
    mixed = np.einsum("dc,chw->hwd", matrix, image.astype(np.float64))
    fields = np.einsum("dc,nchw->dnhw", matrix, noise.astype(np.float64))
    spectra = np.stack([scale**2 * spectrum_of(one, image.shape[1:]) for one in fields], -1)
    result = bm3d.bm3d(mixed, spectra, settings)
    return np.einsum("cd,hwd->chw", np.linalg.inv(matrix), result).astype(np.float32)
