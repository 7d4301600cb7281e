"""The paper's objective with the roles of the two frames exchanged."""

from collections.abc import Mapping

from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.objectives.objective import Objective, denoised
from self2align.samplers.sampler import bernoulli


def self2align_exchanged(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the L2 between the sampled target frame, denoised, and the warped neighbour.

    The network sees camera noise only, as at inference; interpolation and alignment errors affect only the reference
    of the loss. See `self2align.objectives.objective.Loss`.
    """
    sampled = bernoulli(batch["target"], batch["keep"], generator)
    return functional.mse_loss(denoised(network, sampled, batch), batch["warped"])


OBJECTIVE = Objective(self2align_exchanged, needs=("target", "warped"), samples=("score", "map"))
