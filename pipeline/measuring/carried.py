"""What a codec carries of the noise from frame to frame, along the motion.

Let C(k) be the covariance of the noise of frames k apart, along the motion. Products of the differences of a target to
a neighbour k before and one k after have the expectation ``C(0) - 2 C(k) + C(2 k)``. The difference to a neighbour a
frames to one side, times that of two neighbours b and c frames to the other, has
``C(b) - C(c) - C(a + b) + C(a + c)``: nothing where the noise of frames is independent. C(k) is fitted
to both as a sum of noise of its own and of shares that decay from frame to frame, none of them negative.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from self2align.measuring.triples import Triple, block_means
from self2align.measuring.variances import FEWEST, flat
from self2align.noise.estimation.views import CHROMA

Numbers = NDArray[np.float64]

DECAYS = np.array([0.3, 0.6, 0.8, 0.9])  # per frame
CARRIED = 0.005  # correlation: less is none
# Weights of products of a distance: alignment grows worse with it. Independent noise gives differences of neighbours
# of 0.05 of the variance at most, so less is none.
TRUST = {1: 1.0, 2: 0.3, 4: 0.1, 8: 0.05}
ERROR = 0.05
SEEN, OFTEN = 0.1, 0.4  # what a target has to show by itself, and in which share of the targets
FAR = 6.0  # robust deviations: a block as far from the middle counts for nothing


def carried(found: Sequence[Mapping[int, Triple]]) -> tuple[Numbers, dict[int, float]]:
    """Return what is carried, and by distance the share of the variance that products hold.

    Parameters
    ----------
    found
        Triples of some targets, by distance. Where there is one channel, whose differences hold all texture, the target
        counts of which least is carried: what aligns badly only adds to it.

    Returns
    -------
    along
        Correlation of the noise with that of the frame 1, 2, ... frames away, along the motion.
    shares
        About 1 without such a correlation.
    """
    if len(found) == 1:
        return _fitted(found)
    each = [_fitted([one]) for one in found]
    if len(found[0][1].before) != CHROMA.shape[1]:
        return min(each, key=lambda result: float(result[0].sum()))
    # Nothing is below 0 in the fit, so chance alone gives something: here and there, not in most targets.
    if np.mean([one.size > 0 and one[0] > SEEN for one, _ in each]) < OFTEN:
        return np.zeros(0), dict.fromkeys(each[0][1], 1.0)
    along, shares = _fitted(found)
    # All together may give nothing where most of them give something: their median counts as well.
    longest = max(len(one) for one, _ in [*each, (along, shares)])
    usual = np.median([np.pad(one, (0, longest - len(one))) for one, _ in each], 0)
    most = np.maximum(np.pad(along, (0, longest - len(along))), usual)
    return most[: int(np.sum(most > CARRIED))], shares


def _fitted(found: Sequence[Mapping[int, Triple]]) -> tuple[Numbers, dict[int, float]]:
    """Return what is carried, from all targets together; see `carried`."""
    distances = sorted(set.intersection(*map(set, found)))
    places = [_places(one, distances) for one in found]
    none = np.zeros(0), dict.fromkeys(distances, 1.0)
    if len(distances) < 2 or sum(int(one.sum()) for one in places) < FEWEST:
        return none
    rows, seen, weights = [], [], []
    for one in distances:
        rows.append([1.0, *(1 - 2 * DECAYS**one + DECAYS ** (2 * one))])
        seen.append(_mean([_colors(triple[one].before) * _colors(triple[one].after) for triple in found], places))
        weights.append(TRUST[one])
    for a in distances:
        for b, c in combinations(distances, 2):
            rows.append([0.0, *(DECAYS**b - DECAYS**c - DECAYS ** (a + b) + DECAYS ** (a + c))])
            seen.append(_mean([_apart(triple, a, b, c) for triple in found], places))
            weights.append(min(10 * TRUST[max(a, c)], 1.0) if max(a, c) < 8 else TRUST[8])
    table, wanted, weight = np.array(rows), np.array(seen), np.array(weights)
    parts, _ = nnls(weight[:, None] * table, weight * wanted)
    total = float(parts.sum())
    if total <= 0:
        return none
    along = (parts[1:] * DECAYS ** np.arange(1, 2 * distances[-1] + 1)[:, None]).sum(1) / total
    if along[0] < ERROR:
        return none
    shares = {one: max(value / total, 0.1) for one, value in zip(distances, seen, strict=False)}
    return along[: int(np.sum(along > CARRIED))], shares


def _places(triple: Mapping[int, Triple], distances: Sequence[int]) -> NDArray[np.bool_]:
    """Return the flat blocks that are trusted at all distances, ``(h, w)``."""
    first = triple[distances[0]]
    trusted = np.all([triple[one].trusted for one in distances], 0)
    channels = len(first.texture)
    products = block_means(first.before * first.after).reshape(channels, -1)
    texture = triple[distances[-1]].texture.reshape(channels, -1).astype(np.float64)
    return flat(products, texture, trusted.ravel()).reshape(trusted.shape)


def _apart(triple: Mapping[int, Triple], a: int, b: int, c: int) -> NDArray[np.float32]:
    one, near, far = triple[a], triple[b], triple[c]
    before, after = _colors(far.before - near.before), _colors(far.after - near.after)
    both: NDArray[np.float32] = _colors(one.before) * after + _colors(one.after) * before
    return both * np.float32(0.5)


def _colors(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the differences of the channels of RGB, ``(2, H, W)``: they hold little of what aligns badly."""
    return np.tensordot(CHROMA, values, 1).astype(np.float32) if len(values) == CHROMA.shape[1] else values


def _mean(products: Sequence[NDArray[np.floating]], places: Sequence[NDArray[np.bool_]]) -> float:
    parts = [block_means(one).mean(0)[place] for one, place in zip(products, places, strict=True)]
    return location(np.concatenate(parts))


def location(values: Numbers) -> float:
    """Return the mean of values without outliers: Tukey's biweight."""
    middle = float(np.median(values))
    for _ in range(10):
        scale = 1.4826 * float(np.median(np.abs(values - middle))) + 1e-20
        trust = np.clip(1 - ((values - middle) / (FAR * scale)) ** 2, 0, None) ** 2
        middle = float(np.average(values, weights=trust))
    return middle
