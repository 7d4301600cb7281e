"""The Bernoulli sampler (paper, section 4.2): which pixels of the network's input are kept in training.

A strategy maps the scores of pairs, or the confidence of their pixels, to keep-probabilities. At inference nothing is
dropped.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from self2align.objectives.objective import Loss
from self2align.pairs import SAMPLERS
from self2align.runtime.families import load


class Strategy(Protocol):
    """``score (N,) -> keep-probability (N,)``; or, of the pixels, ``confidence (N, H, W) -> (N, H, W)``."""

    def __call__(self, score: Tensor, probability: float) -> Tensor:
        """Return the probability that a pixel is kept, in [0, 1]; ``probability`` is that of `fixed`."""
        ...


def adaptive(score: Tensor, probability: float) -> Tensor:
    """Equation 7, "Strategy Ours": 1 above 0.5, else the score; negative scores give 0."""
    return torch.where(score > 0.5, torch.ones_like(score), score.clamp(min=0))


def ssim(score: Tensor, probability: float) -> Tensor:
    """Strategy 2 of section 5.3: the score itself, between 0 and 1."""
    return score.clamp(0, 1)


def fixed(score: Tensor, probability: float) -> Tensor:
    """Strategy 1 of section 5.3: the same for all pairs (0.5 in the paper)."""
    return torch.full_like(score, probability)


def confidence_map(confidence: Tensor, probability: float) -> Tensor:
    """Keep each pixel with the probability of its confidence."""
    return confidence.clamp(0, 1)


def adaptive_map(confidence: Tensor, probability: float) -> Tensor:
    """Equation 7 for each pixel, its confidence in the place of the pair's score."""
    return adaptive(confidence, probability)


def none(score: Tensor, probability: float) -> Tensor:
    """Keep everything."""
    return torch.ones_like(score)


def bernoulli(image: Tensor, keep: Tensor, generator: Generator) -> Tensor:
    """Set whole pixels, all channels together, to 0 with probability ``1 - keep``.

    Parameters
    ----------
    image
        ``(N, C, H, W)``.
    keep
        ``(N,)``, or ``(N, H, W)`` for a map.
    generator
        On the CPU, so that a GPU draws the same pixels.
    """
    count, _, height, width = image.shape
    keep = keep.cpu().expand(height, width, count).permute(2, 0, 1) if keep.ndim == 1 else keep.cpu()
    mask = torch.rand((count, height, width), generator=generator) < keep
    return image * mask[:, None].to(image.device)


def sampled_by_map(loss: Loss, strategy: str) -> Loss:
    """Return a loss under which each pixel is kept by its own confidence; its batches need ``confidence``."""
    chosen: Strategy = load(SAMPLERS, strategy, "sampler.strategy")

    def mapped(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
        return loss(network, {**batch, "keep": chosen(batch["confidence"], 1.0)}, generator)

    return mapped


def keep_probabilities(strategy: str, scores: NDArray[np.float32], probability: float) -> NDArray[np.float32]:
    """Return the keep-probability of each pair under the strategy of that name, ``(N,)``, float32."""
    chosen: Strategy = load(SAMPLERS, strategy, "sampler.strategy")
    return chosen(torch.from_numpy(scores), probability).numpy()
