"""The noise of footage, estimated from noisy frames alone.

The model is that of Foi et al. (2008), equation 1: a pixel of expected value x has noise of variance ``a x + b``, shot
noise of gain a and read noise of variance b. `self2align.noise.estimation.measuring` measures it in the flattest
blocks. Texture is mostly common to red, green and blue, and to neighbouring frames where nothing moves; white noise is
common to neither. So three measures are made: of the frames, of differences of channels, and of differences of
neighbouring frames. Where the frames show texture, a difference replaces them if its own noise is white.

What it cannot know:

- Single gray frames in which nothing is flat: texture is taken for noise. ``error`` tells.
- Under correlated noise (demosaicing, compression) low frequencies are extrapolated from middle ones: of demosaiced
  frames sigma is found a quarter too small or worse, and correlation over more than 2 px is hardly seen. Nor is what a
  codec does to noise from frame to frame.
- The straight line assumes that pixels are proportional to light: gamma bends it, and channels are taken together.
- A pattern that is fixed to the sensor and a scene that stands still look alike: give frames between which the scene
  has moved.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from self2align.noise.estimation.brightness import by_brightness
from self2align.noise.estimation.counts import photon
from self2align.noise.estimation.measuring import UNEVEN, Measure, measure
from self2align.noise.estimation.views import (
    LOW,
    ORDER,
    SHIFT,
    SIDE,
    Values,
    channel_pairs,
    cut_blocks,
    transform,
    views,
)

FEWEST = 16  # blocks without a missing value: from fewer nothing is measured
CERTAIN = 0.02  # expected relative error: of small frames of white noise up to 7 % are then off by more than 3 %
BY_BRIGHTNESS = 0.25  # change of the variance from dark to light, as a share: less is one level
STEADY = 0.2  # share of the places that is measured for what frames share
FIXED = 0.02  # of the variance; photographs in motion without a fixed pattern give at most 0.01
# Clean DAVIS frames with white noise of sigma 2 to 75 chose these. Differences of channels have unevenness 0.9 to 1.1
# and dispersion 0.8 to 1.4; of demosaiced frames unevenness 3 to 5.
WHITE = (1.2, 1.5)  # unevenness and dispersion of noise that is white, at most
TEXTURED = (1.12, 1.3)  # unevenness or dispersion of frames whose texture shows, at least
ALIKE = 1.2  # times the variance: so little more is replaced even if no texture shows
# Dispersion at middle frequencies: of clean textured frames 6 to 22, with noise of sigma 2 on them 2 to 7, of
# demosaiced, filtered or blurred noise 0.9 to 2.5 (3.3 where texture shows).
UNFLAT = 2.5
# Dispersion at high frequencies: of white noise, of whatever brightness, 0.9 to 1.2, with texture around it up to 1.3;
# of fur and skin at sigma 5, which look like white noise on average, 1.6 to 2.1.
PATCHY = 1.4
COLORED = 0.03  # of the variance of frames: less in differences of channels, and there is no demosaiced noise


@dataclass(frozen=True)
class NoiseEstimate:
    """The noise of footage; values are in units of white (1.0).

    Attributes
    ----------
    sigma
        Standard deviation, over all brightnesses that the footage has, rounding included.
    error
        Expected relative error of sigma: from the number of blocks, and from how much texture they show.
    level
        Mean value of the footage.
    gain
        a of ``a x + b``: from 0.
    read
        b, the variance at black, rounding included. Negative where black is held above 0 (a camera's pedestal).
    rounding
        The part of b that rounding to codes makes: a twelfth of the square of a step.
    unevenness
        Power at middle over power at high spatial frequencies: 1 for white noise.
    fixed
        Share of the noise's variance that far-apart frames have in common; None for a single frame.
    clipped
        Shares of the pixels at the lowest and the highest value.
    """

    sigma: float
    error: float
    level: float
    gain: float
    read: float
    rounding: float
    unevenness: float
    fixed: float | None
    clipped: tuple[float, float]

    @property
    def certain(self) -> bool:
        """Return whether sigma is expected to be within 3 %; never for correlated noise, nor where nothing is flat."""
        return self.error < CERTAIN

    @property
    def correlated(self) -> bool:
        """Return whether neighbouring pixels share noise, as demosaicing and compression make them."""
        return self.unevenness > UNEVEN

    @property
    def fixed_pattern(self) -> bool:
        """Return whether frames share a pattern, which pairs of frames cannot remove."""
        return self.fixed is not None and self.fixed > FIXED

    @property
    def kind(self) -> str:
        """Return the model that fits: "gaussian" where, at the footage's mean, a fifth or less is shot noise."""
        shot, read = self.gain * self.level, max(self.read - self.rounding, 0.0)
        if shot <= 0.2 * (shot + read):
            return "gaussian"
        return "poisson" if read <= 0.05 * shot else "poisson_gaussian"

    def scaled(self, factor: float) -> "NoiseEstimate":
        """Return the same noise where values are so many times as large."""
        return replace(
            self,
            sigma=self.sigma * factor,
            level=self.level * factor,
            gain=self.gain * factor,
            read=self.read * factor**2,
            rounding=self.rounding * factor**2,
        )

    def line(self, frames: Values) -> tuple[float, float]:
        """Return a and b of the variance ``a x + b``; a is 0 where the frames' brightness hardly changes it."""
        known = np.isfinite(frames)
        values = frames if known.all() else frames[known]
        span = 2 * max(float(values.var(dtype=np.float64)) - self.sigma**2, 0.0) ** 0.5
        if self.gain * span <= BY_BRIGHTNESS * self.sigma**2:
            return 0.0, self.sigma**2
        return self.gain, self.read

    def variance(self, values: Values) -> Values:
        """Return the variance of the noise at expected values; nowhere less than that of rounding."""
        line: Values = np.float32(self.gain) * values + np.float32(self.read)
        return np.maximum(line, np.float32(self.rounding))


def estimate_noise(frames: Values, step: float = 0.0) -> NoiseEstimate:
    """Estimate the noise of some frames of one scene.

    Parameters
    ----------
    frames
        ``(T, C, H, W)``, white being 1.0, as the camera or codec left them; the further apart, the better. What is
        NaN is left out.
    step
        Distance of two codes, white being 1.0; 0 for values that are not rounded.

    Returns
    -------
    NoiseEstimate
        That of ``s * frames + d`` is ``scaled(s)``, read noise moved to the new black.

    Raises
    ------
    ValueError
        When the frames are smaller than a block.
    """
    height, width = frames.shape[-2:]
    if min(height, width) < SIDE + SHIFT:
        raise ValueError(
            f"frames: found {height} x {width} px, expected at least {SIDE + SHIFT} px each way to estimate noise"
        )
    blocks, overlap, ends = _blocks(frames)
    scale = ends[1] - ends[0] or 1.0
    waves = transform(blocks)
    one = photon(frames, blocks, waves)
    if one:
        return _of_photons(frames, one, waves, ends)
    rounding = (step / scale) ** 2 / 12
    noise = _choose(blocks, waves, overlap, rounding)
    means = waves[..., 0, 0] / np.float32(SIDE)
    spread = np.maximum(noise.gain * means + noise.read, rounding)
    found = NoiseEstimate(
        sigma=float(np.sqrt(spread.mean(dtype=np.float64))),
        error=noise.error,
        level=float(means.mean(dtype=np.float64)),
        gain=noise.gain,
        read=noise.read,
        rounding=rounding,
        unevenness=noise.unevenness,
        fixed=_shared(waves) if len(frames) > 1 else None,
        clipped=(float((frames == ends[0]).mean()), float((frames == ends[1]).mean())),
    ).scaled(scale)
    return replace(found, level=found.level + ends[0], read=found.read - found.gain * ends[0])


def _of_photons(frames: Values, one: float, waves: Values, ends: tuple[float, float]) -> NoiseEstimate:
    """Return the noise of photons counted one by one: its variance is the mean, and its zeros are not cut off."""
    level = float(frames[np.isfinite(frames)].mean(dtype=np.float64))
    return NoiseEstimate(
        sigma=(one * level) ** 0.5,
        error=0.5 * (one / (level * frames.size)) ** 0.5,
        level=level,
        gain=one,
        read=0.0,
        rounding=0.0,
        unevenness=1.0,
        fixed=_shared(waves) if len(frames) > 1 else None,
        clipped=(0.0, float((frames == ends[1]).mean())),
    )


def channel_sigmas(frames: Values) -> list[float] | None:
    """Return the standard deviation of each channel's noise in RGB that shows texture, from differences of two each.

    With the variances v of the differences (of pairs, halved), that of red is ``v_rg + v_rb - v_gb``. None where that
    is no measure of the noise: it is not white, or channels share it.

    Parameters
    ----------
    frames
        ``(T, 3, H, W)``, large enough for `estimate_noise`.
    """
    blocks, overlap, ends = _blocks(frames)
    waves = transform(blocks)
    variances = _channel_variances(blocks, waves, overlap, measure(views(blocks, waves)[0], overlap))
    if variances is None:
        return None
    return [float(one) for one in np.sqrt(variances) * (ends[1] - ends[0])]


def too_small(frame: Values) -> bool:
    """Return whether frames ``(..., H, W)`` are too small, or hold too few finite values, to estimate their noise."""
    height, width = frame.shape[-2:]
    if min(height, width) < SIDE + SHIFT:
        return True
    stack = frame.reshape(1, -1, height, width)
    return not np.isfinite(stack).all() and cut_blocks(stack)[0].shape[2] < FEWEST


def shared_noise(frames: Values) -> float:
    """Return the share of the noise's variance that some frames, ``(T, C, H, W)``, have in common.

    Of neighbours in a moving scene it is what a codec or the camera's own filter takes from one frame into the next.
    """
    return _shared(transform(cut_blocks(frames)[0]))


def code_step(codes: NDArray[np.integer]) -> int:
    """Return the distance that all codes keep: 16 for 12 bits that are held in the upper bits of 16."""
    found = np.unique(codes).astype(np.int64)
    return int(np.gcd.reduce(np.diff(found))) if len(found) > 1 else 1


def _blocks(frames: Values) -> tuple[Values, float, tuple[float, float]]:
    """Return blocks of values from 0 to 1, the number of them that hold a pixel, and what was 0 and 1.

    So neither the unit of the values nor an offset makes a difference.
    """
    ends = float(np.nanmin(frames)), float(np.nanmax(frames))
    blocks, stride = cut_blocks(frames)
    blocks = (blocks - np.float32(ends[0])) / np.float32(ends[1] - ends[0] or 1.0)
    return blocks, (SIDE / stride) ** 2, ends


def _choose(blocks: Values, waves: Values, overlap: float, rounding: float) -> Measure:
    """Return the noise of the frames, or of the differences that hold less texture."""
    found = views(blocks, waves)
    first, *rest = (measure(view, overlap) for view in found)
    white = [one for one in rest if _is_white(one) and one.variance > rounding / 2]
    better = [one for one in white if _is_better(one, first)]
    if better:
        return min(better, key=lambda one: one.error)
    growing = by_brightness(found[0], overlap, first)
    if growing is not None:
        return growing
    colors = [one for view, one in zip(found[1:], rest, strict=True) if view.colors]
    demosaiced = any(one.variance > COLORED * first.variance for one in colors)
    if first.unevenness > TEXTURED[0] and first.dispersion > UNFLAT and not demosaiced:
        return measure(found[0], overlap, "texture")
    if first.unevenness > UNEVEN:
        return measure(found[0], overlap, "correlated")
    if first.uneven > PATCHY and not first.clipped:
        variances = _channel_variances(blocks, waves, overlap, first) if colors else None
        if variances is None or variances.max() < PATCHY * variances.min():
            return measure(found[0], overlap, "texture")
        overall = float(variances.mean())
        return replace(first, variance=overall, gain=0.0, read=overall)
    return _agreed(first, white)


def _channel_variances(blocks: Values, waves: Values, overlap: float, first: Measure) -> NDArray[np.float64] | None:
    """Return the variance of each channel's noise, in units of the range of values; see `channel_sigmas`."""
    pairs = [measure(view, overlap) for view in channel_pairs(blocks, waves)]
    differences = np.array([one.variance for one in pairs])
    variances: NDArray[np.float64] = differences.sum() - 2 * differences
    if not all(map(_is_white, pairs)) or differences.mean() < COLORED * first.variance or (variances <= 0).any():
        return None
    return variances


def _is_white(one: Measure) -> bool:
    return one.unevenness < WHITE[0] and one.dispersion < WHITE[1]


def _is_better(one: Measure, first: Measure) -> bool:
    """Return whether white noise in differences is that of the frames, which show more because of their texture.

    Much more, where no texture shows, is noise that channels or frames share. A little more counts for nothing where
    noise is clipped, which is found too small where the brightness of the channels varies.
    """
    textured = first.unevenness > TEXTURED[0] or first.dispersion > TEXTURED[1]
    alike = first.variance < ALIKE * one.variance
    return one.variance < first.variance and (not one.clipped if alike else textured)


def _agreed(first: Measure, others: list[Measure]) -> Measure:
    """Return a measure with the error that others leave it: as much as they differ from it."""
    errors = (max(one.error, abs(one.variance / first.variance - 1) / 2) for one in others if first.variance)
    return replace(first, error=min(first.error, *errors, np.inf))


def _shared(waves: Values) -> float:
    """Return the mean correlation of the residuals of two frames, at the places that are flattest in all of them."""
    frames = len(waves)
    low = (waves[..., LOW] ** 2).mean((0, 3)).ravel()
    steady = np.argsort(low, kind="stable")[: max(1, round(STEADY * low.size))]
    residuals = waves.reshape(frames, -1, SIDE, SIDE)[:, steady][..., ~(ORDER <= 4)].reshape(frames, -1)
    norms = np.sqrt((residuals**2).sum(1, keepdims=True))
    unit = residuals / np.maximum(norms, np.finfo(np.float32).tiny)
    return float((unit @ unit.T)[np.triu_indices(frames, 1)].mean())
