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
            From `pipeline.feed`, what the objective needs of: ``target, source, warped (N, C, s, s)``,
            ``transfer (N, 2, s, s)``, ``confidence (N, s, s)``, ``keep, gain, offset (N,)``; or, of perfect
            pairs, ``first, second (N, C, s, s)``.
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
        Of target, source, warped, transfer, confidence; or of first, second.
    """

    loss: Loss
    needs: tuple[str, ...]

    @property
    def supervised(self) -> bool:
        """Return whether it needs clean frames, which only a baseline may read."""
        return "first" in self.needs
