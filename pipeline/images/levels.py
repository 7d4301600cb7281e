"""From values to 8-bit levels."""

import numpy as np
from numpy.typing import NDArray


def to_levels(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Clip to [0, 1] and round to 8 bits; any shape."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
