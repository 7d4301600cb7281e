"""Empirical Wiener filtering: a first estimate separates signal from noise, a less noisy image gives the values."""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 8  # px
STRIP = 128  # rows at a time: the coefficients take 64 times an image's memory
# Share of the noise variance. The first estimate has lost detail; shrinking by the full variance would lose it again:
# docs/decisions/temporal.md.
STRENGTH = 0.5


@lru_cache(maxsize=1)
def _bank() -> Tensor:
    """Return the functions of the two-dimensional DCT, ``(64, 1, 8, 8)``, orthonormal, the constant one first."""
    place = torch.arange(BLOCK, dtype=torch.float64)
    rows = torch.cos(math.pi * (2 * place + 1) * place[:, None] / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    rows[0] /= math.sqrt(2)
    return torch.einsum("ay,bx->abyx", rows, rows).reshape(-1, 1, BLOCK, BLOCK).float()


def opponent(channels: int) -> Tensor:
    """Return an orthonormal color transform, ``(C, C)``: brightness and two differences for RGB, else the identity.

    Detail is concentrated in the brightness; the noise is not.
    """
    if channels != 3:
        return torch.eye(channels)
    rows = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    return rows / rows.square().sum(1, keepdim=True).sqrt()


def _filtered(image: Tensor, pilot: Tensor, variance: Tensor) -> Tensor:
    """Filter images ``(N, 1, h, w)`` with ``BLOCK - 1`` extra px on every side; the result has no extra px."""
    bank = _bank().to(image.device)
    seen, known = functional.conv2d(image, bank), functional.conv2d(pilot, bank) ** 2
    noise = STRENGTH * functional.avg_pool2d(variance, BLOCK, 1)
    gain = 1 - noise / (known + noise).clamp(min=1e-12)  # 1 without noise, whatever is known
    gain[:, 0] = 1.0  # the mean of a block stays
    # Blocks with few coefficients left have the least noise (Guleryuz 2007).
    weight = 1 / (gain**2).mean(1, keepdim=True)
    total = functional.conv_transpose2d(gain * seen * weight, bank)
    weights = functional.conv_transpose2d(weight, torch.ones_like(bank[:1]))
    edge = slice(BLOCK - 1, 1 - BLOCK)
    return (total / weights)[..., edge, edge]


def wiener(image: Tensor, pilot: Tensor, variance: Tensor) -> Tensor:
    """Filter a noisy image in all blocks of 8 x 8 px, guided by a first estimate.

    The second step of BM3D (Dabov et al. 2007, equation 9) without its grouping of blocks.

    Parameters
    ----------
    image, pilot
        ``(C, H, W)``, white being 1.0; each side at least 8 px.
    variance
        Noise variance of the image, ``(C, H, W)``, white being 1.0; the noise is independent from pixel to pixel.

    Returns
    -------
    Tensor
        ``(C, H, W)``, unclipped. The result does not depend on the number of rows filtered at a time.
    """
    colors = opponent(len(image)).to(image)
    halo = BLOCK - 1
    padding = (halo,) * 4
    planes = [torch.einsum("oc,chw->ohw", colors, one)[:, None] for one in (image, pilot)]
    planes.append(torch.einsum("oc,chw->ohw", colors**2, variance)[:, None])
    wide = [functional.pad(plane, padding, mode="reflect") for plane in planes]
    strips = []
    for top in range(0, image.shape[1], STRIP):
        # A block reaches 7 px beyond its first, and a pixel is in blocks that begin 7 px before it.
        rows = slice(top, min(top + STRIP, image.shape[1]) + 2 * halo)
        strips.append(_filtered(*(plane[..., rows, :] for plane in wide)))
    return torch.einsum("oc,ohw->chw", colors, torch.cat(strips, 2)[:, 0])
