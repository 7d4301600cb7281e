"""DnCNN (Zhang et al. 2017): a plain chain of convolutions with batch normalization that estimates the noise."""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn


class DnCNN(nn.Module):
    """3 x 3 convolutions; each layer extends the receptive field by 1 px on all sides.

    ``depth=17`` is the paper's network for one noise level (0.56 M parameters in gray, receptive field 35 px),
    ``depth=20`` the one for unknown levels.

    Parameters
    ----------
    channels
        C of the images.
    width
        Features.
    depth
        Convolutions.
    """

    def __init__(self, channels: int, *, width: Annotated[int, Ge(4)] = 64, depth: Annotated[int, Ge(3)] = 17) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        last = nn.Conv2d(width, channels, 3, padding=1, bias=False)
        self.layers = nn.Sequential(*layers, last)
        self.multiple = 1
        self.receptive_radius = depth  # px
        for module in self.layers:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(last.weight)  # starts as the identity

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise; any size."""
        noise: Tensor = self.layers(noisy)
        return noisy - noise
