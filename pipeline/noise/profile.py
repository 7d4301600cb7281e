"""Noise as it was measured or is known: how strong, by brightness and channel, and what it shares with its surround.

White noise is the special case in which a pixel shares nothing. Demosaicing, compression and rows of a sensor make
neighbouring pixels, channels and frames share noise. One object tells this to everything that must know it: the
aligner, the confidence, the scores, the objectives, the filters and the words for the user.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

SLIGHT = 0.1  # correlation of pixels: noise that shares less is treated as independent
UNRELIABLE = 0.5  # expected relative error of the variance
REACH = 7  # px: the largest distance at which the covariance is held


@dataclass(frozen=True)
class NoiseProfile:
    """The noise of the frames of a scene; white is 1.0.

    Attributes
    ----------
    levels
        Expected values at which the variance is known, ``(K,)``, rising.
    variances
        Of each channel at these values, ``(C, K)``.
    covariance
        Correlation of the noise of channel i at a pixel with that of channel j at a pixel dy, dx away, ``(C, C, S, S)``
        with S = 2 R + 1: 1 at ``[i, i, R, R]``, and symmetric: ``[i, j, R + dy, R + dx] = [j, i, R - dy, R - dx]``.
    along
        Correlation with the noise of the frame one, two, ... frames away, along the motion, ``(D,)``: what a codec
        carries from frame to frame.
    fixed
        Share of the variance that stays at its place on the sensor.
    rows
        Share of the variance that whole rows have in common.
    error
        Expected relative error of the variance.
    least
        Whether the variance is what there is at the least: a codec repeats noise, which cannot be told from the scene.
    """

    levels: NDArray[np.float64]
    variances: NDArray[np.float64]
    covariance: NDArray[np.float64]
    along: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    fixed: float = 0.0
    rows: float = 0.0
    error: float = 0.0
    least: bool = False

    @classmethod
    def white(cls, channels: int, gain: float, read: float) -> "NoiseProfile":
        """Return independent noise of variance ``gain x + read`` at an expected value x."""
        covariance = np.zeros((channels, channels, 1, 1))
        covariance[range(channels), range(channels)] = 1.0
        levels = np.array([0.0, 1.0])
        return cls(levels, np.tile(np.maximum(gain * levels + read, 0.0), (channels, 1)), covariance)

    @classmethod
    def mean_of(cls, profiles: Sequence["NoiseProfile"]) -> "NoiseProfile":
        """Return the mean of several scenes' noise, of as many channels each."""
        reach, far = max(one.reach for one in profiles), max(len(one.along) for one in profiles)
        levels = np.unique(np.concatenate([one.levels for one in profiles]))
        wide = [np.pad(one.covariance, [(0, 0)] * 2 + [(reach - one.reach,) * 2] * 2) for one in profiles]
        variances = [[np.interp(levels, one.levels, line) for line in one.variances] for one in profiles]
        return cls(
            levels,
            np.mean(variances, 0),
            np.mean(wide, 0),
            np.mean([np.pad(one.along, (0, far - len(one.along))) for one in profiles], 0),
            float(np.mean([one.fixed for one in profiles])),
            float(np.mean([one.rows for one in profiles])),
            float(np.mean([one.error for one in profiles])),
            any(one.least for one in profiles),
        )

    @property
    def reach(self) -> int:
        """Return R, px: further away pixels share no noise."""
        return int(self.covariance.shape[-1]) // 2 if self.covariance.ndim else 0

    @property
    def is_shared(self) -> bool:
        """Return whether pixels share noise to an extent that matters, and it is known well enough to rely on."""
        around = self.covariance.copy()
        around[..., self.reach, self.reach] = 0.0
        shared = float(np.abs(around).max()) > SLIGHT
        return shared and self.is_relied and bool((self.variances.mean(1) > 0).all())

    @property
    def is_relied(self) -> bool:
        """Return whether it is known what noise shares: where a codec hides some of the variance, the rest tells it."""
        return self.error < UNRELIABLE or self.least

    @property
    def is_white(self) -> bool:
        """Return whether the noise is independent from pixel to pixel and from channel to channel."""
        return self.reach == 0 and not np.any(self.covariance[~np.eye(len(self.covariance), dtype=bool)])

    @property
    def neighbour(self) -> float:
        """Return the correlation with the noise of the next pixel, in the mean of the channels and both directions."""
        if self.reach == 0:
            return 0.0
        middle, own = self.reach, np.einsum("iiyx->yx", self.covariance) / len(self.covariance)
        return float(own[middle, middle + 1] + own[middle + 1, middle]) / 2

    def filtered(self, taps: NDArray[np.float64]) -> float:
        """Return the variance of filtered noise over that of a pixel, in the mean of the channels.

        Parameters
        ----------
        taps
            The filter, ``(h, w)``.
        """
        spectrum = self.power(64)
        response = np.abs(np.fft.fft2(taps, (64, 64))) ** 2
        return float(np.mean([(spectrum[c, c].real * response).mean() for c in range(len(spectrum))]))

    def power(self, size: int) -> NDArray[np.complex128]:
        """Return the power spectrum of the noise of unit variance, ``(C, C, size, size)``: at each frequency Hermitian.

        Negative eigenvalues, which errors of the measurement and its limited reach make, are 0; what that adds to the
        variance of a channel is taken off again.
        """
        channels, reach = len(self.covariance), self.reach
        laid = np.zeros((channels, channels, size, size))
        for y in range(-reach, reach + 1):
            for x in range(-reach, reach + 1):
                laid[:, :, y % size, x % size] += self.covariance[:, :, reach + y, reach + x]
        spectrum = np.fft.fft2(laid).transpose(2, 3, 0, 1)
        spectrum = (spectrum + spectrum.conj().swapaxes(2, 3)) / 2
        values, vectors = np.linalg.eigh(spectrum)
        positive = (vectors * np.maximum(values, 0)[..., None, :]) @ vectors.conj().swapaxes(2, 3)
        own = np.sqrt(np.maximum(np.einsum("yxii->i", positive).real / size**2, 1e-12))
        return np.ascontiguousarray((positive / np.outer(own, own)).transpose(2, 3, 0, 1))

    def kernel(self, size: int = 4 * REACH) -> Tensor:
        """Return the filter that gives white noise this covariance, ``(C, C, size + 1, size + 1)``, float32."""
        spectrum = self.power(2 * size).transpose(2, 3, 0, 1)
        values, vectors = np.linalg.eigh(spectrum)
        root = (vectors * np.sqrt(np.maximum(values, 0))[..., None, :]) @ vectors.conj().swapaxes(2, 3)
        taps = np.fft.ifft2(root.transpose(2, 3, 0, 1)).real
        half = size // 2
        taps = np.roll(taps, (half, half), (2, 3))[:, :, : size + 1, : size + 1]
        # Convolution in torch is correlation: of the noise n it gives, ``n_i(x) n_j(x + d)`` has the spectrum, not
        # ``n_i(x + d) n_j(x)``, as `covariance` is defined.
        unit = np.sqrt((taps**2).sum((1, 2, 3), keepdims=True))
        return torch.from_numpy((taps / np.maximum(unit, 1e-12)).astype(np.float32))

    def draw(self, shape: tuple[int, int, int, int], generator: torch.Generator) -> Tensor:
        """Return noise of unit variance with this covariance, ``(N, C, H, W)``; the generator is on the CPU."""
        if self.is_white:
            return torch.randn(shape, generator=generator)
        kernel = self.kernel()
        margin = kernel.shape[-1] - 1
        count, channels, height, width = shape
        seed = torch.randn((count, channels, height + margin, width + margin), generator=generator)
        return functional.conv2d(seed, kernel)

    def record(self) -> dict[str, Any]:
        """Return the values that stores and weights record."""
        return {
            "levels": self.levels.tolist(),
            "variances": self.variances.tolist(),
            "covariance": self.covariance.round(5).tolist(),
            "along": self.along.tolist(),
            "fixed": self.fixed,
            "rows": self.rows,
            "error": self.error,
            **({"least": True} if self.least else {}),
        }

    @classmethod
    def recorded(cls, values: Mapping[str, Any]) -> "NoiseProfile":
        """Return the noise that `record` gave.

        Raises
        ------
        ValueError
            If something is missing or is no number, or sizes do not belong together.
        """
        try:
            levels, variances, covariance, along = (
                np.array(values[name], np.float64) for name in ("levels", "variances", "covariance", "along")
            )
            fixed, rows, error = (float(values[name]) for name in ("fixed", "rows", "error"))
        except (KeyError, TypeError, ValueError) as wrong:
            raise ValueError(f"noise_profile: found no {wrong}, expected the noise as it is recorded") from wrong
        made = cls(levels, variances, covariance, along, fixed, rows, error, bool(values.get("least", False)))
        channels, side = len(np.atleast_1d(variances)), 2 * min(made.reach, REACH) + 1
        sizes = {
            "levels": (levels.shape, (max(levels.size, 1),)),
            "variances": (variances.shape, (channels, levels.size)),
            "covariance": (covariance.shape, (channels, channels, side, side)),
            "along": (along.shape, (along.size,)),
        }
        for name, (found, expected) in sizes.items():
            if found != expected or not np.isfinite(getattr(made, name)).all():
                raise ValueError(f"noise_profile.{name}: found shape {found}, expected finite values, {expected}")
        if not (np.diff(levels) > 0).all():
            raise ValueError("noise_profile.levels: found values that do not rise, expected rising ones")
        for name, held in (("variances", variances), ("fixed", fixed), ("rows", rows), ("error", error)):
            if not np.min(held) >= 0:
                raise ValueError(f"noise_profile.{name}: found {np.min(held):g}, expected at least 0")
        return made
