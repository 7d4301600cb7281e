"""Equation 7 of the paper, "Strategy Ours"."""

import torch
from torch import Tensor

from self2align.samplers.sampler import Sampler


def adaptive(score: Tensor, probability: float) -> Tensor:
    """Return 1 for scores above 0.5, else the score; negative scores give 0."""
    return torch.where(score > 0.5, torch.ones_like(score), score.clamp(min=0))


SAMPLER = Sampler(adaptive)
