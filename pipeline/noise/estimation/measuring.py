"""The noise of blocks, by brightness: in the flattest of them, at high frequencies, before it was clipped.

Among blocks of like brightness those with the least power at low frequencies are the flattest, and under white noise
say nothing of their own high frequencies, whose power is the noise's variance (Ponomarenko et al. 2007): choosing the
flattest blocks by their whole variance would choose blocks whose noise happens to be small. What texture is left shows
in middle frequencies: their power exceeds that of white noise, and differs more from block to block than noise does.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from self2align.noise.estimation.censoring import clipped_moments
from self2align.noise.estimation.views import HIGH, LOW, MIDDLE, ORDER, SIDE, Values, View

Kind = Literal["white", "texture", "correlated"]

PER_CLASS = 256  # blocks, at the least, in a class of brightness
CLASSES = 16
# The least share, and the least number, of the blocks of a class that are measured. On gray DAVIS frames with noise of
# sigma 2 half as many leave a tail of 1.02 instead of 1.31. Correlated noise would be chosen for being small.
FLAT: dict[Kind, tuple[float, int]] = {"white": (0.02, 32), "texture": (0.02, 32), "correlated": (0.05, 64)}
FEW = 64  # blocks
CLIPPED = 0.005  # of the pixels at an end of the range: it bends the variance by 2 %
LOST = 0.75  # of the pixels of a block, and its value is beyond the end by more than 0.7 sigma
BISECTIONS, GRID = 24, 512
TUKEY = 4.685  # 95 % efficiency under Gaussian errors (Holland and Welsch 1977)
NOTHING = 1e-12  # variance, the range of values being 1; that of rounding to 16 bits is twenty times as much
# Photographs in motion with noise of sigma 5 to 25: white noise gives 0.9 to 1.2, noise blurred by 0.5 px 1.6 to 2.1,
# bilinear demosaicing 4 to 5.
UNEVEN = 1.5
# Gray DAVIS frames with noise of sigma 2 to 10: for each unit of power at middle frequencies above that of white noise,
# the variance found is 0.13 to 0.16 too large in the median. Its spread is several times that.
LEAK, SPREAD, DOUBT = 0.15, 0.3, 0.8
LOWER_HALF = 0.757  # mean of the lower half of means of 21 squares of normal deviates
SIGNIFICANT = 3.0  # standard errors of a slope


@dataclass(frozen=True)
class Measure:
    """Noise of one view, in units of the range of values.

    Attributes
    ----------
    gain, read, unevenness
        See `self2align.noise.estimation.estimate.NoiseEstimate`.
    error
        Expected relative error of the standard deviation, at most 1.
    variance
        Mean over the classes of brightness.
    dispersion, uneven
        Variance, from block to block, of the power at middle, and at high frequencies over that of noise: 1 without
        texture.
    clipped
        Whether all classes of brightness are clipped.
    """

    gain: float
    read: float
    error: float
    unevenness: float
    variance: float
    dispersion: float
    uneven: float
    clipped: bool


@dataclass(frozen=True)
class _Class:
    """The flattest blocks of a class of brightness: mean value, power, their independent number, share at the ends.

    For ``dispersion`` and ``uneven`` see `Measure`.
    """

    level: float
    variance: float
    spectrum: Values
    dispersion: float
    uneven: float
    count: float
    clipped: float
    flat: NDArray[np.intp]


def measure(
    view: View,
    overlap: float,
    kind: Kind = "white",
    *,
    least: int = PER_CLASS,
    usual: NDArray[np.float64] | None = None,
) -> Measure:
    """Measure the noise of some blocks.

    Parameters
    ----------
    view
        Blocks of values from 0 to 1.
    overlap
        Number of blocks that hold a pixel.
    kind
        "white" noise, "correlated" noise, whose power at low frequencies is extrapolated, or "texture": nothing is
        flat, and of each class, and of the classes, those with the least power count.
    least
        Blocks, at the least, in a class of brightness.
    usual
        Variances by which the power of the blocks was divided, ``(N,)``; None if it was not.
    """
    found, clipped = _classes(view, overlap, kind, least, usual is None)
    levels, variances, counts = (
        np.array([getattr(one, name) for one in found]) for name in ("level", "variance", "count")
    )
    shape, unevenness, tilts = _spectrum(np.array([one.spectrum for one in found]), variances)
    excess = SPREAD * np.maximum(tilts - max(unevenness, 1), 0)
    if kind == "correlated":
        variances = variances * shape.mean()
    else:
        variances = variances / (1 + LEAK * np.maximum(tilts - 1, -0.1))
    if kind == "texture":
        excess = np.maximum(excess, variances / max(variances.min(), NOTHING) - 1)
    if usual is not None:
        variances = variances * [usual[one.flat].mean() for one in found]
    counts = 1 / (1 / counts + excess**2 * HIGH.sum() / 2)
    gain, read = _line(levels, variances, counts)
    # What a line rests upon must be even; the other classes of a growing noise may be textured.
    trust = np.ones(len(found)) if usual is None else counts
    texture = DOUBT * max(float(np.average(tilts, weights=counts)) - 1, 0)
    error = np.sqrt(2 / (counts.sum() * HIGH.sum()) + texture**2) / 2
    return Measure(
        gain=gain,
        read=read,
        error=min(float(error), 1.0),
        unevenness=unevenness,
        variance=float(np.average(variances, weights=counts)),
        dispersion=_median([one.dispersion for one in found], trust),
        uneven=_median([one.uneven for one in found], trust),
        clipped=clipped,
    )


def _median(values: list[float], weights: NDArray[np.float64]) -> float:
    """Return the weighted median; under equal weights the usual one."""
    if not np.ptp(weights):
        return float(np.median(values))
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(below, below[-1] / 2)]])


def _classes(view: View, overlap: float, kind: Kind, least: int, restored: bool) -> tuple[list[_Class], bool]:
    """Return classes of brightness, the clipped ones only if all are, and whether they are.

    Mean and noise of a clipped block depend on each other. Classes of it are a standard deviation wide, so that they do
    not sort blocks by their noise. They are ``restored`` to what they were before.
    """
    kept = np.flatnonzero(view.ends.sum(1) < LOST)
    if len(kept) < FEW:
        kept = np.arange(len(view.ends))
    levels = (view.means[kept] * view.shares[kept]).sum(1)
    low = (view.waves[kept] ** 2)[:, LOW].mean(1)

    def classes(number: int) -> list[_Class]:
        parts = np.array_split(np.argsort(levels, kind="stable"), number)
        orders = (part[np.argsort(low[part], kind="stable")] for part in parts)
        return [_measure_class(view, kept[order], low[order], overlap, kind) for order in orders]

    most = int(np.clip(len(kept) / overlap // least, 1, CLASSES))
    found = classes(most)
    whole = [one for one in found if one.clipped <= CLIPPED]
    if whole:
        return whole, False
    width = np.sqrt(np.mean([one.variance for one in found]))
    if not width or not restored:
        return found, True
    low_level, high_level = np.quantile(levels, (0.05, 0.95))
    return [_restored(one, view) for one in classes(int(np.clip((high_level - low_level) / width, 1, most)))], True


def _measure_class(view: View, order: NDArray[np.intp], low: Values, overlap: float, kind: Kind) -> _Class:
    """Measure the flattest of some blocks, ``order``, which are sorted by their power at low frequencies, ``low``."""
    share, fewest = FLAT[kind]
    least = max(round(share * len(order)), min(round(fewest * np.sqrt(overlap)), len(order)))
    first = order[:least]
    limits: NDArray[np.floating] = low
    if view.ends[first].sum(1).mean() > CLIPPED:
        # Blocks of clipped noise with less power at low frequencies have more at high ones: as many, then, as have
        # that of white noise on average.
        limits = np.cumsum(low, dtype=np.float64) / np.arange(1, len(low) + 1)
    # As many more as hold no more power at low frequencies than white noise does: half of those without texture.
    more = int(np.searchsorted(limits, _power((view.waves[first] ** 2).mean(0))))
    flat = order[: max(least, more)]
    powers = view.waves[flat] ** 2
    spectrum = powers.mean(0)
    count = len(flat) / overlap**0.75
    variance = _power(spectrum)
    if kind == "texture":
        half = np.sort(_relative(powers[:, HIGH]))[: -(-len(flat) // 2)].mean()
        variance *= min(float(half) / LOWER_HALF, 1.0)
    return _Class(
        level=float((view.means[flat] * view.shares[flat]).sum(1).mean()),
        variance=variance,
        spectrum=spectrum,
        dispersion=float(_relative(powers[:, MIDDLE]).var()) * MIDDLE.sum() / 2,
        uneven=float(_relative(powers[:, HIGH]).var()) * HIGH.sum() / 2,
        count=count,
        clipped=float(view.ends[flat].sum(1).mean()),
        flat=flat,
    )


def _power(spectrum: Values) -> float:
    """Return the power at high frequencies: their median, as some may hold a regular texture, or by a codec nothing."""
    return float(np.median(spectrum[HIGH]))


def _relative(powers: Values) -> Values:
    """Return the power of blocks over its mean, ``(N,)``; all frequencies, ``(N, F)``, have the same weight."""
    relative: Values = (powers / np.maximum(powers.mean(0), np.finfo(np.float32).tiny)).mean(1)
    return relative


def _restored(one: _Class, view: View) -> _Class:
    """Return a class as it was before its noise was clipped, by bisection (Foi 2009)."""
    low, high = (view.ends[one.flat].mean(0) > CLIPPED / 2).tolist()
    if not (low or high) or not one.variance:
        return one
    means, shares = view.means[one.flat].astype(np.float64), view.shares[one.flat]
    small, large = np.sqrt(one.variance), 20 * np.sqrt(one.variance)
    for _ in range(BISECTIONS):
        sigma = float(np.sqrt(small * large))
        x = np.linspace(-2 * sigma, 1 + 2 * sigma, GRID)
        mean, variance = clipped_moments(x, sigma, low, high)
        # The means of blocks are noisy as well, and the variance is a curved function of them.
        curvature = np.gradient(np.gradient(variance, mean), mean)
        expected = np.interp(means, mean, variance - curvature * variance / (2 * SIDE**2))
        small, large = (sigma, large) if (shares * expected).sum(1).mean() < one.variance else (small, sigma)
    ratio = float(small**2 / one.variance)
    return replace(
        one,
        level=float((shares * np.interp(means, mean, x)).sum(1).mean()),
        variance=ratio * one.variance,
        spectrum=ratio * one.spectrum,
        count=one.count / ratio**2,
    )


def _spectrum(spectra: Values, variances: Values) -> tuple[Values, float, Values]:
    """Return the noise's power by frequency over that at high ones, ``(8, 8)``, its unevenness, and that of each class.

    They are taken where they are most even, in a quarter of the classes: texture is mostly low frequencies.
    """
    relative = (spectra + NOTHING) / (variances + NOTHING)[:, None, None]
    tilts = relative[:, MIDDLE].mean(1)
    best = np.argsort(tilts, kind="stable")[: -(-len(tilts) // 4)]
    shape = relative[best].mean(0)
    unevenness = float(shape[MIDDLE].mean())
    # At low frequencies blocks were chosen for having little, and scenes have most: the next frequencies stand in.
    shape[ORDER <= 4] = shape[ORDER == 5].mean()
    return shape, unevenness, tilts


def _line(
    levels: NDArray[np.floating], variances: NDArray[np.floating], counts: NDArray[np.floating]
) -> tuple[float, float]:
    """Fit ``variance = a level + b``, robustly: a from 0, and no variance below 0 at the darkest level."""
    dark = float(levels.min())
    x, y = levels.astype(np.float64) - dark, variances.astype(np.float64)
    expected = np.sqrt(2 / (counts * HIGH.sum()))  # relative error of a mean of so many squares
    known = counts > counts.max() / 8
    slope, height = _robust_start(x[known], y[known])
    weight = counts
    for _ in range(20):
        fitted = np.maximum(slope * x + height, 1e-3 * float(y.mean()) + NOTHING)
        error = (y - fitted) / fitted
        scale = np.maximum(1.4826 * np.median(np.abs(error[known])), expected)
        trust = np.clip(1 - (error / (TUKEY * scale)) ** 2, 0, None) ** 2
        weight = trust * counts / fitted**2
        slope, height = _least_squares(x, y, weight)
    if slope and slope < SIGNIFICANT * _slope_error(x, weight * HIGH.sum() / 2):
        slope, height = 0.0, float(np.average(y, weights=weight))
    return slope, height - slope * dark


def _slope_error(x: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Return the standard error of a slope, from weights that are inverse variances."""
    spread = float(weight @ (x - np.average(x, weights=weight)) ** 2)
    return float(spread**-0.5) if spread else np.inf


def _robust_start(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return the line of median slope (Theil 1950, Sen 1968), from 0."""
    first, second = np.triu_indices(len(x), 1)
    apart = x[second] - x[first]
    known = apart != 0
    slopes = (y[second] - y[first])[known] / apart[known]
    slope = max(float(np.median(slopes)), 0.0) if slopes.size else 0.0
    return slope, max(float(np.median(y - slope * x)), 0.0)


def _least_squares(x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope and height of the weighted least squares, neither below 0."""
    if not weight.sum():
        return 0.0, float(np.median(y))
    mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
    power = float(weight @ (x - mean_x) ** 2)
    slope = float(weight @ ((x - mean_x) * (y - mean_y))) / power if power else 0.0
    height = float(mean_y - slope * mean_x)
    if slope < 0:
        return 0.0, float(mean_y)
    if height < 0:
        return float(weight @ (x * y)) / float(weight @ x**2), 0.0
    return slope, height
