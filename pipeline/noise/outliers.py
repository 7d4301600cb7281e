"""Values that are no picture: not finite, or single pixels far off everything around them.

A hot pixel or the hit of a cosmic ray has nothing to do with its neighbours, but a network that sees it changes them: a
local mean over 48 px moves with it. Such values are filled before the network and put back afterwards.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]

WINDOW = 5  # px
CLUSTER = 2  # further pixels of a window that may be off as well
# How far a pixel is off, over the range of the others in its window and the noise: docs/decisions/noise.md.
FAR = 6.0
SUSPECT = 12.0  # standard deviations of the noise from the median of the window
MOST = 0.01  # of the pixels are looked at: those farthest off
SCALES = (5, 17, 65, 257)  # px, of the means that fill


def isolated(frame: Values) -> Mask:
    """Return the pixels, alone or up to three together, that are far off everything around them.

    Parameters
    ----------
    frame
        ``(C, H, W)``, finite, any unit; channels are looked at one by one.
    """
    found = np.zeros(frame.shape, bool)
    if min(frame.shape[1:]) >= WINDOW:
        for out, plane in zip(found, frame, strict=True):
            _mark(out, np.ascontiguousarray(plane))
    return found


def _mark(out: Mask, plane: Values) -> None:
    away = np.abs(plane - cv2.medianBlur(plane, WINDOW))
    some = away[::3, ::3]
    noise = 1.4826 * float(np.median(some)) or float(np.sort(some, axis=None)[: -(-99 * some.size // 100)].mean())
    least = SUSPECT * noise
    if (away > least).mean() > MOST:
        least = max(least, float(np.quantile(away, 1 - MOST)))
    rows, columns = np.nonzero(away > least)
    if not rows.size:
        return
    half = WINDOW // 2
    padded = np.pad(plane, half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (WINDOW, WINDOW))[rows, columns].reshape(rows.size, -1)
    values = windows[:, WINDOW * half + half]
    others = np.sort(np.delete(windows, WINDOW * half + half, axis=1), axis=1).astype(np.float64)
    low, high = others[:, CLUSTER], others[:, -1 - CLUSTER]
    off = np.maximum(values - high, low - values)
    chosen = off > FAR * (high - low + noise + _step(plane))
    out[rows[chosen], columns[chosen]] = True


def _step(plane: Values) -> float:
    """Return the least distance of two values: of few photons one is a step, and no outlier."""
    known, counts = np.unique(plane[::3, ::3], return_counts=True)
    if counts[counts > 1].sum() < plane[::3, ::3].size / 2:
        return 0.0  # of values that are not rounded only those that hot pixels share occur twice
    known = known[counts > 1]
    return float(np.diff(known).min()) if len(known) > 1 else 0.0


def filled(frame: Values, mask: Mask) -> Values:
    """Return a frame whose masked values are means of what is around them; the rest is as it was.

    Parameters
    ----------
    frame, mask
        ``(C, H, W)``; values under the mask may be anything. Where all are masked, they become 0.
    """
    if not mask.any():
        return frame
    result = np.where(mask, np.float32(0), frame)
    for plane, hidden in zip(result, mask, strict=True):
        known = (~hidden).astype(np.float32)
        left = hidden.copy()
        shown = plane.copy()
        for scale in SCALES:
            if not left.any():
                break
            weight = cv2.blur(known, (scale, scale), borderType=cv2.BORDER_REFLECT)
            total = cv2.blur(shown, (scale, scale), borderType=cv2.BORDER_REFLECT)
            there = left & (weight > 0.5 / scale**2)
            plane[there] = total[there] / weight[there]
            left &= ~there
        if left.any() and known.any():
            plane[left] = shown.sum(dtype=np.float64) / known.sum(dtype=np.float64)
    return result
