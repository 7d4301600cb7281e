"""Averaging a frame and its aligned neighbours, weighted by confidence."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

# Power of the confidence: a bad neighbour harms an average more than it harms training.
TRUST = 8
TRUST_SEEN = 12  # where a network sees the mean: docs/decisions/temporal.md
TRUST_SHARED = 4  # where pixels share noise: an aligner that expects white noise is too doubtful there


@dataclass(frozen=True)
class Mean:
    """A weighted mean of a frame and its aligned neighbours.

    Attributes
    ----------
    image
        ``(C, H, W)``.
    share
        ``(H, W)``: noise variance relative to that of the frame, in (0, 1].
    own
        ``(H, W)``: weight of the frame, in (0, 1].
    """

    image: Tensor
    share: Tensor
    own: Tensor


def mean_of(target: Tensor, neighbours: Iterable[tuple[Tensor, Tensor]], trust: float = TRUST) -> Mean:
    """Return the mean of a frame and its aligned neighbours, weighted by confidence.

    Parameters
    ----------
    target
        ``(C, H, W)``.
    neighbours
        (aligned neighbour ``(C, H, W)``, confidence ``(H, W)``).
    trust
        Power of the confidence.
    """
    total, weights = target.clone(), torch.ones_like(target[0])
    squares = torch.ones_like(weights)
    for aligned, confidence in neighbours:
        weight = confidence**trust
        total += weight * aligned
        weights += weight
        squares += weight**2
    return Mean(total / weights, squares / weights**2, 1 / weights)
