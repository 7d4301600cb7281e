"""Exposure between two aligned frames: gain and offset (paper, section 3.2)."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 16  # px; averaging over a block reduces the standard deviation of the noise to 1/16
LIMITS = (0.5, 2.0)


def _block_means(frame: NDArray[np.float32]) -> NDArray[np.float64]:
    channels, height, width = frame.shape
    rows, columns = max(1, height // BLOCK), max(1, width // BLOCK)
    cut = frame[:, : rows * BLOCK, : columns * BLOCK].astype(np.float64)
    if height < BLOCK or width < BLOCK:
        return np.asarray(cut.mean((1, 2)))
    return np.asarray(cut.reshape(channels, rows, BLOCK, columns, BLOCK).mean((2, 4)).ravel())


def estimate_exposure(target: NDArray[np.float32], warped: NDArray[np.float32]) -> tuple[float, float]:
    """Return gain and offset so that ``target = gain * warped + offset``.

    A line through block means by total least squares (both sides carry the same noise, which would bias the gain of an
    ordinary fit below 1), reweighted by Tukey's biweight so that moved or covered blocks do not count. The gain is 1
    if the contrast is too low to estimate it.

    Parameters
    ----------
    target, warped
        ``(C, H, W)``, white being 1.0, roughly aligned.
    """
    y, x = _block_means(target), _block_means(warped)
    weights = np.ones_like(x)
    gain, offset = 1.0, float(np.median(y - x))
    for _ in range(20):
        distance = (y - gain * x - offset) / np.hypot(1, gain)
        scale = 1.4826 * float(np.median(np.abs(distance - np.median(distance)))) + 1e-4
        weights = np.clip(1 - (distance / (4.685 * scale)) ** 2, 0, 1) ** 2
        if weights.sum() < 0.2 * len(x):
            return 1.0, 0.0
        mx, my = np.average(x, weights=weights), np.average(y, weights=weights)
        sxx, syy = np.average((x - mx) ** 2, weights=weights), np.average((y - my) ** 2, weights=weights)
        sxy = np.average((x - mx) * (y - my), weights=weights)
        # The blocks must vary far more than their residual scatter, or the gain is undefined.
        supported = sxy > 10 * scale**2
        fitted = (syy - sxx + np.hypot(syy - sxx, 2 * sxy)) / (2 * sxy) if supported else 1.0
        gain = float(np.clip(fitted, *LIMITS))
        offset = float(my - gain * mx)
    return gain, offset


def compensate_exposure(target: Tensor, warped: Tensor) -> tuple[Tensor, float, float]:
    """Match an aligned frame to its target's exposure; return the result, gain and offset.

    Parameters
    ----------
    target, warped
        ``(1, C, H, W)``, white being 1.0, roughly aligned.

    Returns
    -------
    tuple
        ``gain * warped + offset``, gain, offset. See `estimate_exposure`.
    """
    gain, offset = estimate_exposure(target[0].cpu().numpy(), warped[0].cpu().numpy())
    return warped * gain + offset, gain, offset
