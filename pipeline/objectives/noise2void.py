"""Noise2Void (Krull et al. 2019): from single noisy frames."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from self2align.objectives.objective import Objective, denoised

BOX = 8  # px; one pixel of each box is hidden: 1.6 %
RADIUS = 5  # px; limit of the distance to the replacement pixel, in x and in y


def hide(image: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Replace one pixel of every 8 x 8 box by another at most 5 px away in x and y, all channels together.

    Parameters
    ----------
    image
        ``(N, C, H, W)``.
    generator
        On the CPU.

    Returns
    -------
    hidden, mask
        The input of the network, ``(N, C, H, W)``, and where its pixels are replaced, ``(N, 1, H, W)``, bool.
    """
    count, channels, height, width = image.shape
    rows, columns = -(-height // BOX), -(-width // BOX)
    shape = (count, rows, columns)
    y = torch.arange(rows)[:, None] * BOX + torch.randint(BOX, shape, generator=generator)
    x = torch.arange(columns) * BOX + torch.randint(BOX, shape, generator=generator)
    # A step to any pixel of the square except its centre.
    side = 2 * RADIUS + 1
    step = torch.randint(1, side * side, shape, generator=generator)
    step = (step + side * side // 2) % (side * side)
    away = torch.stack([step // side - RADIUS, step % side - RADIUS])
    y, x = y.clamp(max=height - 1), x.clamp(max=width - 1)
    # A step that would leave the image is reversed.
    from_y = torch.where((y + away[0] < 0) | (y + away[0] >= height), y - away[0], y + away[0]).clamp(0, height - 1)
    from_x = torch.where((x + away[1] < 0) | (x + away[1] >= width), x - away[1], x + away[1]).clamp(0, width - 1)
    places, origins = (one.flatten(1).to(image.device) for one in (y * width + x, from_y * width + from_x))
    flat = image.flatten(2)
    seen = flat.gather(2, origins[:, None].expand(-1, channels, -1))
    hidden = flat.scatter(2, places[:, None].expand(-1, channels, -1), seen).view_as(image)
    mask = torch.zeros(count, height * width, dtype=torch.bool, device=image.device).scatter(1, places, True)
    return hidden, mask.view(count, 1, height, width)


def noise2void(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the L2 at hidden pixels, whose noise cannot be predicted from their surroundings.

    Parameters
    ----------
    batch
        ``target``, ``(N, C, H, W)``.
    """
    hidden, mask = hide(batch["target"], generator)
    error = (denoised(network, hidden, batch) - batch["target"]) ** 2 * mask
    mean: Tensor = error.sum() / (mask.sum() * error.shape[1])
    return mean


OBJECTIVE = Objective(noise2void, needs=("target",))
