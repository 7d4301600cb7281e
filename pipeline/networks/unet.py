"""The U-Net of Noise2Noise (Lehtinen et al. 2018, appendix A.1), of any width and depth."""

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn import functional


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(0.1))


def _start_as_published(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=0.1)
            assert module.bias is not None
            nn.init.zeros_(module.bias)


class UNet(nn.Module):
    """Encoder of max-pooled convolutions, decoder of nearest-neighbour upsampling with skips.

    ``width=48, depth=5`` is the network of Noise2Noise, which Neighbor2Neighbor and Laine19 use too: 1.0 M parameters
    for three channels.

    Parameters
    ----------
    channels
        C of the images.
    width
        Features of the encoder; the decoder has twice as many.
    depth
        Number of halvings.
    residual
        Whether the network estimates the noise, which is subtracted from the input (Zhang et al. 2017), or the image.
        Estimating the noise is 1.2 dB better on the sample after 1,200 steps (docs/decisions/objectives.md).
    """

    def __init__(
        self,
        channels: int,
        *,
        width: Annotated[int, Ge(4)] = 48,
        depth: Annotated[int, Ge(1), Le(6)] = 5,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.multiple = 2**depth
        self.first = _conv(channels, width)
        self.encoder = nn.ModuleList(_conv(width, width) for _ in range(depth))
        self.bottom = _conv(width, width)
        self.decoder = nn.ModuleList()
        for level in range(depth - 1):
            inputs = 2 * width if level == 0 else 3 * width
            self.decoder.append(nn.Sequential(_conv(inputs, 2 * width), _conv(2 * width, 2 * width)))
        inputs = (2 if depth > 1 else 1) * width + channels
        self.decoder.append(nn.Sequential(_conv(inputs, 64), _conv(64, 32)))
        self.last = nn.Conv2d(32, channels, 3, padding=1)
        if residual:
            # Training starts as the identity; the other layers keep torch's own, smaller initial weights.
            nn.init.zeros_(self.last.weight)
            assert self.last.bias is not None
            nn.init.zeros_(self.last.bias)
        else:
            _start_as_published(self)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise; height and width must be multiples of ``2**depth``."""
        skips = [noisy]
        x = self.first(noisy)
        for level, block in enumerate(self.encoder):
            x = functional.max_pool2d(block(x), 2)
            if level < len(self.encoder) - 1:
                skips.append(x)
        x = self.bottom(x)
        for block in self.decoder:
            x = block(torch.cat([functional.interpolate(x, scale_factor=2), skips.pop()], 1))
        last: Tensor = self.last(x)
        return noisy - last if self.residual else last
