"""NAFNet (Chen et al. 2022): a U-Net of gated blocks without activation functions."""

from typing import Annotated

import torch
from annotated_types import Ge, Le, Len
from torch import Tensor, nn
from torch.nn import functional

Counts = Annotated[list[Annotated[int, Ge(0), Le(64)]], Len(1, 6)]


class _Norm(nn.Module):
    """Layer normalization over the channels of each pixel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        # In float32: squares in bfloat16 are too coarse for a variance.
        values = functional.layer_norm(x.float().permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6)
        return values.permute(0, 3, 1, 2).to(x.dtype)


def _gate(x: Tensor) -> Tensor:
    one, other = x.chunk(2, 1)
    return one * other


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.second_norm = _Norm(width), _Norm(width)
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.around = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.attend = nn.Conv2d(width, width, 1)
        self.narrow = nn.Conv2d(width, width, 1)
        self.feed, self.forth = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(width, width, 1)
        self.beta, self.gamma = (nn.Parameter(torch.zeros(1, width, 1, 1)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = _gate(self.around(self.widen(self.norm(x))))
        y = self.narrow(y * self.attend(y.mean((2, 3), keepdim=True)))
        x = torch.addcmul(x, self.beta, y)
        y = self.forth(_gate(self.feed(self.second_norm(x))))
        return torch.addcmul(x, self.gamma, y)


class NAFNet(nn.Module):
    """A U-Net of gated blocks that estimates the noise.

    ``width=32, encoder=[1, 1, 1, 28], middle=1, decoder=[1, 1, 1, 1]`` is one of the paper's networks (17.1 M
    parameters). Its channel attention averages over the whole image, so its receptive field is unbounded.

    Parameters
    ----------
    channels
        C of the images.
    width
        Features at full size; twice as many at each size below.
    encoder, decoder
        Blocks at each size, from full size down, and from the lowest up.
    middle
        Blocks at the lowest size.
    """

    def __init__(
        self,
        channels: int,
        *,
        width: Annotated[int, Ge(4)] = 16,
        encoder: Counts | None = None,
        middle: Annotated[int, Ge(0)] = 2,
        decoder: Counts | None = None,
    ) -> None:
        super().__init__()
        encoder, decoder = encoder or [1, 1, 2], decoder or [1, 1, 1]
        if len(encoder) != len(decoder):
            raise ValueError(
                f"encoder, decoder: found {len(encoder)} and {len(decoder)} sizes, expected the same number in both"
            )
        self.multiple = 2 ** len(encoder)
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.encoder, self.down = nn.ModuleList(), nn.ModuleList()
        for count in encoder:
            self.encoder.append(nn.Sequential(*(_Block(width) for _ in range(count))))
            self.down.append(nn.Conv2d(width, 2 * width, 2, stride=2))
            width *= 2
        self.middle = nn.Sequential(*(_Block(width) for _ in range(middle)))
        self.decoder, self.up = nn.ModuleList(), nn.ModuleList()
        for count in decoder:
            self.up.append(nn.Sequential(nn.Conv2d(width, 2 * width, 1, bias=False), nn.PixelShuffle(2)))
            width //= 2
            self.decoder.append(nn.Sequential(*(_Block(width) for _ in range(count))))
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise; height and width must be multiples of 2 to the number of sizes."""
        x = self.first(noisy)
        skips = []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            x = blocks(x)
            skips.append(x)
            x = down(x)
        x = self.middle(x)
        for blocks, up in zip(self.decoder, self.up, strict=True):
            x = blocks(up(x) + skips.pop())
        last: Tensor = self.last(x)
        return noisy + last
