"""The noise of a scene, measured between aligned frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from self2align.measuring.carried import carried
from self2align.measuring.covariance import covariance
from self2align.measuring.triples import DISTANCES, Read, Triple, block_means, triples
from self2align.measuring.variances import FEWEST, NOTHING, Blocks, Curve, cut_triples, fit_curve
from self2align.noise.estimation.estimate import estimate_noise, too_small
from self2align.noise.profile import NoiseProfile
from self2align.runtime.spacing import evenly_spaced

TARGETS = 5
APART = 0.75  # of the variance: at the distance at which products hold so much of it, they are measured
# Relative errors of the variance: of what frames carry and of texture, as shares of what is corrected for them.
DOUBT = 0.3
UNKNOWN = 0.5  # of noise that cannot be told from the scene
# Correlation of two channels: of a codec, whose chroma has a quarter of the samples; pictures have next to none. With
# more, or where frames share more, or where most blocks hold far less than the mean, as only a few are renewed, a codec
# hides noise (docs/decisions/noise.md).
CODED, HIDDEN, REPEATED, PATCHY = 0.3, 0.5, 0.25, 0.7
SAME = 0.95  # of channels that are copies of each other
UNEVEN = 0.2  # relative error of the variance of coded noise, which is not the same in flat places and in texture
MOST = 10.0  # times the variance: what a block counts at the most


def measure_profile(read: Read, count: int, targets: int = TARGETS) -> NoiseProfile:
    """Return the noise of a scene.

    Parameters
    ----------
    read
        Returns a frame by its number, ``(C, H, W)``, white being 1.0; of frames that are not copies of each other.
    count
        Number of frames. Of one or two, and where nothing can be aligned, noise is told by single frames.
    targets
        Number of frames, evenly spaced, whose noise is measured.

    Returns
    -------
    NoiseProfile
        Of frames too small for an estimate a variance of 0, with an error of 1.
    """
    if count < 3:
        return _single(read, count)
    margin = min(DISTANCES[-1], max(1, (count - 1) // 4))
    numbers = sorted({margin + at for at in evenly_spaced(count - 2 * margin, targets).tolist()})
    found = [triples(read, count, at) for at in numbers]
    near = _look(found, 1)
    coded = near is not None and HIDDEN < _of_all_channels(near.correlation) < SAME
    far = max(map(max, found))
    along, shares = carried([one for one in found if far in one], coded=coded)
    distance = next((one for one in sorted(shares) if shares[one] >= APART), far)
    # Far away it may be too little that aligns.
    look = near if distance == 1 else _look(found, distance) or near
    if look is None:
        return _single(read, count)
    share = min(shares[look.distance], 1.0)
    excess, doubt, least = 1.0, _error(look.blocks, look.curve, share), False
    channels = _of_all_channels(look.correlation)
    if CODED < channels < SAME:
        excess = _elsewhere(look.found, look.curve)
    if along.size or CODED < channels < SAME:
        patchy = _typical(look.blocks, look.curve) < PATCHY
        least = patchy or HIDDEN < channels < SAME or along[:1].sum() > REPEATED
        doubt = float(np.hypot(max(doubt, UNKNOWN if least else UNEVEN), excess - 1))
    return NoiseProfile(
        look.curve.levels,
        look.curve.variances * excess / share,
        look.correlation,
        along=along,
        rows=look.rows,
        error=doubt,
        least=least,
    )


@dataclass(frozen=True)
class _Look:
    """What frames at a distance from their neighbours tell.

    Attributes
    ----------
    distance
        Frames.
    found, blocks
        The triples of that distance, and their blocks.
    curve
        Variance by brightness.
    correlation, rows
        See `covariance`.
    """

    distance: int
    found: Sequence[Triple]
    blocks: Blocks
    curve: Curve
    correlation: NDArray[np.float64]
    rows: float


def _look(found: Sequence[Mapping[int, Triple]], distance: int) -> _Look | None:
    """Return what the triples of a distance tell; None if too few places align, or their products hold nothing."""
    chosen = [one[distance] for one in found if distance in one]
    blocks = cut_triples(chosen)
    if blocks.chosen.sum() < FEWEST:
        return None
    curve = fit_curve(blocks, distance)
    shared = covariance(chosen, _masks(blocks, chosen), curve)
    return None if shared is None else _Look(distance, chosen, blocks, curve, *shared)


def _of_all_channels(correlation: NDArray[np.float64]) -> float:
    """Return the mean correlation of two channels at one pixel; 0 of one channel, and of independent pixels."""
    if correlation.shape[-1] == 1:
        return 0.0
    middle, channels = correlation.shape[-1] // 2, len(correlation)
    held = correlation[..., middle, middle]
    return float((held.sum() - channels) / max(channels * (channels - 1), 1))


def _elsewhere(found: Sequence[Triple], curve: Curve) -> float:
    """Return the variance of coded noise over that in flat places, where a codec leaves least of it.

    In texture a codec leaves more noise, and what aligns badly adds to the products: the mean over all trusted places
    is too much, that of flat ones too little. Their geometric mean is taken.
    """
    products = np.concatenate([block_means(one.before * one.after)[:, one.trusted] for one in found], 1)
    levels = np.concatenate([block_means(one.brightness)[:, one.trusted] for one in found], 1)
    fitted = np.maximum(curve.at(levels), NOTHING)
    whole = np.clip(products / fitted, -MOST, MOST) * fitted
    return float(np.sqrt(max(whole.mean() / fitted.mean(), 1.0)))


def _typical(blocks: Blocks, curve: Curve) -> float:
    """Return the median of the products of blocks over their mean, at the same brightness."""
    relative = (blocks.products / np.maximum(curve.at(blocks.levels), NOTHING)).mean(0)
    return float(np.median(relative) / max(relative.mean(), NOTHING))


def _masks(blocks: Blocks, found: Sequence[Triple]) -> list[NDArray[np.bool_]]:
    parts = np.split(blocks.chosen, np.cumsum([one.trusted.size for one in found])[:-1])
    return [part.reshape(one.trusted.shape) for part, one in zip(parts, found, strict=True)]


def _error(blocks: Blocks, curve: Curve, share: float) -> float:
    """Return the expected relative error of the variance: by chance, by texture, and by what frames carry."""
    apart = blocks.products - curve.at(blocks.levels)
    chance = float(np.sqrt(np.mean(apart**2) / blocks.chosen.sum())) / max(float(curve.variances.mean()), 1e-12)
    return float(np.sqrt(chance**2 + (DOUBT * curve.removed) ** 2 + (DOUBT * (1 / share - 1)) ** 2))


def _single(read: Read, count: int) -> NoiseProfile:
    """Return the noise as flat places of single frames tell it."""
    frames = np.stack([read(at) for at in evenly_spaced(count, TARGETS).tolist()])
    if any(too_small(frame) for frame in frames):
        return replace(NoiseProfile.white(frames.shape[1], 0.0, 0.0), error=1.0)
    found = estimate_noise(frames)
    white = NoiseProfile.white(frames.shape[1], *found.line(frames))
    return replace(white, error=max(2 * found.error, UNKNOWN if found.correlated else 0.0))
