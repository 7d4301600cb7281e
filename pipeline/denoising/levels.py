"""The noise of a frame, measured on the frame itself or told, as networks take it."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    """

    lines: Sequence[tuple[float, float]]
    sigma: float
    measured: NoiseEstimate | None = None
    known: NDArray[np.float32] | None = None
    span: float = 0.0

    @classmethod
    def told(cls, sigma: Sigma) -> "FrameNoise":
        """Return noise of one level, or of a level at each pixel."""
        if isinstance(sigma, np.ndarray):
            known = sigma.astype(np.float32)
            overall = float(np.sqrt(np.mean(np.square(known, dtype=np.float64))))
            return cls([(0.0, overall**2)], overall, known=known.reshape(-1, *known.shape[-2:]))
        return cls([(0.0, sigma**2)], sigma)

    @property
    def nothing(self) -> bool:
        """Return whether there is no noise to speak of, in relation to the range of the frame; told noise is noise."""
        return self.sigma <= NOTHING * self.span

    @property
    def blotched(self) -> float:
        """Return by how much local means of the noise exceed those of white noise of the same level; 1 for white."""
        found = self.measured
        return 2 * found.unevenness**0.5 if found is not None and found.correlated else 1.0

    def level(self, noisy: Tensor) -> Tensor:
        """Return the standard deviation for frames ``(N, C, H, W)``: one for each channel or all, or at each pixel."""
        if self.known is not None:
            return torch.from_numpy(np.maximum(self.known, LEAST_KNOWN * self.known.max()))[None].to(noisy)
        gain, read = (noisy.new_tensor(values).expand(len(noisy), -1) for values in zip(*self.lines, strict=True))
        return noise_level(noisy, gain, read)


def frame_noise(noisy: NDArray[np.float32], *, each_channel: bool = True) -> FrameNoise:
    """Return the noise of a frame, measured.

    Parameters
    ----------
    noisy
        ``(C, H, W)``, white being 1.0.
    each_channel
        Whether channels of unequal noise have levels of their own.
    """
    if too_small(noisy):
        return FrameNoise.told(0.0)
    whole = estimate_noise(noisy[None])
    low, high = np.quantile(noisy, RANGE)
    unequal = _channel_lines(noisy) if each_channel and len(noisy) > 1 else None
    lines, sigma = unequal or ([whole.line(noisy)], whole.sigma)
    return FrameNoise(lines, sigma, whole, span=float(high - low))


def _channel_lines(noisy: NDArray[np.float32]) -> tuple[list[tuple[float, float]], float] | None:
    """Return ``lines`` and ``sigma`` of `FrameNoise` if the channels' noise is unequal.

    A channel alone may show nothing but texture. Then differences of the channels tell.
    """
    each = [estimate_noise(channel[None, None]) for channel in noisy]
    lines = [one.line(channel) for one, channel in zip(each, noisy, strict=True)]
    sigmas: list[float] | None = [one.sigma for one in each]
    if len(noisy) == 3 and not all(one.certain for one in each):
        sigmas = channel_sigmas(noisy[None])
        lines = [(0.0, sigma**2) for sigma in sigmas or ()]
    if not sigmas or max(sigmas) <= UNEQUAL * min(sigmas):
        return None
    return lines, float(np.sqrt(np.mean(np.square(sigmas))))


def as_batch(frame: NDArray[np.float32]) -> Tensor:
    """Return a frame ``(C, H, W)`` as a batch of one."""
    return torch.from_numpy(np.ascontiguousarray(frame))[None]
