"""The paper's loss (section 3.3)."""

from collections.abc import Mapping

from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.alignment.warp import warp


def photometric(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the L2 distance between the noisy target and the warped noisy neighbour.

    Bilinear sampling at half a pixel averages the noise, which lowers this loss more than following the motion does.
    `evaluate_alignment` shows how far a run is affected (docs/decisions/alignment.md).

    Parameters
    ----------
    batch
        ``target`` and ``source``, ``(N, C, H, W)``.
    """
    transfer = network(batch["target"], batch["source"])
    return functional.mse_loss(warp(batch["source"], transfer), batch["target"])
