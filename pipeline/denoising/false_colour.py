"""Colour finer than a camera sees: demosaicking guesses it at fine edges, and neighbouring frames share the guess.

A Bayer filter measures red and blue in every other pixel of every other row, so what differs between the channels from
pixel to pixel is mostly wrong. A median of the colour differences takes that off (Freeman, US patent 4,724,395, 1988,
after interpolation as here). Measured in docs/decisions/shared-noise.md.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

SIZE = 5  # px, of the median
MOST = 2.0  # standard deviations of the noise: the most that a colour difference changes
# From R', G', B' to Y', Pb, Pr (ITU-R BT.709, items 3.2 and 3.3).
_YPBPR = np.array([[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]])


def without_false_colour(image: Image, sigma: float | Image) -> Image:
    """Return an RGB image whose colour differences are medians of 5 x 5 px; its luma stays.

    Parameters
    ----------
    image
        ``(3, H, W)``, finite.
    sigma
        Standard deviation of the noise that was taken off, in the unit of the image: colours of fine lines that stand
        out of it stay, but for twice that. One value, or that at each pixel, ``(H, W)``.
    """
    luma, *differences = np.tensordot(_YPBPR, image, 1).astype(np.float32)
    limit = np.float32(MOST * sigma)
    changed = [one + np.clip(cv2.medianBlur(one, SIZE) - one, -limit, limit) for one in differences]
    result: Image = np.tensordot(np.linalg.inv(_YPBPR), np.stack([luma, *changed]), 1).astype(np.float32)
    return result
