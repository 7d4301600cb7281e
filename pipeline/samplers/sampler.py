"""The interface of samplers, and the Bernoulli draw.

A sampler maps the scores of pairs, or the confidence of their pixels, to keep-probabilities. At inference no
pixel is dropped.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from self2align.runtime.families import load
from self2align.samplers import SAMPLERS


class Strategy(Protocol):
    """``score (N,) -> keep-probability (N,)``; for a map, ``confidence (N, H, W) -> (N, H, W)``."""

    def __call__(self, score: Tensor, probability: float, /) -> Tensor:
        """Return the probability in [0, 1] that a pixel is kept; ``probability`` is the parameter of ``fixed``."""
        ...


@dataclass(frozen=True)
class Sampler:
    """A member of the family.

    Attributes
    ----------
    keep
        See `Strategy`.
    kind
        "score": one probability per pair, from its SSIM. "map": one per pixel, from its confidence. "none": everything
        is kept.
    """

    keep: Strategy
    kind: Literal["score", "map", "none"] = "score"


def equation_7(score: Tensor, probability: float) -> Tensor:
    """Return 1 for scores above 0.5, else the score; negative scores give 0 (paper, equation 7)."""
    return torch.where(score > 0.5, torch.ones_like(score), score.clamp(min=0))


def load_sampler(strategy: str, key: str = "sampler.strategy") -> Sampler:
    """Return the sampler of that name; ``key`` names the parameter in the error."""
    sampler: Sampler = load(SAMPLERS, strategy, key)
    return sampler


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


def keep_probabilities(strategy: str, scores: NDArray[np.float32], probability: float) -> NDArray[np.float32]:
    """Return the keep-probability of each pair under the strategy of that name, ``(N,)``, float32."""
    return load_sampler(strategy).keep(torch.from_numpy(scores), probability).numpy()
