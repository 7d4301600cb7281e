"""Noise2Noise (Lehtinen et al. 2018) on perfect pairs; needs clean frames to draw the second noise."""

from collections.abc import Mapping

from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.objectives.objective import Objective, denoised


def n2n(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the L2 between one noisy draw, denoised, and the other draw (equation 2).

    Parameters
    ----------
    batch
        ``first`` and ``second``: two frozen draws of the same clean crop, ``(N, C, H, W)``.
    """
    return functional.mse_loss(denoised(network, batch["first"], batch), batch["second"])


OBJECTIVE = Objective(n2n, needs=("first", "second"))
