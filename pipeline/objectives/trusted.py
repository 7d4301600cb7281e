"""The error at aligned neighbours, and the weight of its pixels: confidence, balanced by texture."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

TRUST = 8  # power of the confidence: 0.95 keeps two thirds of its weight, 0.7 a twentieth
CLASSES = 16  # of texture
CELL = 8  # px, of the means that show blotches
SCARCE = 0.05  # lower limit of the mean weight of a class, so its factor is at most 20


def texture(image: Tensor) -> Tensor:
    """Return the mean squared gradient around each pixel (5 x 5), ``(N, C, H, W)`` to ``(N, H, W)``."""
    wide = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    across = wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]
    down = wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]
    energy = (across**2 + down**2).mean(1, keepdim=True)
    return functional.avg_pool2d(functional.pad(energy, (2, 2, 2, 2), mode="replicate"), 5, 1)[:, 0]


@torch.no_grad()
def balance(predicted: Tensor, trusted: Tensor) -> Tensor:
    """Return factors that give each class of texture its share of the frames' pixels, ``(N, H, W)``.

    Alignment fails most often in textured regions. Trusted pixels are therefore flatter than the frames, and a
    network that learns from them alone is worse at edges. Inverse propensity weights (Horvitz and Thompson 1952)
    correct this selection: the weights of each class are divided by their mean.

    Parameters
    ----------
    predicted
        Output of the network, ``(N, C, H, W)``.
    trusted
        The weight of each pixel, ``(N, H, W)``.
    """
    order = texture(predicted).flatten().argsort(stable=True)
    weights = trusted.flatten()
    factors = torch.empty_like(weights)
    for part in order.tensor_split(CLASSES):
        factors[part] = 1 / weights[part].mean().clamp(min=SCARCE)
    return factors.view_as(trusted)


def neighbour_errors(predicted: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the squared error of a prediction at each aligned neighbour, mean over the channels, and its weight.

    Parameters
    ----------
    predicted
        Output of the network, ``(N, C, H, W)``.
    batch
        With ``warped (N, K, C, H, W)`` and ``confidence (N, K, H, W)``.

    Returns
    -------
    error, weight
        ``(N, K, H, W)``.
    """
    trusted = batch["confidence"] ** TRUST
    weight = trusted * balance(predicted, trusted.sum(1))[:, None]
    return ((predicted[:, None] - batch["warped"]) ** 2).mean(2), weight


def coarse_errors(predicted: Tensor, batch: Mapping[str, Tensor], weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared error of means over `CELL` x `CELL` px, mean over the channels, and its weight.

    Noise that pixels share leaves blotches, of which these means consist. They are a small part of the error of single
    pixels, so a network would be slow to learn them.

    Parameters
    ----------
    predicted, batch
        See `neighbour_errors`.
    weight
        From `neighbour_errors`.

    Returns
    -------
    error, weight
        ``(N, K, h, w)``.
    """
    cells = functional.avg_pool2d(weight, CELL)
    error = (predicted[:, None] - batch["warped"]) * weight[:, :, None]
    means: Tensor = functional.avg_pool2d(error.flatten(1, 2), CELL)
    means = means.view(*error.shape[:3], *cells.shape[2:])
    return (means / cells[:, :, None].clamp(min=1e-6)).square().mean(2), cells
