"""RED-Net (Mao et al. 2016): convolutions, then as many transposed convolutions, with symmetric skips."""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional


class RedNet(nn.Module):
    """An encoder of convolutions and a mirrored decoder at full size; every second feature map has a skip connection.

    ``half=15`` is the paper's RED30 (1.04 M parameters in gray, receptive field 61 px).

    Parameters
    ----------
    channels
        C of the images.
    width
        Features.
    half
        Convolutions of the encoder, and transposed ones of the decoder.
    """

    def __init__(self, channels: int, *, width: Annotated[int, Ge(4)] = 64, half: Annotated[int, Ge(2)] = 15) -> None:
        super().__init__()
        sizes = [channels, *[width] * (half - 1)]
        self.encoder = nn.ModuleList(nn.Conv2d(size, width, 3, padding=1) for size in sizes)
        self.decoder = nn.ModuleList(nn.ConvTranspose2d(width, size, 3, padding=1) for size in reversed(sizes))
        self.multiple = 1
        self.receptive_radius = 2 * half  # px
        for layer in [*self.encoder, *self.decoder]:
            assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
            nn.init.kaiming_normal_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        # Starts as the identity. Otherwise the sums of the skips reach 14 times white, and training hardly recovers.
        nn.init.zeros_(layer.weight)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise; any size."""
        x, skips = noisy, []
        for number, layer in enumerate(self.encoder, 1):
            x = functional.relu(layer(x))
            if number % 2 == 0 and number < len(self.encoder):
                skips.append((number, x))
        for number, layer in enumerate(self.decoder[:-1], 1):
            x = layer(x)
            # The decoder mirrors the encoder: this map lies as far from the end as the skip from the start.
            if skips and skips[-1][0] == len(self.decoder) - number:
                x = x + skips.pop()[1]
            x = functional.relu(x)
        noise: Tensor = self.decoder[-1](x)
        return noisy + noise
