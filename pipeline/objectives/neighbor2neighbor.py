"""Neighbor2Neighbor (Huang et al. 2021): pairs of neighbouring pixels from single noisy frames."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.objectives.objective import Objective, denoised

# Pairs of adjacent pixels in a cell of 2 x 2 px, in both orders; pixels are numbered row by row.
CHOICES = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2))
REGULARIZED = 2.0  # final weight of the second term; the authors' value for colour


def choose(cells: tuple[int, int, int], generator: Generator) -> Tensor:
    """Return the pixels that cells ``(N, h, w)`` give to the two images, as indices ``(2, N, h, w)``."""
    chosen = torch.randint(len(CHOICES), cells, generator=generator)
    return torch.tensor(CHOICES)[chosen].permute(3, 0, 1, 2)


def take(image: Tensor, which: Tensor) -> Tensor:
    """Return the image of the chosen pixels, ``(N, C, H, W)`` to ``(N, C, H / 2, W / 2)``."""
    count, channels, height, width = image.shape
    cells = functional.pixel_unshuffle(image, 2).view(count, channels, 4, height // 2, width // 2)
    index = which.to(image.device)[:, None, None].expand(-1, channels, 1, -1, -1)
    return cells.gather(2, index)[:, :, 0]


def neighbor2neighbor(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the L2 between one half-size image, denoised, and the other, plus the authors' regularization term.

    The second term corrects for the difference that the two images would have without noise, estimated from the
    denoised frame. Its weight grows with ``progress`` to 2.

    Parameters
    ----------
    batch
        ``target``, ``(N, C, H, W)``, H and W even; ``progress``, from 0 to 1.
    """
    noisy = batch["target"]
    count, _, height, width = noisy.shape
    one, other = choose((count, height // 2, width // 2), generator)
    with torch.no_grad():
        whole = denoised(network, noisy, batch)
        gap = take(whole, one) - take(whole, other)
    apart = denoised(network, take(noisy, one), _halved(batch)) - take(noisy, other)
    total: Tensor = (apart**2).mean() + REGULARIZED * batch["progress"] * ((apart - gap) ** 2).mean()
    return total


def _halved(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the noise level of images of half the size."""
    level = batch.get("level")
    if level is None:
        return {}
    return {"level": level if level.shape[-1] == 1 else functional.avg_pool2d(level, 2)}


OBJECTIVE = Objective(neighbor2neighbor, needs=("target",), downscale=2)
