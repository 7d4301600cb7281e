"""The covariance of noise over neighbouring pixels and channels, and what rows and the sensor hold in common."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from self2align.measuring.triples import BLOCK, Triple
from self2align.measuring.variances import Curve
from self2align.noise.profile import REACH

Numbers = NDArray[np.float64]

# A correlation of less is none; nor is one of so many standard errors: of a thousand distances and pairs of channels
# one is above that by chance in a hundred measurements.
INDEPENDENT, SIGNIFICANT = 0.02, 4.5
FLOOR = 0.1  # of the mean variance: where there is less, noise is not brought to the same strength
HELD = 0.25  # of the variance by brightness: products that hold less say nothing of noise


def covariance(
    found: Sequence[Triple], masks: Sequence[NDArray[np.bool_]], curve: Curve
) -> tuple[Numbers, float] | None:
    """Return the correlation of the noise, ``(C, C, 2 R + 1, 2 R + 1)``, and the share that rows have in common.

    None where products hold next to nothing of the variance that most places show: frames are aligned badly.

    Parameters
    ----------
    found
        Triples of one distance.
    masks
        The blocks of each that count, ``(h, w)``.
    curve
        The variance by brightness, to which each pixel's noise is brought.
    """
    side = 2 * REACH + 1
    sums, counts = np.zeros((len(curve.variances),) * 2 + (side, side)), np.zeros((side, side))
    least = max(FLOOR * float(curve.variances.mean()), 1e-12)
    rows, power = np.zeros(4), np.zeros(2)
    for one, mask in zip(found, masks, strict=True):
        places = over_pixels(mask, one.length.shape)
        unit = places / np.sqrt(np.maximum(curve.at(one.brightness), least))
        before, after = one.before * unit, one.after * unit
        products, number = _lagged(before, after, places)
        sums += products + products[..., ::-1, ::-1].swapaxes(0, 1)
        counts += number + number[..., ::-1, ::-1]
        rows += _rows(before, after, places)
        power += [float((difference**2).sum()) for difference in (before, after)]
    raw = sums / np.maximum(counts, 1.0)
    held = np.diagonal(raw[:, :, REACH, REACH])  # 1 where all places have the noise of the curve
    if held.min() < HELD:
        return None
    own = np.sqrt(held)
    correlation = (raw / (own[:, None] * own)[..., None, None]).clip(-1, 1)
    common = rows[0] / max(rows[1], 1.0) - rows[2] / max(rows[3], 1.0)
    # Of independent noise: products of the differences, whose power is that of a target and of a neighbour, at a
    # distance and at its opposite, which have the noise of the target in common. Both are counted.
    ratio = float(power.prod()) / max(len(raw) * counts[REACH, REACH] / 2 * float(held.mean()), 1e-12) ** 2
    chance = SIGNIFICANT * np.sqrt((ratio + 1) / np.maximum(counts, 1.0))
    return _cut(correlation, np.maximum(INDEPENDENT, chance)), float(np.clip(common / np.mean(own**2), 0.0, 1.0))


def over_pixels(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> Numbers:
    """Return 1 for each pixel of the blocks that count, else 0, ``(H, W)``."""
    whole = mask.repeat(BLOCK, 0).repeat(BLOCK, 1)
    sides = [(0, length - side) for length, side in zip(shape, whole.shape, strict=True)]
    return np.pad(whole, sides).astype(np.float64)


def _lagged(first: Numbers, second: Numbers, places: Numbers) -> tuple[Numbers, Numbers]:
    """Return sums of the products of a channel at a pixel and one at another, by distance; and their number."""
    size = [cv2.getOptimalDFTSize(side + REACH) for side in places.shape]
    waves, others, known = (np.fft.rfft2(one, size) for one in (first, second, places))

    def near(spectrum: NDArray[np.complex128]) -> Numbers:
        whole = np.fft.irfft2(spectrum, size)
        return np.roll(whole, (REACH, REACH), (-2, -1))[..., : 2 * REACH + 1, : 2 * REACH + 1]

    return np.stack([near(wave.conj() * others) for wave in waves]), near(known.conj() * known)


def _rows(first: Numbers, second: Numbers, places: Numbers) -> Numbers:
    """Return sums and numbers of products of pixels of one row, and of rows `REACH` apart, all far apart in x."""
    _, width = places.shape
    size = cv2.getOptimalDFTSize(2 * width)
    waves, others, known = (np.fft.rfft(one, size) for one in (first, second, places))
    found = []
    for apart in (0, REACH):
        rows = slice(0, len(places) - apart), slice(apart, None)
        products = (waves[:, rows[0]].conj() * others[:, rows[1]]).mean(0)
        for spectrum in (products, known[rows[0]].conj() * known[rows[1]]):
            lags = np.fft.irfft(spectrum.sum(0), size)
            found.append(lags[REACH + 1 : width].sum() + lags[size - width + 1 : size - REACH].sum())
    return np.array(found)


def _cut(correlation: Numbers, least: Numbers) -> Numbers:
    """Return the correlation over no more pixels than it reaches; exactly white if nothing is correlated."""
    same = np.eye(len(correlation), dtype=bool)
    strong = np.abs(correlation) > least
    strong[same, REACH, REACH] = False
    if not strong.any():
        return np.asarray(same[..., None, None].astype(np.float64))
    ys, xs = np.nonzero(strong.any((0, 1)))
    reach = max(int(np.abs(ys - REACH).max()), int(np.abs(xs - REACH).max()))
    inner = slice(REACH - reach, REACH + reach + 1)
    return correlation[..., inner, inner].copy()
