"""The interface of training objectives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Generator, Tensor, nn


class Loss(Protocol):
    """A loss that calls the network itself: some losses mask its input, and some call it twice."""

    def __call__(self, network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
        """Return the loss, a scalar.

        Parameters
        ----------
        network
            ``(N, C, H, W) -> (N, C, H, W)``.
        batch
            From `self2align.training.feed`; the arrays that the objective needs. Of aligned pairs:
            ``target, source, warped (N, C, s, s)``, ``transfer (N, 2, s, s)``, ``confidence (N, s, s)``,
            ``keep (N,)`` or ``(N, s, s)``, ``gain, offset (N,)``. With all neighbours of a target together:
            ``warped (N, K, C, s, s)`` and ``confidence (N, K, s, s)`` instead. Of perfect pairs:
            ``first, second, clean (N, C, s, s)``. Always ``progress ()``: the fraction of the training that is done. If
            the network is normalised, ``level`` and ``weight``; see `denoised` and `self2align.training.levels`. Of
            aligned pairs also ``white (N,)``: 1 where the noise is independent from pixel to pixel, 0 where it is not.
        generator
            For masks; on the CPU.
        """
        ...


def denoised(network: nn.Module, images: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Return what the network makes of images of a batch: at the noise level of the batch, if it has one.

    Parameters
    ----------
    network
        With a level in the batch, a `self2align.networks.normalised.Normalised` one.
    images
        ``(N, C, H, W)``.
    batch
        ``level``, ``(N, 1, 1, 1)`` or ``(N, C, H, W)``, where the crops were brought to one level
        (`self2align.training.levels`).
    """
    level = batch.get("level")
    result: Tensor = network(images) if level is None else network(images, level)
    return result


@dataclass(frozen=True)
class Objective:
    """A loss, and the arrays of the pair store (or draws from clean frames) that it needs in a batch.

    Attributes
    ----------
    loss
        See `Loss`.
    needs
        Names among target, source, warped, transfer, confidence; or among first, second, clean.
    samples
        Kinds of samplers that have an effect: "score", one probability per pair; "map", one per pixel of the target.
    downscale
        Factor by which the training images are smaller than the crops of the batch. The crops are cut
        larger by the same factor.
    neighbours
        Whether a batch holds targets with all their neighbours instead of pairs.
    as_published
        Whether the objective is a published method, which runs without additions by default: ``last_layer: auto``
        keeps the last layer as trained.
    levelled
        Whether it needs the noise level of the batch, and so a normalised network.
    raises
        Least and largest factor by which it raises the noise of what the network sees.
    unsure
        Factor by which the network is told the level of noise too large or too small, where pixels share the noise.
    """

    loss: Loss
    needs: tuple[str, ...]
    samples: tuple[str, ...] = ()
    downscale: int = 1
    neighbours: bool = False
    as_published: bool = True
    levelled: bool = False
    raises: tuple[float, float] = (1.0, 1.0)
    unsure: float = 1.0

    @property
    def supervised(self) -> bool:
        """Return whether the objective needs clean frames, which only baselines may read."""
        return "first" in self.needs

    @property
    def aligned(self) -> bool:
        """Return whether the objective trains on aligned pairs; others train on single noisy frames or clean frames."""
        return not self.supervised and self.needs != ("target",)
