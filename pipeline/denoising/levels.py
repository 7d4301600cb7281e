"""The noise of a frame, measured on the frame itself or told, as networks take it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.networks.normalised import noise_level
from self2align.noise.estimation.estimate import NoiseEstimate, channel_sigmas, estimate_noise, too_small

# Share of the range of a frame's values. Of 255 it is 0.5; rounding to 8 bits alone makes 0.29.
NOTHING = 0.002
RANGE = (0.005, 0.995)  # quantiles of a frame: a hot pixel does not count
LEAST_KNOWN = 0.05  # of the highest level of a map: the least that the network is told, which would see huge values
UNEQUAL = 1.2  # largest over smallest sigma of the channels: below that one level serves all
DOUBTS = 3.0  # times the expected error of sigma: so much more, or it may be chance
# Share of the variance: if channels have less in common, it is taken for independent. Where the noise of a frame is not
# certain, as of little noise in texture, texture may be among what they share.
SHARED, MOSTLY = 0.18, 0.5
# Of the range of a frame: noise alone has at most 0.19, of its own range. Drawings and text have more.
DRAWN = 0.25
UNEVEN = 1.6  # largest over smallest sigma of the quarters of a frame: less goes unsaid
QUARTERED = 128  # px: of smaller frames quarters tell nothing

CUT = 0.002  # of the pixels at the lowest or highest value: it cuts the noise off
NEAR = 2.0  # standard deviations of the noise from there
MOST_CUT = 0.7  # of the pixels: what is left tells less than all of them

Sigma = float | NDArray[np.float32]


@dataclass(frozen=True)
class FrameNoise:
    """The noise of a frame; white is 1.0.

    Attributes
    ----------
    lines
        For each channel, or one for all: a and b of the variance ``a x + b`` at an expected value x.
    sigma
        Standard deviation over the whole frame.
    measured
        What was found in the frame; None if the level was told, or the frame is too small to tell.
    known
        The standard deviation at each pixel, ``(1, H, W)`` or ``(C, H, W)``, where it was told.
    span
        Range of the values of the frame; 0 if the level was told.
    shared
        Share of the variance that all channels have in common: 1 for gray noise in RGB.
    quarters
        Of `uneven_sigmas`, where that was asked for.
    raised
        By how much more than this a network is told.
    """

    lines: Sequence[tuple[float, float]]
    sigma: float
    measured: NoiseEstimate | None = None
    known: NDArray[np.float32] | None = None
    span: float = 0.0
    shared: float = 0.0
    quarters: tuple[float, float] | None = None
    raised: float = 1.0

    @classmethod
    def told(cls, sigma: Sigma) -> "FrameNoise":
        """Return noise of one level, or of a level at each pixel."""
        if isinstance(sigma, np.ndarray):
            known = sigma.astype(np.float32)
            overall = float(np.sqrt(np.mean(np.square(known, dtype=np.float64))))
            return cls([(0.0, overall**2)], overall, known=known.reshape(-1, *known.shape[-2:]))
        return cls([(0.0, sigma**2)], sigma)

    def of_level(self, sigma: float) -> "FrameNoise":
        """Return the same noise at another level, whatever the brightness."""
        return replace(self, lines=[(0.0, sigma**2)], sigma=sigma)

    @property
    def nothing(self) -> bool:
        """Return whether there is no noise to speak of, in relation to the range of the frame; told noise is noise."""
        return self.sigma <= NOTHING * self.span or self.drawn

    @property
    def drawn(self) -> bool:
        """Return whether what was measured is more than noise can be: a drawing, or text."""
        return self.measured is not None and self.measured.correlated and self.sigma > DRAWN * self.span

    @property
    def blotched(self) -> float:
        """Return by how much local means of the noise exceed those of white noise of the same level; 1 for white."""
        found = self.measured
        return 2 * found.unevenness**0.5 if found is not None and found.correlated else 1.0

    def usual(self, noisy: NDArray[np.float32]) -> float:
        """Return the standard deviation that is expected in a part of the frame, ``(C, H, W)``, by its brightness."""
        means = noisy.mean((1, 2)).tolist() if len(self.lines) == len(noisy) else [float(noisy.mean())]
        variances = [max(gain * mean + read, 0.0) for (gain, read), mean in zip(self.lines, means, strict=True)]
        return math.sqrt(max(sum(variances) / len(variances), 1e-12))

    def level(self, noisy: Tensor) -> Tensor:
        """Return what a network is told for frames ``(N, C, H, W)``: one for each channel or all, or at each pixel.

        It is the standard deviation, ``raised`` times.
        """
        if self.known is not None:
            return torch.from_numpy(np.maximum(self.known, LEAST_KNOWN * self.known.max()))[None].to(noisy)
        gain, read = (noisy.new_tensor(values).expand(len(noisy), -1) for values in zip(*self.lines, strict=True))
        return self.raised * noise_level(noisy, gain, read)


def frame_noise(noisy: NDArray[np.float32], *, each_channel: bool = True) -> FrameNoise:
    """Return the noise of a frame, measured.

    Parameters
    ----------
    noisy
        ``(C, H, W)``, white being 1.0; NaN where nothing was measured.
    each_channel
        Whether channels of unequal noise have levels of their own.
    """
    if too_small(noisy):
        return FrameNoise.told(0.0)
    whole = estimate_noise(noisy[None])
    known = np.isfinite(noisy)
    low, high = np.quantile(noisy if known.all() else noisy[known], RANGE)
    unequal = _channel_lines(noisy) if each_channel and len(noisy) > 1 else None
    lines, sigma = unequal or ([whole.line(noisy)], whole.sigma)
    shared = _shared(noisy, whole) if unequal is None and len(noisy) > 1 else 0.0
    return FrameNoise(lines, sigma, whole, span=float(high - low), shared=shared)


def uneven_sigmas(noisy: NDArray[np.float32], noise: FrameNoise) -> tuple[float, float] | None:
    """Return the lowest and the highest standard deviation of the noise in the quarters of a frame, if they differ.

    Brightness explains some of it; what it explains does not count, nor do quarters whose noise cannot be told.

    Parameters
    ----------
    noisy
        ``(C, H, W)``, white being 1.0.
    noise
        As measured on the whole frame.
    """
    _, height, width = noisy.shape
    halves = [(slice(0, length // 2), slice(length // 2, length)) for length in (height, width)]
    parts = [noisy[:, rows, columns] for rows in halves[0] for columns in halves[1]]
    parts = [part for part in parts if np.isfinite(part).all()]
    if noise.measured is None or noise.nothing or min(height, width) < QUARTERED:
        return None
    found = [(one.sigma, noise.usual(part)) for part in parts if (one := estimate_noise(part[None])).certain]
    ratios = [sigma / usual for sigma, usual in found]
    if len(found) < 2 or max(ratios) < UNEVEN * min(ratios):
        return None
    sigmas = [sigma for sigma, _ in found]
    return min(sigmas), max(sigmas)


def _shared(noisy: NDArray[np.float32], whole: NoiseEstimate) -> float:
    """Return the share of the noise that channels have in common: their difference does not have it."""
    if whole.correlated or not whole.sigma:
        return 0.0
    first, last = noisy[0], noisy[-1]
    apart, level = _variance(first - last), whole.sigma**2
    least = SHARED if whole.certain else MOSTLY
    if 1 - apart / level <= least:
        return 0.0
    # Where black or white cuts a channel off, difference and sum have less noise as well.
    cut = _is_cut(first, whole.sigma) | _is_cut(last, whole.sigma)
    if cut.mean() > MOST_CUT:
        cut[:] = False
    apart, together = (_variance(np.where(cut, np.nan, values)) for values in (first - last, first + last))
    shared = min(1 - apart / level, (together - apart) / max(together + apart, 1e-20))
    return shared if shared > least else 0.0


def _is_cut(channel: NDArray[np.float32], sigma: float) -> NDArray[np.bool_]:
    """Return where noise of a channel, ``(H, W)``, reaches a value at which many are cut off."""
    cut = np.zeros(channel.shape, np.bool_)
    around = cv2.blur(channel, (5, 5))
    for end in (channel.min(), channel.max()):
        if (channel == end).mean() > CUT:
            cut |= np.abs(around - end) < NEAR * sigma
    return cut


def _variance(values: NDArray[np.float32]) -> float:
    """Return the variance of the noise of two channels added or subtracted, for each."""
    return float(estimate_noise((values / np.float32(2**0.5))[None, None]).sigma ** 2)


def _channel_lines(noisy: NDArray[np.float32]) -> tuple[list[tuple[float, float]], float] | None:
    """Return ``lines`` and ``sigma`` of `FrameNoise` if the channels' noise is unequal.

    A channel alone may show nothing but texture. Then differences of the channels tell.
    """
    each = [estimate_noise(channel[None, None]) for channel in noisy]
    lines = [one.line(channel) for one, channel in zip(each, noisy, strict=True)]
    sigmas: list[float] | None = [one.sigma for one in each]
    doubt = DOUBTS * max(one.error for one in each)
    if len(noisy) == 3 and not all(one.certain for one in each):
        sigmas, doubt = channel_sigmas(noisy[None]), 0.0
        lines = [(0.0, sigma**2) for sigma in sigmas or ()]
    if not sigmas or max(sigmas) <= (UNEQUAL + doubt) * min(sigmas):
        return None
    return lines, float(np.sqrt(np.mean(np.square(sigmas))))


def as_batch(frame: NDArray[np.float32]) -> Tensor:
    """Return a frame ``(C, H, W)`` as a batch of one."""
    return torch.from_numpy(np.ascontiguousarray(frame))[None]
