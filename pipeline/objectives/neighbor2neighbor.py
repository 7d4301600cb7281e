"""Neighbor2Neighbor (Huang et al. 2021): pairs made of one noisy frame by taking neighbouring pixels apart."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.objectives.objective import Objective

# Of a cell of 2 x 2 px, counted by rows: two that touch, in either order.
CHOICES = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2))
REGULARIZED = 2.0  # the weight of the second term at the end, the authors' for colour


def choose(cells: tuple[int, int, int], generator: Generator) -> Tensor:
    """Return which pixel of each cell goes to either image, ``(2, N, h, w)``; ``cells`` is ``(N, h, w)``."""
    chosen = torch.randint(len(CHOICES), cells, generator=generator)
    return torch.tensor(CHOICES)[chosen].permute(3, 0, 1, 2)


def take(image: Tensor, which: Tensor) -> Tensor:
    """Return the image of the chosen pixels, ``(N, C, H, W)`` to ``(N, C, H / 2, W / 2)``."""
    count, channels, height, width = image.shape
    cells = functional.pixel_unshuffle(image, 2).view(count, channels, 4, height // 2, width // 2)
    index = which.to(image.device)[:, None, None].expand(-1, channels, 1, -1, -1)
    return cells.gather(2, index)[:, :, 0]


def neighbor2neighbor(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """L2 between the network on one half-size image and the other, and the authors' second term.

    That one takes off what the two would differ by without noise, as far as the network knows. Its weight grows
    with ``progress`` to 2.

    Parameters
    ----------
    batch
        ``target``, ``(N, C, H, W)``, H and W even; ``progress``, from 0 to 1.
    """
    noisy = batch["target"]
    count, _, height, width = noisy.shape
    one, other = choose((count, height // 2, width // 2), generator)
    with torch.no_grad():
        whole = network(noisy)
        gap = take(whole, one) - take(whole, other)
    apart = network(take(noisy, one)) - take(noisy, other)
    total: Tensor = (apart**2).mean() + REGULARIZED * batch["progress"] * ((apart - gap) ** 2).mean()
    return total


OBJECTIVE = Objective(neighbor2neighbor, needs=("target",), downscale=2)
