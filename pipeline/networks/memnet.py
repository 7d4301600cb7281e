"""MemNet (Tai et al. 2017): memory blocks of recursive residual units, joined by gates."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn


class _Before(nn.Sequential):
    """Batch normalization and ReLU before the convolution."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__(
            nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        )


class _Memory(nn.Module):
    """One residual unit, used several times; a gate combines all its results and those of all earlier blocks."""

    def __init__(self, width: int, recursions: int, number: int) -> None:
        super().__init__()
        self.unit = nn.Sequential(_Before(width, width, 3), _Before(width, width, 3))
        self.recursions = recursions
        self.gate = _Before((recursions + number) * width, width, 1)

    def forward(self, x: Tensor, long: list[Tensor]) -> Tensor:
        short = []
        for _ in range(self.recursions):
            x = x + self.unit(x)
            short.append(x)
        kept: Tensor = self.gate(torch.cat([*short, *long], 1))
        return kept


class MemNet(nn.Module):
    """A chain of memory blocks that estimates the noise.

    ``blocks=6, recursions=6`` is the paper's M6R6: 677 K weights of convolutions in gray, 80 convolutions deep.

    Parameters
    ----------
    channels
        C of the images.
    width
        Features.
    blocks
        Memory blocks.
    recursions
        Number of times that the unit of each block is used.
    """

    def __init__(
        self,
        channels: int,
        *,
        width: Annotated[int, Ge(4)] = 64,
        blocks: Annotated[int, Ge(1)] = 6,
        recursions: Annotated[int, Ge(1)] = 6,
    ) -> None:
        super().__init__()
        self.first = _Before(channels, width, 3)
        self.memory = nn.ModuleList(_Memory(width, recursions, number) for number in range(1, blocks + 1))
        self.last = _Before(width, channels, 3)
        self.multiple = 1
        self.receptive_radius = 2 + 2 * blocks * recursions  # px

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise; any size."""
        x: Tensor = self.first(noisy)
        long = [x]
        for block in self.memory:
            x = block(x, long)
            long.append(x)
        last: Tensor = self.last(x)
        return noisy + last
