"""The colour coding of optical flow (Baker et al. 2007).

"A Database and Evaluation Methodology for Optical Flow", ICCV 2007, and its code (colorcode.cpp).

Hue is direction, saturation is length; no motion is white. The wheel has 55 hues, chosen so that neighbouring ones
look about equally different.
"""

import math

import numpy as np
from numpy.typing import NDArray

# Number of hues between the primary colours: red to yellow, yellow to green, ... (Baker et al., colorwheel code).
_STEPS = (15, 6, 4, 11, 13, 6)
_CORNERS = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0))
BEYOND = 0.75  # motion beyond the reach is darkened by this factor, as in the paper's code


def color_wheel() -> NDArray[np.float64]:
    """Return the hues in order: red, yellow, green, cyan, blue, magenta; ``(55, 3)`` in [0, 1]."""
    corners = np.array(_CORNERS, dtype=np.float64)
    arcs = [
        corners[n] + (corners[n + 1] - corners[n]) * (np.arange(count) / count)[:, None]
        for n, count in enumerate(_STEPS)
    ]
    return np.concatenate(arcs)


def flow_to_rgb(transfer: NDArray[np.floating], reach: float) -> NDArray[np.uint8]:
    """Return a transfer field as a picture.

    Parameters
    ----------
    transfer
        ``(2, H, W)``, px, x first (to the right), then y (down).
    reach
        px, above 0: the length of a fully saturated colour. Longer motion is darker.

    Returns
    -------
    NDArray
        ``(H, W, 3)``, uint8 RGB; black where the field is not finite.
    """
    if not reach > 0:
        raise ValueError(f"reach: found {reach} px, expected more than 0")
    known = np.isfinite(transfer).all(axis=0)
    u, v = np.where(known, transfer, 0).astype(np.float64) / reach
    length = np.hypot(u, v)[..., None]
    wheel = color_wheel()
    place = (np.arctan2(-v, -u) / math.pi + 1) / 2 * (len(wheel) - 1)
    below = np.floor(place).astype(int)
    share = (place - below)[..., None]
    hue = (1 - share) * wheel[below] + share * wheel[(below + 1) % len(wheel)]
    color = np.where(length <= 1, 1 - length * (1 - hue), hue * BEYOND)
    picture: NDArray[np.uint8] = (np.floor(255 * color) * known[..., None]).astype(np.uint8)
    return picture


def wheel_picture(size: int) -> NDArray[np.uint8]:
    """Return the legend: every direction and length, ``(size, size, 3)`` uint8, white outside the circle."""
    across = np.linspace(-1, 1, size)
    field = np.stack(np.meshgrid(across, across))
    inside = np.hypot(*field) <= 1
    picture = flow_to_rgb(field, 1.0)
    picture[~inside] = 255
    return picture


def round_reach(transfer: NDArray[np.floating]) -> float:
    """Return a round length, px, above nearly all motion of a field, ``(2, H, W)``.

    It is 1, 2 or 5 times a power of ten, at least 1 px, and at or above the 99th percentile of the lengths, so that a
    few outliers do not make all other motion pale.
    """
    length = np.hypot(*transfer.astype(np.float64))
    finite = length[np.isfinite(length)]
    least = max(1.0, float(np.quantile(finite, 0.99))) if finite.size else 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))
