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
LOW = 2  # frequencies each way that count as smooth
LEAST = 1e-3  # of the noise of a coefficient: what no measurement tells apart from nothing


@lru_cache(maxsize=1)
def bank() -> Tensor:
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


def _filtered(image: Tensor, pilot: Tensor, variance: Tensor, shape: Tensor | None, smooth: Tensor | None) -> Tensor:
    """Filter images ``(N, 1, h, w)`` with ``BLOCK - 1`` extra px on every side; the result has no extra px."""
    functions = bank().to(image.device)
    seen, known = functional.conv2d(image, functions), functional.conv2d(pilot, functions) ** 2
    noise = STRENGTH * functional.avg_pool2d(variance, BLOCK, 1)
    if shape is not None:
        noise = noise * shape
    gain = 1 - noise / (known + noise).clamp(min=1e-12)  # 1 without noise, whatever is known
    gain[:, 0] = 1.0  # the mean of a block stays
    # Blocks with the least noise left count most (Guleryuz 2007): of white noise those with few coefficients left.
    if shape is None:
        weight = 1 / (gain**2).mean(1, keepdim=True)
    else:
        weight = shape.mean(1, keepdim=True) / (gain**2 * shape).mean(1, keepdim=True)
    if smooth is not None:
        low = [BLOCK * row + column for row in range(LOW) for column in range(LOW)]
        seen[:, low] = functional.conv2d(smooth, functions[low])
    total = functional.conv_transpose2d(gain * seen * weight, functions)
    weights = functional.conv_transpose2d(weight, torch.ones_like(functions[:1]))
    edge = slice(BLOCK - 1, 1 - BLOCK)
    return (total / weights)[..., edge, edge]


def wiener(
    image: Tensor, pilot: Tensor, variance: Tensor, shape: Tensor | None = None, smooth: Tensor | None = None
) -> Tensor:
    """Filter a noisy image in all blocks of 8 x 8 px, guided by a first estimate.

    The second step of BM3D (Dabov et al. 2007, equation 9) without its grouping of blocks.

    Parameters
    ----------
    image, pilot
        ``(C, H, W)``, white being 1.0; each side at least 8 px.
    variance
        Noise variance of the image, ``(C, H, W)``, white being 1.0.
    shape
        Noise of each coefficient relative to that of white noise of this variance, ``(C, 64)``, see
        `self2align.denoising.spread`; None where the noise is independent from pixel to pixel and channel to channel.
    smooth
        Another noisy image, ``(C, H, W)``, whose smoothest coefficients (`LOW` each way) are taken; None for the image.

    Returns
    -------
    Tensor
        ``(C, H, W)``, unclipped. The result does not depend on the number of rows filtered at a time.
    """
    colors = opponent(len(image)).to(image)
    halo = BLOCK - 1
    padding = (halo,) * 4
    images = (image, pilot) if smooth is None else (image, pilot, smooth)
    planes = [torch.einsum("oc,chw->ohw", colors, one)[:, None] for one in images]
    planes.insert(2, torch.einsum("oc,chw->ohw", colors**2, variance)[:, None])
    wide = [functional.pad(plane, padding, mode="reflect") for plane in planes]
    relative = None if shape is None else shape.clamp(min=LEAST)[..., None, None].to(image)
    strips = []
    for top in range(0, image.shape[1], STRIP):
        # A block reaches 7 px beyond its first, and a pixel is in blocks that begin 7 px before it.
        rows = slice(top, min(top + STRIP, image.shape[1]) + 2 * halo)
        seen, known, noise, *low = (plane[..., rows, :] for plane in wide)
        strips.append(_filtered(seen, known, noise, relative, low[0] if low else None))
    return torch.einsum("oc,ohw->chw", colors, torch.cat(strips, 2)[:, 0])
