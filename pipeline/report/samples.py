"""Crops before and after, and what was taken off them: the method noise (Buades et al. 2005); no clean image needed."""

from dataclasses import dataclass

import numpy as np

from self2align.report.canvas import Picture

GRAY, SPREAD = 128, 40  # levels: the mean and the standard deviation that what was taken off is shown with


@dataclass(frozen=True)
class Samples:
    """Crops before and after.

    Attributes
    ----------
    picture
        Noisy, denoised, and what was taken off, one below the other, ``(3 H, W, 3)`` uint8.
    sigma
        Standard deviation of what was taken off, levels of 255.
    correlation
        Of its neighbouring pixels, mean of both directions: 0 for white noise; detail that was lost raises it, coarse
        noise that was left lowers it.
    """

    picture: Picture
    sigma: float
    correlation: float

    def text(self, held_out: bool) -> str:
        """Return what the picture shows, in words.

        Parameters
        ----------
        held_out
            Whether the crops are of scenes that were not trained on.
        """
        scenes = "scenes that were not trained on" if held_out else "scenes that were trained on, as there is no other"
        return (
            f"Crops of {scenes}: noisy, denoised, and what was taken off, stretched about gray. That should look like "
            "noise and nothing else: edges and texture in it are detail that was lost; where the picture is clipped at "
            f"black or white there is less of it. Its standard deviation is {self.sigma:.1f} levels of 255 (in 8 bits; "
            f"below 1 it is rounding), and neighbouring pixels of it correlate by {self.correlation:.2f} (white noise "
            "has 0; above it, detail went too, or the noise itself is correlated; below it, coarse noise was left in). "
            "No clean frame was seen."
        )


def take_apart(picture: Picture) -> Samples:
    """Return what was taken off crops.

    Parameters
    ----------
    picture
        Square crops side by side, noisy above and denoised below, ``(2 H, n H, 3)`` uint8.
    """
    side = len(picture) // 2
    noisy, denoised = picture[:side].astype(np.float64), picture[side:].astype(np.float64)
    off = (noisy - denoised).reshape(side, -1, side, 3)
    off -= off.mean((0, 2), keepdims=True)
    power = max(float((off**2).mean()), 1e-12)
    across, down = (off[:, :, 1:] * off[:, :, :-1]).mean(), (off[1:] * off[:-1]).mean()
    stretched = GRAY + off * (SPREAD / np.sqrt(power))
    shown = stretched.reshape(noisy.shape).round().clip(0, 255).astype(np.uint8)
    return Samples(np.concatenate([picture, shown]), float(np.sqrt(power)), float((across + down) / 2 / power))
