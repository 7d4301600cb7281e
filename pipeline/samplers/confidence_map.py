"""The confidence of each pixel as its keep-probability."""

from torch import Tensor

from self2align.samplers.sampler import Sampler


def confidence_map(confidence: Tensor, probability: float) -> Tensor:
    """Return the confidence, limited to [0, 1]."""
    return confidence.clamp(0, 1)


SAMPLER = Sampler(confidence_map, "map")
