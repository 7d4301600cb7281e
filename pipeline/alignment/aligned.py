"""Two frames aligned to each other."""

from dataclasses import dataclass

import torch
from torch import Tensor

from self2align.alignment.aligner import Aligner, estimate
from self2align.alignment.confidence import confidence
from self2align.alignment.exposure import compensate_exposure
from self2align.alignment.warp import warp
from self2align.noise.profile import NoiseProfile


@dataclass(frozen=True)
class Aligned:
    """A whole frame's neighbour, aligned to it by bilinear sampling.

    Attributes
    ----------
    warped
        ``(C, H, W)``: ``gain * (source sampled by transfer) + offset``.
    transfer
        ``(2, H, W)``, px.
    confidence
        ``(H, W)`` in [0, 1].
    gain, offset
        Exposure compensation that ``warped`` includes.
    """

    warped: Tensor
    transfer: Tensor
    confidence: Tensor
    gain: float
    offset: float


def _one_way(
    target: Tensor,
    source: Tensor,
    forward: Tensor,
    backward: Tensor,
    expected: Tensor | None,
    exposure: bool,
    noise: NoiseProfile | None,
) -> Aligned:
    warped = warp(source, forward)
    warped, gain, offset = compensate_exposure(target, warped) if exposure else (warped, 1.0, 0.0)
    trust = confidence(target, source, warped, forward, backward, expected, noise)
    return Aligned(warped[0], forward[0], trust[0], gain, offset)


@torch.no_grad()
def align_both(
    first: Tensor, second: Tensor, aligner: Aligner, exposure: bool, noise: NoiseProfile | None = None
) -> tuple[Aligned, Aligned]:
    """Align two frames to each other.

    Parameters
    ----------
    first, second
        ``(C, H, W)``, float32, white being 1.0, unclipped.
    aligner
        See `self2align.alignment.aligner.Aligner`.
    exposure
        Whether gain and offset are estimated.
    noise
        What neighbouring pixels and channels share of the noise, for the confidence; None for nothing.

    Returns
    -------
    tuple of Aligned
        The second aligned to the first, and the first aligned to the second.
    """
    a, b = first[None], second[None]
    # One call for both directions, so that a network processes them in one batch.
    fields, expected = estimate(aligner, torch.cat([a, b]), torch.cat([b, a]))
    forward, backward = fields.chunk(2)
    there, back = (None, None) if expected is None else expected.chunk(2)
    return (
        _one_way(a, b, forward, backward, there, exposure, noise),
        _one_way(b, a, backward, forward, back, exposure, noise),
    )
