"""What a codec carries of the noise from frame to frame, along the motion.

Let C(k) be the covariance of the noise of frames k apart, along the motion. Products of the differences of a target to
a neighbour k before and one k after have the expectation ``C(0) - 2 C(k) + C(2 k)``. The difference to a neighbour a
frames to one side, times that of two neighbours b and c frames to the other, has
``C(b) - C(c) - C(a + b) + C(a + c)``: nothing where the noise of frames is independent. C(k) is fitted
to both as a sum of noise of its own and of shares that decay from frame to frame, none of them negative.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
STRIPS, CHANCE = 8, 3.0  # of the frame, each left out once; standard errors within which a share may be chance
SEEN, OFTEN = 0.1, 0.4  # what a target has to show by itself, and in which share of the targets
FAR = 6.0  # robust deviations: a block as far from the middle counts for nothing


@dataclass(frozen=True)
class _Products:
    """Means over the blocks of a target that count.

    Attributes
    ----------
    values
        Of each product, in the order of `_table`, ``(R, N)``.
    strips
        Number of the strip of the frame that a block is in, ``(N,)``.
    """

    values: Numbers
    strips: NDArray[np.int64]

    def without(self, strip: int) -> "_Products":
        """Return what is left without a strip."""
        kept = self.strips != strip
        return _Products(self.values[:, kept], self.strips[kept])


def carried(found: Sequence[Mapping[int, Triple]], *, coded: bool = False) -> tuple[Numbers, dict[int, float]]:
    """Return what is carried, and by distance the share of the variance that products hold.

    No share is below 0, so chance makes some. What is within three of its standard errors, by a jackknife over strips
    of the frame, is none, unless a codec is known to be there.

    Parameters
    ----------
    found
        Triples of some targets, by distance. Where there is one channel, whose differences hold all texture, the target
        counts of which least is carried: what aligns badly only adds to it.
    coded
        Whether something else tells of a codec.

    Returns
    -------
    along
        Correlation of the noise with that of the frame 1, 2, ... frames away, along the motion.
    shares
        About 1 without such a correlation.
    """
    distances = sorted(set.intersection(*map(set, found)))
    none = np.zeros(0), dict.fromkeys(distances, 1.0)
    if len(distances) < 2:
        return none
    gray = len(found[0][distances[0]].before) != CHROMA.shape[1]
    targets = [_products(one, distances) for one in found]
    along, shares = _agreed(targets, distances, gray)
    if coded or not along.size:
        return along, shares
    without = [
        _agreed([one.without(strip) for one in targets], distances, gray)[0][:1].sum() for strip in range(STRIPS)
    ]
    if along[0] < CHANCE * (STRIPS - 1) ** 0.5 * float(np.std(without)):
        return none
    return along, shares


def _agreed(targets: Sequence[_Products], distances: Sequence[int], gray: bool) -> tuple[Numbers, dict[int, float]]:
    """Return what is carried by the targets together; nothing that few of them show."""
    if len(targets) == 1:
        return _fitted(targets, distances)
    each = [_fitted([one], distances) for one in targets]
    if gray:
        return min(each, key=lambda result: float(result[0].sum()))
    if np.mean([one.size > 0 and one[0] > SEEN for one, _ in each]) < OFTEN:
        return np.zeros(0), dict.fromkeys(distances, 1.0)
    along, shares = _fitted(targets, distances)
    # All together may give nothing where most of them give something: their median counts as well.
    longest = max(len(one) for one, _ in [*each, (along, shares)])
    usual = np.median([np.pad(one, (0, longest - len(one))) for one, _ in each], 0)
    most = np.maximum(np.pad(along, (0, longest - len(along))), usual)
    return most[: int(np.sum(most > CARRIED))], shares


def _fitted(targets: Sequence[_Products], distances: Sequence[int]) -> tuple[Numbers, dict[int, float]]:
    """Return what is carried, from the blocks of all targets."""
    values = np.concatenate([one.values for one in targets], 1)
    none = np.zeros(0), dict.fromkeys(distances, 1.0)
    if values.shape[1] < FEWEST:
        return none
    table, weight = _table(distances)
    seen = location(values)
    parts, _ = nnls(weight[:, None] * table, weight * seen)
    total = float(parts.sum())
    if total <= 0:
        return none
    along = (parts[1:] * DECAYS ** np.arange(1, 2 * distances[-1] + 1)[:, None]).sum(1) / total
    if along[0] < ERROR:
        return none
    shares = {one: max(float(value) / total, 0.1) for one, value in zip(distances, seen, strict=False)}
    return along[: int(np.sum(along > CARRIED))], shares


def _table(distances: Sequence[int]) -> tuple[Numbers, Numbers]:
    """Return what a product holds of noise of its own and of each decay, ``(R, 1 + D)``, and its weight, ``(R,)``."""
    rows = [[1.0, *(1 - 2 * DECAYS**one + DECAYS ** (2 * one))] for one in distances]
    weights = [TRUST[one] for one in distances]
    for a in distances:
        for b, c in combinations(distances, 2):
            rows.append([0.0, *(DECAYS**b - DECAYS**c - DECAYS ** (a + b) + DECAYS ** (a + c))])
            weights.append(min(10 * TRUST[max(a, c)], 1.0) if max(a, c) < 8 else TRUST[8])
    return np.array(rows), np.array(weights)


def _products(triple: Mapping[int, Triple], distances: Sequence[int]) -> _Products:
    places = _places(triple, distances)
    products = [_colors(triple[one].before) * _colors(triple[one].after) for one in distances]
    products += [_apart(triple, a, b, c) for a in distances for b, c in combinations(distances, 2)]
    values = np.stack([block_means(one).mean(0)[places] for one in products])
    return _Products(values, np.nonzero(places)[0] * STRIPS // len(places))


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


def location(values: Numbers) -> Numbers:
    """Return the mean of values without outliers, ``(R, N)`` to ``(R,)``: Tukey's biweight."""
    middle = np.median(values, 1)
    for _ in range(10):
        apart = values - middle[:, None]
        scale = 1.4826 * np.median(np.abs(apart), 1) + 1e-20
        trust = np.clip(1 - (apart / (FAR * scale[:, None])) ** 2, 0, None) ** 2
        middle = (trust * values).sum(1) / trust.sum(1)
    return np.asarray(middle)
