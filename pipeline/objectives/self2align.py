"""The paper's objective (section 4.2)."""

from collections.abc import Mapping

from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.objectives.objective import Objective, denoised
from self2align.samplers.sampler import bernoulli


def self2align(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the L2 between the sampled, warped neighbour, denoised, and the noisy target.

    Input ``y^`` of equation 7, target ``I_target``; all pixels count equally, whatever their confidence. See
    `self2align.objectives.objective.Loss`.
    """
    sampled = bernoulli(batch["warped"], batch["keep"], generator)
    return functional.mse_loss(denoised(network, sampled, batch), batch["target"])


OBJECTIVE = Objective(self2align, needs=("target", "warped"), samples=("score", "map"))
