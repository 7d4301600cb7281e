"""The network denoises the target with noise added; aligned neighbours and the target without it are the judges."""

import math
from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from self2align.objectives.objective import Objective
from self2align.objectives.trusted import coarse_errors, neighbour_errors
from self2align.samplers.sampler import bernoulli

ADDED = (0.7, 2.2)  # noise that is added, in standard deviations of the target's own
COARSE = 4.0  # weight of the error of means over 8 x 8 px, where pixels share noise
UNSURE = 2.5  # factor by which the level of correlated noise is told too large or too small


def recorrupt(noisy: Tensor, level: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return two images whose noise is independent, from one.

    With noise n of variance v and added noise z of the same variance, ``n + a z`` and ``n - z / a`` have the covariance
    ``v - v = 0`` (Recorrupted-to-Recorrupted, Pang et al., CVPR 2021, equation 9). The factor a is drawn for each
    image, so that footage of one level shows the network a range of contrasts.

    Parameters
    ----------
    noisy
        ``(N, C, H, W)``.
    level
        Standard deviation of its noise, ``(N, 1, 1, 1)`` or ``(N, C, H, W)``.
    generator
        On the CPU.

    Returns
    -------
    noisier, judge
        ``(N, C, H, W)``.
    level
        Of the noisier images.
    variance
        Of the judge's noise over that of ``noisy``, ``(N, 1, 1, 1)``.
    """
    low, high = (math.log(edge) for edge in ADDED)
    factor = torch.exp(low + (high - low) * torch.rand((len(noisy), 1, 1, 1), generator=generator)).to(noisy)
    added = torch.randn(noisy.shape, generator=generator).to(noisy) * level
    square = factor**2
    return noisy + factor * added, noisy - added / factor, level * torch.sqrt(1 + square), 1 + 1 / square


def recorrupted_neighbours(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the L2 between the denoised noisier target and its two kinds of judges.

    Aligned neighbours are weighted as in `self2align.objectives.aligned_neighbours`, and the less, the more they differ
    from the prediction beyond their noise: they show the scene a little displaced. The recorrupted target shows every
    pixel where it is, with more noise. So neighbours count where there is much noise, the target itself where there is
    little (docs/decisions/levels.md).

    That is for noise that is independent from pixel to pixel and whose level is known. Of noise that pixels share
    (``white`` is 0: demosaicing, compression) neither holds: no noise is added, the neighbours alone judge, blotches
    count by themselves (`self2align.objectives.trusted.coarse_errors`), and the network is told a level that is off by
    up to `UNSURE`, so that it looks for itself: docs/decisions/shared-noise.md.

    See `self2align.objectives.objective.Loss`.
    """
    white = batch["white"][:, None, None, None]
    noisier, judge, level, variance = recorrupt(batch["target"], batch["level"], generator)
    seen = bernoulli(torch.where(white > 0, noisier, batch["target"]), batch["keep"], generator)
    away = 2 * torch.rand(white.shape, generator=generator).to(white) - 1
    level = torch.where(white > 0, level, batch["level"] * UNSURE**away)
    predicted = network(seen, level).float()
    error, weight = neighbour_errors(predicted, batch)
    exact = torch.where(white > 0, exactness(error.detach(), weight, batch["level"]), 1.0)
    counts = batch["weight"]
    neighbours: Tensor = (counts * exact * weight * error).sum() / weight.sum().clamp(min=1.0)
    if not bool(white.all()):
        coarse, cells = coarse_errors(predicted, batch, weight)
        shared = COARSE * (1 - white) * counts
        neighbours = neighbours + (shared * cells * coarse).sum() / cells.sum().clamp(min=1.0)
    itself: Tensor = (white * counts * (predicted - judge) ** 2 / variance).mean() / (1 / variance).mean()
    return neighbours + itself


def exactness(error: Tensor, weight: Tensor, level: Tensor) -> Tensor:
    """Return the share of the neighbours' error that is their noise, ``(N, 1, 1, 1)``, at most 1.

    Parameters
    ----------
    error, weight
        Squared error and weight of each pixel of the neighbours, ``(N, K, H, W)``.
    level
        Standard deviation of the noise, ``(N, 1, 1, 1)`` or ``(N, C, H, W)``.
    """
    sides = (1, 2, 3)
    mean = (weight * error).sum(sides, keepdim=True) / weight.sum(sides, keepdim=True).clamp(min=1e-6)
    noise = level.square().mean(sides, keepdim=True)
    return (noise / mean.clamp(min=1e-12)).clamp(max=1.0)


OBJECTIVE = Objective(
    recorrupted_neighbours,
    needs=("target", "warped", "confidence"),
    samples=("score",),
    neighbours=True,
    as_published=False,
    levelled=True,
    raises=(math.hypot(1, ADDED[0]), math.hypot(1, ADDED[1])),
    unsure=UNSURE,
)
