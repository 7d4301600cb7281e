"""IAN, the paper's alignment network (section 4.1, figure 3), as read in docs/decisions/paper.md."""

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 16


class Attention(nn.Module):
    """CBAM (Woo et al. 2018): channel attention, then spatial attention. ``(N, C, H, W)`` to the same."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.shared = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.ReLU(), nn.Conv2d(hidden, channels, 1, bias=False)
        )
        self.spatial = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh channels, then places."""
        mean = self.shared(x.mean((2, 3), keepdim=True))
        peak = self.shared(x.amax((2, 3), keepdim=True))
        x = x * torch.sigmoid(mean + peak)
        places = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        weighed: Tensor = x * torch.sigmoid(self.spatial(places))
        return weighed


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(0.2))


class Ian(nn.Module):
    """Encoder to 1/16, decoder of ten blocks with skips, two channels at full resolution.

    Parameters
    ----------
    channels
        C of the frames.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pre = nn.Sequential(nn.Conv2d(2 * channels, 12, 3, padding=1), Attention(12))
        self.first = _conv(12, 16)
        self.encoder = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
            for inputs in (16, 32, 32, 32)
        )
        self.up = nn.ModuleList([_conv(32, 32), _conv(64, 32), _conv(64, 32)])  # blocks 1 to 3
        self.middle = nn.Sequential(_conv(64, 32), _conv(32, 32), _conv(32, 32))  # blocks 4 to 6
        self.last_up = _conv(32, 32)  # block 7
        self.fall = nn.Sequential(_conv(48, 32), _conv(32, 16), _conv(16, 8))  # blocks 8 to 10
        self.field = nn.Conv2d(8, 2, 3, padding=1)
        # Starts from no motion, as VoxelMorph does; the field is then in px from the first step.
        nn.init.normal_(self.field.weight, std=1e-5)
        assert self.field.bias is not None
        nn.init.zeros_(self.field.bias)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Return the transfer field; see `self2align.alignment.aligner.Aligner`."""
        height, width = target.shape[-2:]
        x = torch.cat([source, target], 1)
        x = functional.pad(x, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        x = self.first(self.pre(x))
        skips = [x]
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        skips.pop()
        for block in self.up:
            x = torch.cat([functional.interpolate(block(x), scale_factor=2), skips.pop()], 1)
        x = self.middle(x)
        x = torch.cat([functional.interpolate(self.last_up(x), scale_factor=2), skips.pop()], 1)
        field: Tensor = self.field(self.fall(x))
        return field[..., :height, :width]

    def start(self, target: Tensor, source: Tensor) -> None:
        """Return None: the network starts from nothing."""

    def fields(self, target: Tensor, source: Tensor, start: Tensor | None = None) -> list[Tensor]:
        """Return the transfer field alone; see `self2align.alignment.aligner.TrainableAligner`."""
        return [self(target, source)]
