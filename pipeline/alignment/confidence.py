"""Where an alignment can be trusted, decided without looking at the noise that the denoiser must not learn.

The confidence of a pixel never reads the target's value at that pixel: the residual is a low-pass that
leaves out the pixel itself. A test on the pixel's own residual would keep those pixels whose
noise agrees with the neighbour's content, and bias what the denoiser learns.
"""

import math

import torch
from torch import Tensor

from pipeline.alignment.filters import surround, surround_energy
from pipeline.alignment.warp import inside, warp

RESIDUAL_BLUR = 2.0  # px; small objects are still seen, noise falls to a seventh
THIN = 3  # px
BINS = 8  # of brightness, for noise that depends on it
# Of bilinear sampling at a random fraction: pixels keep 0.45 of their noise variance, low-passed ones all of it.
INTERPOLATED = 2 / 1.45
FLOOR = (1.5 / 255) ** 2  # residual variance of a good alignment of clean frames


def consistency(forward: Tensor, backward: Tensor) -> Tensor:
    """Return how well the two fields undo each other, ``(N, H, W)`` in [0, 1].

    Sundaram et al. (2010), their test made soft: 0.5 where ``|f + b|^2 = 0.01 (|f|^2 + |b|^2) + 0.5``.
    """
    returned = warp(backward, forward)
    gap = ((forward + returned) ** 2).sum(1)
    allowed = 0.01 * ((forward**2).sum(1) + (returned**2).sum(1)) + 0.5
    return torch.exp(-math.log(2) * (gap / allowed) ** 2)


def noise_variance(target: Tensor, warped: Tensor) -> Tensor:
    """Return the variance of ``target - warped`` that noise alone explains, by brightness, ``(N, H, W)``.

    Robust (median of a high-pass in each of eight classes of brightness), so that misaligned places,
    if they are the lesser part, do not raise it.
    """
    residual = target - warped
    high = (residual - surround(residual, RESIDUAL_BLUR)).abs().mean(1)
    # Its median over pixels is that of the mean of C absolute Gaussian values: 0.675 sigma for C = 1, 0.758 for 3.
    typical = math.sqrt(2 / math.pi) - 0.12 / target.shape[1]
    variance = (high / typical) ** 2 / (1 + surround_energy(RESIDUAL_BLUR))
    brightness = surround(target, RESIDUAL_BLUR).mean(1)
    result = torch.empty_like(variance)
    for one, bright, out in zip(variance, brightness, result, strict=True):
        # Every third pixel each way: medians of thousands of values need no more.
        some, shade = one[::THIN, ::THIN].flatten(), bright[::THIN, ::THIN].flatten()
        order = shade.argsort()
        parts = order.tensor_split(BINS) if order.numel() >= 64 * BINS else (order,)
        levels = torch.stack([some[part].median() for part in parts])
        edges = torch.stack([shade[part[0]] for part in parts[1:]]) if len(parts) > 1 else shade[:0]
        out.copy_(levels[torch.bucketize(bright, edges, right=True)])
    return result


def agreement(target: Tensor, warped: Tensor) -> Tensor:
    """Return how well the low-passed frames agree, with the expected noise taken off, ``(N, H, W)`` in [0, 1].

    Parameters
    ----------
    target, warped
        ``(N, C, H, W)``; exposure compensated.
    """
    expected = noise_variance(target, warped) * INTERPOLATED * surround_energy(RESIDUAL_BLUR)
    found = (surround(target - warped, RESIDUAL_BLUR) ** 2).mean(1)
    return torch.exp(-math.log(2) * (found / (4 * (expected + FLOOR))) ** 2)


def confidence(target: Tensor, source: Tensor, warped: Tensor, forward: Tensor, backward: Tensor) -> Tensor:
    """Return the confidence in an alignment.

    Parameters
    ----------
    target, source, warped
        ``(N, C, H, W)``; warped is the source sampled by ``forward``, exposure compensated.
    forward, backward
        Transfer fields target to source and source to target, ``(N, 2, H, W)``, px.

    Returns
    -------
    Tensor
        ``(N, H, W)`` in [0, 1]: forward-backward consistency, times agreement; 0 out of the frame.
    """
    visible = inside(forward, *source.shape[-2:])
    # Not smoothed: a neighbour's agreement has read this pixel's noise, and would bring it back in.
    return consistency(forward, backward) * agreement(target, warped) * visible
