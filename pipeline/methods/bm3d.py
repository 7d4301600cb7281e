"""BM3D (Dabov et al. 2007), its authors' package, given the noise level.

The package is an extra, ``pip install 'self2align[bm3d]'``: its licence allows non-commercial use only.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from self2align.methods.method import Method


def _package() -> Any:
    # Imported when called: parameters and reports work without the package.
    try:
        import bm3d
    except ImportError as error:
        raise ValueError(
            f"bm3d: found no package ({error}), expected it installed: pip install bm3d "
            "(its licence allows non-commercial use only)"
        ) from error
    return bm3d


def bm3d(
    image: NDArray[np.float32],
    sigma: float,
    *,
    profile: Literal["np", "high", "vn", "vn_old"] = "np",
) -> NDArray[np.float32]:
    """Filter groups of similar blocks jointly, by hard thresholding and then by a Wiener filter.

    The code is that of Mäkinen et al. (2020), which for white noise is BM3D. Colour is filtered in opponent space,
    where blocks are matched by luminance alone (Dabov et al. 2007, "Color image denoising via sparse 3D collaborative
    filtering with grouping constraint in luminance-chrominance space").

    Parameters
    ----------
    image
        ``(C, H, W)``, C = 1 or 3, white being 1.0.
    sigma
        Standard deviation of the noise, white being 1.0. At 0 the image is returned.
    profile
        The package's settings: "np" is its default, "high" takes smaller steps, "vn" and "vn_old" are those of
        earlier versions for much noise. Its "refilter" is for correlated noise, and fails on white.

    Raises
    ------
    ValueError
        If the package is not installed.
    """
    package = _package()
    if sigma == 0:
        return image
    settings = {
        "np": package.BM3DProfile,
        "high": package.BM3DProfileHigh,
        "vn": package.BM3DProfileVN,
        "vn_old": package.BM3DProfileVNOld,
    }[profile]()
    settings.num_threads = 1  # with more threads the summation order varies; the workers fill the cores anyway
    if len(image) == 1:
        return np.asarray(package.bm3d(image[0], sigma, settings), np.float32)[None]
    result = package.bm3d_rgb(image.transpose(1, 2, 0), sigma, settings, "opp")
    return np.ascontiguousarray(result.transpose(2, 0, 1), np.float32)


METHOD = Method(bm3d, package="bm3d")
