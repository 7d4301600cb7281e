"""How much of the noise is taken off: of luma and of chroma, from 0 (the frame as it was) to 1 (all that was found)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.frames import DenoiseFrames
from self2align.denoising.levels import Sigma
from self2align.runtime.progress import Progress

Frame = NDArray[np.float32]
# Weights of R' and B' in luma (ITU-R BT.709, item 3.2), which sRGB shares. Videos have those of their matrix.
BT709 = (0.2126, 0.0722)


@dataclass(frozen=True)
class Strength:
    """Shares of the estimated noise, the noisy frame minus the denoised one, that are taken off.

    With strength s, a frame ``x + n`` that is denoised to ``x + e`` becomes ``x + (1 - s) n + s e``: ``1 - s`` of the
    standard deviation of the noise stays, and s of the denoiser's error, blur included.

    Attributes
    ----------
    luma, chroma
        In [0, 1]: for luma Y', and for what B' and R' differ from it. Gray is luma alone.
    """

    luma: float = 1.0
    chroma: float = 1.0

    @classmethod
    def told(cls, strength: float = 1.0, luma: float | None = None, chroma: float | None = None) -> "Strength":
        """Return the strengths that a user told; ``strength`` stands for those that are None.

        Raises
        ------
        ValueError
            If one is not in [0, 1].
        """
        for name, value in (("strength", strength), ("luma", luma), ("chroma", chroma)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name}: found {value:g}, expected a number from 0 to 1")
        return cls(strength if luma is None else luma, strength if chroma is None else chroma)

    @property
    def is_full(self) -> bool:
        """Return whether denoised frames stay as they are."""
        return self.luma == self.chroma == 1.0

    def check(self, what: str, channels: int) -> None:
        """Refuse strengths that differ for frames that are neither gray nor RGB."""
        if self.luma != self.chroma and channels not in (1, 3):
            raise ValueError(
                f"{what}: found {channels} channels, expected gray or RGB for luma {self.luma:g} and chroma "
                f"{self.chroma:g}; strength alone takes any"
            )

    def mixed(self, noisy: Frame, clean: Frame, weights: tuple[float, float] = BT709) -> Frame:
        """Return a frame between the noisy and the denoised one.

        A change that R', G' and B' share changes luma alone. So the change d becomes
        ``chroma d + (luma - chroma) Y'(d)``, in which d's luma counts ``luma`` times, and what its channels differ from
        that ``chroma`` times.

        Parameters
        ----------
        noisy, clean
            ``(C, H, W)``. Values that are equal in both, or not finite in the noisy one, stay as they are in the other.
        weights
            Of R' and B' in luma.
        """
        if self.is_full:
            return clean
        with np.errstate(invalid="ignore"):  # infinite values, which stay
            change = clean - noisy
        change[~np.isfinite(noisy)] = 0.0
        if len(noisy) == 1 or self.luma == self.chroma:
            made = noisy + np.float32(self.luma) * change
        else:
            red, blue = (np.float32(weight) for weight in weights)
            luma = red * change[0] + (1 - red - blue) * change[1] + blue * change[2]
            made = clean if self.chroma == 1.0 else noisy + np.float32(self.chroma) * change
            made = made + np.float32(self.luma - self.chroma) * luma
        result: Frame = np.where(change == 0.0, clean, made)
        return result

    def over(self, denoise: DenoiseFrames, weights: tuple[float, float] = BT709) -> DenoiseFrames:
        """Return what denoises frames with this strength; for weights see `mixed`."""
        return denoise if self.is_full else _Mixed(denoise, self, weights)


class _Mixed:
    """Frames between the noisy and the denoised ones. See `DenoiseFrames`."""

    def __init__(self, denoise: DenoiseFrames, strength: Strength, weights: tuple[float, float]) -> None:
        self.denoise, self.strength, self.weights, self.radius = denoise, strength, weights, denoise.radius

    def __call__(
        self,
        frames: Iterator[Frame],
        progress: Progress | None = None,
        sigma: Sigma | None = None,
        colours: bool = True,
    ) -> Iterator[Frame]:
        """Yield a denoised frame, ``(C, H, W)``, for each noisy one; only those on their way are held."""
        held: deque[Frame] = deque()

        def noted() -> Iterator[Frame]:
            for frame in frames:
                held.append(frame)
                yield frame

        for clean in self.denoise(noted(), progress, sigma, colours):
            yield self.strength.mixed(held.popleft(), clean, self.weights)
