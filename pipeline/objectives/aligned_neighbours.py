"""The network denoises the unwarped target. The loss compares it with aligned neighbours, weighted by confidence."""

from collections.abc import Mapping

from torch import Generator, Tensor, nn

from self2align.objectives.objective import Objective, denoised
from self2align.objectives.trusted import neighbour_errors
from self2align.samplers.sampler import bernoulli


def aligned_neighbours(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the L2 between the denoised target and each aligned neighbour, weighted by confidence and texture.

    The network sees camera noise only, as at inference. Two neighbours halve the noise variance of the reference, at
    the cost of one pass through the network. The expectation of the loss is the weighted error plus the variance of
    the neighbours' noise, because the confidence does not select noise. See `self2align.objectives.objective.Loss`.
    """
    predicted = denoised(network, bernoulli(batch["target"], batch["keep"], generator), batch).float()
    error, weight = neighbour_errors(predicted, batch)
    mean: Tensor = (weight * error).sum() / weight.sum().clamp(min=1.0)
    return mean


OBJECTIVE = Objective(
    aligned_neighbours,
    needs=("target", "warped", "confidence"),
    samples=("score",),
    neighbours=True,
    as_published=False,
)
