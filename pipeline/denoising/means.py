"""Denoising means: a frame and its aligned neighbours are averaged, and a network is told the noise that is left.

A normalised network takes a level of noise at each pixel, so it denoises the mean as it denoises a frame: in one pass,
without a training of its own. Compared in docs/decisions/temporal.md.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.alignment.aligner import Aligner
from self2align.denoising.averaging import TRUST_SEEN, mean_of
from self2align.denoising.levels import FrameNoise
from self2align.denoising.neighbourhoods import Wanted, neighbourhoods
from self2align.noise.profile import NoiseProfile

Frame = NDArray[np.float32]


class DenoiseMean(Protocol):
    """See `self2align.denoising.tiled.TiledDenoiser.denoise_mean`."""

    def __call__(self, mean: Frame, share: Frame, noise: FrameNoise) -> Frame:
        """Return the denoised mean, ``(C, H, W)``."""
        ...


@torch.inference_mode()
def denoise_means(
    frames: Iterable[Tensor],
    noise_of: Callable[[Tensor], FrameNoise],
    denoise: DenoiseMean,
    aligner: Aligner,
    *,
    radius: int,
    exposure: bool,
    noise: NoiseProfile | None = None,
    trust: Callable[[Tensor], None] | None = None,
) -> Iterator[Tensor]:
    """Denoise footage, each frame as the mean with its neighbours.

    Parameters
    ----------
    frames
        ``(C, H, W)``, noisy, all of one size, white being 1.0. What is NaN is filled from around it, and counts for
        nothing as a neighbour.
    noise_of
        Tells the noise of a frame, what was NaN being NaN; where there is none to speak of, the frame stays.
    denoise
        Denoises a mean.
    aligner, radius, exposure, trust
        See `self2align.denoising.fusion.fuse`.
    noise
        What pixels and channels share of the noise, for the confidence; None for nothing.

    Yields
    ------
    Tensor
        ``(C, H, W)``, unclipped, one for each frame.
    """

    def look(target: Tensor, marked: Tensor) -> Wanted[FrameNoise] | None:
        known = noise_of(marked)
        if known.nothing:
            return None
        level = known.level(target[None].cpu())[0].to(target) / known.raised
        return Wanted(level.square().expand_as(target), radius, known)

    for one in neighbourhoods(frames, look, aligner, radius=radius, exposure=exposure, noise=noise):
        if one.wanted is None:
            if trust is not None:
                trust(torch.zeros_like(one.target[0]))
            yield one.target
            continue
        mean = mean_of(one.target, one.aligned, TRUST_SEEN)
        if trust is not None:
            trust(1 - mean.share)
        known = one.wanted.known
        clean = torch.from_numpy(denoise(mean.image.cpu().numpy(), mean.share.cpu().numpy(), known)).to(one.target)
        # Where it was told that there is no noise, the frame stays.
        yield (
            clean
            if known.known is None
            else torch.where(torch.from_numpy(known.known > 0).to(clean.device), clean, one.target)
        )
