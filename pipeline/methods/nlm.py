"""Non-local means (Buades et al. 2005), scikit-image's fast variant, given the noise level."""

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means

from self2align.methods.method import Method


def nlm(
    image: NDArray[np.float32],
    sigma: float,
    *,
    patch_size: Annotated[int, Ge(1)] = 5,
    patch_distance: Annotated[int, Ge(1)] = 6,
    strength: Annotated[float, Gt(0)] = 0.6,
) -> NDArray[np.float32]:
    """Average pixels with similar neighbourhoods.

    Parameters
    ----------
    image
        ``(C, H, W)``, white being 1.0.
    sigma
        Standard deviation of the noise, white being 1.0.
    patch_size, patch_distance
        px. The defaults are the best on validation frames: docs/decisions/benchmark.md.
    strength
        Filter strength ``h`` over sigma.
    """
    # With one channel, scikit-image expects no channel axis.
    gray = len(image) == 1
    result = denoise_nl_means(
        image[0] if gray else image,
        patch_size=patch_size,
        patch_distance=patch_distance,
        h=strength * sigma,
        sigma=sigma,
        fast_mode=True,
        channel_axis=None if gray else 0,
    )
    return np.asarray(result, np.float32).reshape(image.shape)


METHOD = Method(nlm)
