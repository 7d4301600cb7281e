"""The noise of a frame, measured on the frame itself or told, as networks take it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.networks.normalised import noise_level
from self2align.noise.estimation import NoiseEstimate, estimate_noise, too_small

# Standard deviation on the scale of 255. Rounding to 8 bits alone makes 0.29.
NOTHING = 0.5
VARIED = 1.3  # largest over smallest sigma of frames: below that nothing is said
NEAR = 1.1  # a level so many times beyond the range of the training is within it
LEAST_KNOWN = 1e-3  # of the highest level of a map: the least level of a pixel
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
    """

    lines: Sequence[tuple[float, float]]
    sigma: float
    measured: NoiseEstimate | None = None
    known: NDArray[np.float32] | None = None

    @classmethod
    def told(cls, sigma: Sigma) -> "FrameNoise":
        """Return noise of one level, or of a level at each pixel."""
        if isinstance(sigma, np.ndarray):
            known = np.maximum(sigma.astype(np.float32), LEAST_KNOWN * float(sigma.max()))
            overall = float(np.sqrt(np.mean(np.square(known, dtype=np.float64))))
            return cls([(0.0, overall**2)], overall, known=known.reshape(-1, *known.shape[-2:]))
        return cls([(0.0, sigma**2)], sigma)

    @property
    def nothing(self) -> bool:
        """Return whether there is no noise to speak of."""
        return self.sigma < NOTHING / 255

    @property
    def blotched(self) -> float:
        """Return by how much local means of the noise exceed those of white noise of the same level; 1 for white."""
        found = self.measured
        return 2 * found.unevenness**0.5 if found is not None and found.correlated else 1.0

    def level(self, noisy: Tensor) -> Tensor:
        """Return the standard deviation for frames ``(N, C, H, W)``: one for each channel or all, or at each pixel."""
        if self.known is not None:
            return torch.from_numpy(self.known)[None].to(noisy)
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
    if each_channel and len(noisy) > 1:
        each = [estimate_noise(channel[None, None]) for channel in noisy]
        sigmas = [one.sigma for one in each]
        if max(sigmas) > UNEQUAL * min(sigmas):
            lines = [one.line(channel) for one, channel in zip(each, noisy, strict=True)]
            return FrameNoise(lines, float(np.sqrt(np.mean(np.square(sigmas)))), whole)
    return FrameNoise([whole.line(noisy)], whole.sigma, whole)


def as_batch(frame: NDArray[np.float32]) -> Tensor:
    """Return a frame ``(C, H, W)`` as a batch of one."""
    return torch.from_numpy(np.ascontiguousarray(frame))[None]


@dataclass(frozen=True)
class Purpose:
    """What weights say of the noise that they are for.

    Attributes
    ----------
    normalised
        Whether the network sees noise of one level, whatever that of the frame.
    sigma
        Lowest and highest standard deviation in training, on the scale of 255; None if unknown.
    correlated
        Whether neighbouring pixels shared noise; None if unknown.
    """

    normalised: bool
    sigma: tuple[float, float] | None
    correlated: bool | None

    @classmethod
    def of(cls, header: Mapping[str, Any]) -> "Purpose":
        """Return what the header of a weights file says."""
        seen = header.get("noise_seen") or {}
        sigma = seen.get("sigma")
        return cls(header.get("normalised") is not None, tuple(sigma) if sigma else None, seen.get("correlated"))

    def compare(self, noise: FrameNoise) -> list[str]:
        """Return what a user should know about frames with this noise: one line each."""
        sigma, found = 255 * noise.sigma, noise.measured
        text = f"sigma {round(sigma, 2):.3g} (white is 255)"
        if noise.nothing:
            return [f"no noise to speak of, {text}: left as it is (--sigma sets the level)"]
        how = "as told" if found is None else "measured"
        kind = ", more where it is bright" if any(gain for gain, _ in noise.lines) else ""
        lines = [f"noise: {text}{kind}, {how}{self._level(sigma)}"]
        if found is not None and found.correlated and self.correlated is False:
            lines.append(
                "neighbouring pixels share noise (demosaicing, compression); these weights are for independent noise "
                "and will leave blotches: train on this footage (self2align init)"
            )
        if found is not None and not found.certain:
            lines.append(
                "texture and noise cannot be told apart here; the lower level was taken. If noise is left, set --sigma"
            )
        return lines

    def _level(self, sigma: float) -> str:
        """Return what happens to noise of that level."""
        if self.sigma is None:
            return ""
        low, high = self.sigma
        trained = f"sigma {low:.3g}" if high < 1.05 * low else f"sigma {low:.3g} to {high:.3g}"
        if low / NEAR <= sigma <= high * NEAR:
            return f"; the weights are for {trained}"
        if self.normalised:
            return f"; brought to the level of the weights, though they saw {trained} only: expect less"
        return f"; brought to the level of the weights, which were trained at {trained}: expect less"


class NoiseNotes:
    """Says what is found of the noise while frames are denoised: at the first, and where later ones differ.

    Parameters
    ----------
    purpose
        Of the weights.
    say
        Prints a line.
    """

    def __init__(self, purpose: Purpose, say: Callable[[str], None]) -> None:
        self.purpose, self.say = purpose, say
        self.sigmas: list[float] = []

    def __call__(self, noise: FrameNoise) -> None:
        """Take note of the noise of a frame."""
        if not self.sigmas:
            for line in self.purpose.compare(noise):
                self.say(line)
        self.sigmas.append(255 * noise.sigma)

    def summarise(self) -> None:
        """Say how the frames differed, if they did."""
        if len(self.sigmas) > 1 and max(self.sigmas) > VARIED * min(self.sigmas):
            untouched = sum(sigma < NOTHING for sigma in self.sigmas)
            left = f"; left as they are: {untouched}" if untouched else ""
            self.say(f"noise of the frames: sigma {min(self.sigmas):.3g} to {max(self.sigmas):.3g}{left}")
