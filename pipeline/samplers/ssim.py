"""Strategy 2 of section 5.3 of the paper."""

from torch import Tensor

from self2align.samplers.sampler import Sampler


def ssim(score: Tensor, probability: float) -> Tensor:
    """Return the score itself, limited to [0, 1]."""
    return score.clamp(0, 1)


SAMPLER = Sampler(ssim)
