"""What every objective is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Generator, Tensor, nn


class Loss(Protocol):
    """A loss that calls the network itself, because some mask its input and some call it twice."""

    def __call__(self, network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
        """Return the loss, a scalar.

        Parameters
        ----------
        network
            ``(N, C, H, W) -> (N, C, H, W)``.
        batch
            From `self2align.training.feed`, what the objective needs of: ``target, source, warped (N, C, s, s)``,
            ``transfer (N, 2, s, s)``, ``confidence (N, s, s)``, ``keep (N,)`` or ``(N, s, s)``,
            ``gain, offset (N,)``; where it takes all neighbours of a target together ``warped (N, K, C, s, s)`` and
            ``confidence (N, K, s, s)``; or, of perfect pairs, ``first, second, clean (N, C, s, s)``; always
            ``progress ()``: the share of the training that is done.
        generator
            For masks; on the CPU.
        """
        ...


@dataclass(frozen=True)
class Objective:
    """A loss, and which arrays of the pair store (or draws of clean frames) it needs in a batch.

    Attributes
    ----------
    loss
        See `Loss`.
    needs
        Of target, source, warped, transfer, confidence; or of first, second, clean.
    samples
        Which samplers have an effect: "score", with one probability a pair; "map", with one a pixel of the target.
    downscale
        How many times smaller than the crops of the batch the images are that the network learns from; it is given
        crops so many times larger.
    neighbours
        Whether a batch holds targets with all their neighbours, rather than pairs.
    as_published
        Whether it is a paper's, to which nothing is added unasked: ``last_layer: auto`` leaves it as it was trained.
    """

    loss: Loss
    needs: tuple[str, ...]
    samples: tuple[str, ...] = ()
    downscale: int = 1
    neighbours: bool = False
    as_published: bool = True

    @property
    def supervised(self) -> bool:
        """Return whether it needs clean frames, which only a baseline may read."""
        return "first" in self.needs

    @property
    def aligned(self) -> bool:
        """Return whether it trains on pairs of aligned frames; others need single noisy ones, or clean ones."""
        return not self.supervised and self.needs != ("target",)
