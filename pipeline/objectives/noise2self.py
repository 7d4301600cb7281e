"""Noise2Self (Batson and Royer 2019): from single noisy frames."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.objectives.objective import Objective, denoised

GRID = 4  # px


def noise2self(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the L2 at the pixels of a grid, which the input replaces by the mean of their eight neighbours.

    Parameters
    ----------
    batch
        ``target``, ``(N, C, H, W)``.
    generator
        Draws one of the sixteen grids; on the CPU.
    """
    target = batch["target"]
    top, left = torch.randint(GRID, (2,), generator=generator).tolist()
    mask = torch.zeros(target.shape[-2:], dtype=torch.bool, device=target.device)
    mask[top::GRID, left::GRID] = True
    # Adjacent pixels weigh twice as much as diagonal ones.
    kernel = target.new_tensor([[0.5, 1, 0.5], [1, 0, 1], [0.5, 1, 0.5]]).view(1, 1, 3, 3) / 6
    padded = functional.pad(target, (1, 1, 1, 1), mode="reflect").flatten(0, 1)[:, None]
    around = functional.conv2d(padded, kernel).view_as(target)
    predicted = denoised(network, torch.where(mask, around, target), batch)
    return functional.mse_loss(predicted[..., top::GRID, left::GRID], target[..., top::GRID, left::GRID])


OBJECTIVE = Objective(noise2self, needs=("target",))
