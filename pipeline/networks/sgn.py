"""SGN (Gu et al. 2019): networks at falling sizes, each guided by the one below it."""

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn import functional


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(0.2))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_conv(width, width), nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x + self.layers(x), 0.2)


class SGN(nn.Module):
    """Networks on the image at full size, a half, a quarter and an eighth; pixel shuffling changes the size losslessly.

    The features of each size are shuffled to twice the size and guide the next network. The network at full size has
    ``units`` residual units, the others one.

    Parameters
    ----------
    channels
        C of the images.
    width
        Features at full size; twice as many at each size below.
    levels
        Sizes below the full one.
    units
        Residual units at full size.
    """

    def __init__(
        self,
        channels: int,
        *,
        width: Annotated[int, Ge(8)] = 32,
        levels: Annotated[int, Ge(1), Le(4)] = 3,
        units: Annotated[int, Ge(1)] = 3,
    ) -> None:
        super().__init__()
        self.multiple = 2**levels
        self.levels = levels
        self.enter, self.join, self.body, self.leave = (nn.ModuleList() for _ in range(4))
        for level in range(levels, -1, -1):
            features = width * 2**level
            self.enter.append(_conv(channels * 4**level, features))
            # Shuffling the guide to twice the size leaves a quarter of its features: half of this size's own.
            guided = features if level == levels else features + features // 2
            self.join.append(_conv(guided, features) if level < levels else nn.Identity())
            self.body.append(nn.Sequential(*(_Residual(features) for _ in range(units if level == 0 else 1))))
            self.leave.append(_conv(features, features) if level else nn.Conv2d(features, channels, 3, padding=1))

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise; height and width must be multiples of ``2**levels``."""
        guide: Tensor | None = None
        x = noisy
        for number, level in enumerate(range(self.levels, -1, -1)):
            x = self.enter[number](functional.pixel_unshuffle(noisy, 2**level))
            if guide is not None:
                x = self.join[number](torch.cat([x, functional.pixel_shuffle(guide, 2)], 1))
            guide = x = self.leave[number](self.body[number](x))
        return noisy + x
