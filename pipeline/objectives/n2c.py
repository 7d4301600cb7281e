"""Supervised training from noisy to clean frames, an upper bound; needs clean frames."""

from collections.abc import Mapping

from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.objectives.objective import Objective, denoised


def n2c(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the L2 between the denoised noisy crop and the clean crop (equation 1).

    Parameters
    ----------
    batch
        ``first`` and ``clean``, ``(N, C, H, W)``.
    """
    return functional.mse_loss(denoised(network, batch["first"], batch), batch["clean"])


OBJECTIVE = Objective(n2c, needs=("first", "clean"))
