"""Strategy 1 of section 5.3 of the paper."""

import torch
from torch import Tensor

from self2align.samplers.sampler import Sampler


def fixed(score: Tensor, probability: float) -> Tensor:
    """Return the same probability for all pairs (0.5 in the paper)."""
    return torch.full_like(score, probability)


SAMPLER = Sampler(fixed)
