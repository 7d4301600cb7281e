"""The variance of noise by brightness and channel, from the products of blocks.

The product of a block is fitted as the variance at its brightness, linear between knots, plus a share of its texture,
which is what interpolation, demosaicing and small errors of the motion make of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from self2align.measuring.triples import Triple, block_means

Numbers = NDArray[np.float64]

KNOTS = 16  # of brightness
STIFF = 0.005  # of the weight of all blocks: how much the variance resists bends
FLAT = 0.5  # texture over variance of the noise: places with more are left out
FEWEST, LEAST = 64, 0.25  # blocks, and share of the trusted ones, that are measured at the least
# Variance of a product over texture, per frame of distance, and at any: raw footage has 0.2 at one frame, 0.4 at two,
# 0.7 at four and eight (docs/decisions/noise.md).
MOST_TEXTURE = (0.25, 1.0)
FAR = 5.0  # robust deviations from the fit: a block that is further away counts for nothing
ROUNDS = 6
NOTHING = 1e-12


@dataclass(frozen=True)
class Blocks:
    """Trusted blocks of all triples of one distance.

    Attributes
    ----------
    products, levels, textures
        Of each channel, ``(C, N)``.
    chosen
        Which of all places of the triples they are, ``(M,)``, bool, N of them true.
    """

    products: Numbers
    levels: Numbers
    textures: Numbers
    chosen: NDArray[np.bool_]


@dataclass(frozen=True)
class Curve:
    """The variance of the noise over brightness.

    Attributes
    ----------
    levels
        ``(K,)``, rising.
    variances
        ``(C, K)``.
    texture
        Share of the texture that adds to the products, ``(C,)``.
    removed
        What it adds on average, relative to the variance.
    """

    levels: Numbers
    variances: Numbers
    texture: Numbers
    removed: float

    def at(self, brightness: NDArray[np.floating]) -> Numbers:
        """Return the variance at the brightness of each channel, ``(C, ...)``."""
        pairs = zip(brightness, self.variances, strict=True)
        return np.stack([np.interp(one, self.levels, variances) for one, variances in pairs])


def cut_triples(found: Sequence[Triple]) -> Blocks:
    """Return the trusted and flat blocks of triples of one distance."""
    products, levels, textures = _tables(found)
    chosen = flat(products, textures, np.concatenate([one.trusted.ravel() for one in found]))
    return Blocks(products[:, chosen], levels[:, chosen], textures[:, chosen], chosen)


def flat(products: Numbers, textures: Numbers, trusted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which trusted blocks have little texture for the noise that their products, ``(C, N)``, show."""
    if trusted.sum() <= FEWEST:
        return trusted
    shown = textures.mean(0)
    usual = np.median(products.mean(0)[trusted & (shown <= np.median(shown[trusted]))])
    least = min(max(FEWEST / trusted.sum(), LEAST), 1.0)
    return np.asarray(trusted & (shown <= max(FLAT * usual, float(np.quantile(shown[trusted], least)))))


def _tables(found: Sequence[Triple]) -> tuple[Numbers, Numbers, Numbers]:
    def table(parts: list[Numbers]) -> Numbers:
        return np.concatenate([part.reshape(len(part), -1) for part in parts], 1)

    return (
        table([block_means(one.before * one.after) for one in found]),
        table([block_means(one.brightness) for one in found]),
        table([one.texture.astype(np.float64) for one in found]),
    )


def fit_curve(blocks: Blocks, distance: int) -> Curve:
    """Fit the variance by brightness, from products of neighbours at a distance; outliers count for nothing."""
    most = min(MOST_TEXTURE[0] * distance, MOST_TEXTURE[1])
    low, high = np.quantile(blocks.levels, (0.01, 0.99))
    levels = np.linspace(low, max(high, low + 1e-6), KNOTS)
    fits = [_fit(*parts, levels, most) for parts in zip(blocks.products, blocks.levels, blocks.textures, strict=True)]
    variances, texture = np.stack([one[0] for one in fits]), np.array([one[1] for one in fits])
    shown = float((texture * np.maximum(blocks.textures, 0).mean(1)).mean())
    return Curve(levels, variances, texture, shown / max(float(variances.mean()), NOTHING))


def _fit(products: Numbers, at: Numbers, textures: Numbers, levels: Numbers, most: float) -> tuple[Numbers, float]:
    """Return the variance at each knot, and the share of the texture, of one channel."""
    hats = np.stack([np.interp(at, levels, one) for one in np.eye(KNOTS)], 1)
    bends = np.diff(np.eye(KNOTS), 2, axis=0)
    weights = np.ones(len(at))
    variances, share = np.full(KNOTS, products.mean()), 0.0
    for _ in range(ROUNDS):
        stiff = np.sqrt(STIFF * weights.sum()) * bends
        table = np.concatenate([hats, textures[:, None]], 1) * np.sqrt(weights)[:, None]
        table = np.concatenate([table, np.pad(stiff, ((0, 0), (0, 1)))])
        wanted = np.concatenate([products * np.sqrt(weights), np.zeros(len(stiff))])
        solved = np.linalg.lstsq(table, wanted, rcond=None)[0]
        share = float(np.clip(solved[-1], 0.0, most))
        wanted[: len(at)] -= share * table[: len(at), -1]
        variances = np.maximum(np.linalg.lstsq(table[:, :-1], wanted, rcond=None)[0], 0.0)
        fitted = hats @ variances + share * np.maximum(textures, 0)
        relative = (products - fitted) / np.maximum(fitted, 1e-3 * fitted.mean() + NOTHING)
        scale = 1.4826 * float(np.median(np.abs(relative))) + NOTHING
        trust = (np.abs(relative) < FAR * scale).astype(np.float64)
        weights = trust / np.maximum(fitted, 0.1 * fitted.mean() + NOTHING) ** 2
        weights /= max(weights.mean(), NOTHING)
    return variances, share
