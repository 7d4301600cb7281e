"""Losses whose input is sampled pixel by pixel."""

from collections.abc import Mapping

from torch import Generator, Tensor, nn

from self2align.objectives.objective import Loss
from self2align.samplers.sampler import Sampler


def sampled_by_map(loss: Loss, sampler: Sampler) -> Loss:
    """Return a loss that keeps each pixel with a probability from its confidence.

    Parameters
    ----------
    loss
        Reads ``keep`` from the batch.
    sampler
        Of kind "map". Batches need ``confidence``.
    """

    def mapped(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
        return loss(network, {**batch, "keep": sampler.keep(batch["confidence"], 1.0)}, generator)

    return mapped
