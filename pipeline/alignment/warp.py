"""Grid sampling by a transfer field (paper, section 3.3)."""

import torch
from torch import Tensor
from torch.nn import functional


def warp(image: Tensor, transfer: Tensor, kernel: str = "bilinear") -> Tensor:
    """Sample an image at ``x + M(x)``.

    Parameters
    ----------
    image
        ``(N, C, H, W)``.
    transfer
        ``(N, 2, h, w)``, px, x first; pixel ``(0, 0)`` of the result lies on pixel ``(0, 0)`` of the image.
    kernel
        "bilinear", "bicubic" (Keys, a = -0.75) or "nearest".

    Returns
    -------
    Tensor
        ``(N, C, h, w)``; samples outside the image take its nearest edge pixel.
    """
    height, width = transfer.shape[-2:]
    x = torch.arange(width, device=transfer.device, dtype=transfer.dtype) + transfer[:, 0]
    y = torch.arange(height, device=transfer.device, dtype=transfer.dtype)[:, None] + transfer[:, 1]
    # grid_sample counts from -1 to 1 between the centres of the corner pixels.
    grid = torch.stack([x * (2 / max(image.shape[-1] - 1, 1)) - 1, y * (2 / max(image.shape[-2] - 1, 1)) - 1], dim=-1)
    return functional.grid_sample(image, grid.to(image.dtype), mode=kernel, padding_mode="border", align_corners=True)


def inside(transfer: Tensor, height: int, width: int) -> Tensor:
    """Return where ``x + M(x)`` lies within an image of that size, ``(N, h, w)``, bool."""
    x = torch.arange(transfer.shape[-1], device=transfer.device, dtype=transfer.dtype) + transfer[:, 0]
    y = torch.arange(transfer.shape[-2], device=transfer.device, dtype=transfer.dtype)[:, None] + transfer[:, 1]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
