"""Crops before and after denoising, and the difference: the method noise (Buades et al. 2005), without clean images."""

from dataclasses import dataclass

import numpy as np

from self2align.report.canvas import Picture

SAME = 0.05  # correlation: as measured, up to the error of the measurement
GRAY, SPREAD = 128, 40  # levels: mean and standard deviation of the removed part as it is shown


@dataclass(frozen=True)
class Samples:
    """Crops before and after denoising.

    Attributes
    ----------
    picture
        Noisy, denoised, and what was removed, one below the other, ``(3 H, W, 3)`` uint8.
    sigma
        Standard deviation of what was removed, levels of 255.
    correlation
        Of its neighbouring pixels, mean of both directions: that of the noise, 0 for white noise. Lost detail raises
        it, remaining coarse noise lowers it.
    measured
        The least and the largest correlation of neighbouring pixels that the noise of the scenes was measured to have;
        None where pixels share none.
    """

    picture: Picture
    sigma: float
    correlation: float
    measured: tuple[float, float] | None = None

    def describe(self, *, held_out: bool) -> str:
        """Return what the picture shows, in words.

        Parameters
        ----------
        held_out
            Whether the crops are from scenes that the network was not trained on.
        """
        scenes = "scenes that were not trained on" if held_out else "training scenes, as there are no others"
        return (
            f"Crops of {scenes}: noisy, denoised, and what was removed, with its contrast stretched around gray. The "
            "removed part should look like pure noise. Edges and texture in it are lost detail. Where the picture is "
            "clipped at black or white, less is removed. The standard deviation of the removed part is "
            f"{self.sigma:.1f} levels of 255 (in 8 bits; below 1 it is rounding). The correlation of its neighbouring "
            f"pixels is {self.correlation:.2f}. {self._judged()} No clean frame was used."
        )

    def _judged(self) -> str:
        """Return what the correlation says, beside that of the noise."""
        if self.measured is None:
            return (
                "White noise has 0. Above 0, detail was removed too, or the noise itself is correlated; below 0, "
                "coarse noise remains."
            )
        low, high = self.measured
        span = f"{low:.2f}" if high - low < SAME else f"{low:.2f} to {high:.2f}"
        said = f"Neighbouring pixels share noise here: as measured between aligned frames, it correlates at {span}."
        if self.correlation > high + SAME:
            return f"{said} What was removed is smoother than that: detail was removed too."
        if self.correlation < low - SAME:
            return f"{said} What was removed is less smooth than that: coarse noise remains."
        return f"{said} What was removed is as smooth as that."


def take_apart(picture: Picture, measured: tuple[float, float] | None = None) -> Samples:
    """Return crops with the difference between them.

    Parameters
    ----------
    picture
        Square crops side by side, noisy above and denoised below, ``(2 H, n H, 3)`` uint8.
    measured
        See `Samples`.
    """
    side = len(picture) // 2
    noisy, denoised = picture[:side].astype(np.float64), picture[side:].astype(np.float64)
    removed = (noisy - denoised).reshape(side, -1, side, 3)
    removed -= removed.mean((0, 2), keepdims=True)
    power = max(float((removed**2).mean()), 1e-12)
    across, down = (removed[:, :, 1:] * removed[:, :, :-1]).mean(), (removed[1:] * removed[:-1]).mean()
    stretched = GRAY + removed * (SPREAD / np.sqrt(power))
    shown = stretched.reshape(noisy.shape).round().clip(0, 255).astype(np.uint8)
    return Samples(
        np.concatenate([picture, shown]), float(np.sqrt(power)), float((across + down) / 2 / power), measured
    )
