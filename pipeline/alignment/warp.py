"""Grid sampling by a transfer field (paper, section 3.3)."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

TAPS = 8  # taps of the interpolation at half a pixel


@lru_cache(maxsize=1)
def _halfway() -> Tensor:
    # A sinc windowed by a wider sinc (Lanczos), sampled between pixels; the taps sum to 1.
    place = torch.arange(TAPS, dtype=torch.float64) - (TAPS - 1) / 2
    taps = torch.sinc(place) * torch.sinc(2 * place / TAPS)
    return (taps / taps.sum()).float()


def _doubled(image: Tensor) -> Tensor:
    """Insert a column between each two, and one after the last."""
    channels, taps = image.shape[1], _halfway().to(image)
    wide = functional.pad(image, (TAPS // 2 - 1, TAPS // 2, 0, 0), mode="replicate")
    between = functional.conv2d(wide, taps.expand(channels, 1, 1, TAPS), groups=channels)
    return torch.stack([image, between], -1).flatten(-2)


def warp(image: Tensor, transfer: Tensor, kernel: str = "bilinear") -> Tensor:
    """Sample an image at ``x + M(x)``.

    Parameters
    ----------
    image
        ``(N, C, H, W)``.
    transfer
        ``(N, 2, h, w)``, px, x first; pixel ``(0, 0)`` of the result lies on pixel ``(0, 0)`` of the image.
    kernel
        "bilinear"; "bicubic" (Keys, a = -0.75); "nearest"; or "sinc": the image is doubled in size by a Lanczos
        kernel of eight taps, then sampled by "bicubic", which preserves detail and noise.

    Returns
    -------
    Tensor
        ``(N, C, h, w)``; samples outside the image take its nearest edge pixel.
    """
    if kernel == "sinc":
        image = _doubled(_doubled(image).mT).mT
    scale = 2 if kernel == "sinc" else 1
    height, width = transfer.shape[-2:]
    x = torch.arange(width, device=transfer.device, dtype=transfer.dtype) + transfer[:, 0]
    y = torch.arange(height, device=transfer.device, dtype=transfer.dtype)[:, None] + transfer[:, 1]
    # grid_sample coordinates run from -1 to 1 between the centres of the corner pixels.
    wide, high = (2 * scale / max(side - 1, 1) for side in (image.shape[-1], image.shape[-2]))
    grid = torch.stack([x * wide - 1, y * high - 1], dim=-1)
    mode = "bicubic" if kernel == "sinc" else kernel
    return functional.grid_sample(image, grid.to(image.dtype), mode=mode, padding_mode="border", align_corners=True)


def inside(transfer: Tensor, height: int, width: int) -> Tensor:
    """Return where ``x + M(x)`` lies within an image of ``height x width`` px, ``(N, h, w)``, bool."""
    x = torch.arange(transfer.shape[-1], device=transfer.device, dtype=transfer.dtype) + transfer[:, 0]
    y = torch.arange(transfer.shape[-2], device=transfer.device, dtype=transfer.dtype)[:, None] + transfer[:, 1]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
