"""The network denoises the untouched target; what is judged by is its aligned neighbours, where they can be trusted."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.objectives.objective import Objective
from self2align.samplers.sampler import bernoulli

TRUST = 8  # power of the confidence: 0.95 keeps two thirds of its weight, 0.7 a twentieth
CLASSES = 16  # of texture
SCARCE = 0.05  # least share of trusted pixels in a class that is made up for in full


def texture(image: Tensor) -> Tensor:
    """Return the mean squared gradient around each pixel (5 x 5), ``(N, C, H, W)`` to ``(N, H, W)``."""
    wide = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    across = wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]
    down = wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]
    energy = (across**2 + down**2).mean(1, keepdim=True)
    return functional.avg_pool2d(functional.pad(energy, (2, 2, 2, 2), mode="replicate"), 5, 1)[:, 0]


@torch.no_grad()
def balance(predicted: Tensor, trusted: Tensor) -> Tensor:
    """Return factors that give every class of texture the weight that it has in the pictures, ``(N, H, W)``.

    Alignment fails most where there is most to see, so that trusted pixels are flatter than pictures are, and a
    network that learns from them alone is worse at edges. Inverse propensity weights (Horvitz and Thompson 1952)
    undo the selection: each class is divided by the mean weight that its pixels have.

    Parameters
    ----------
    predicted
        What the network made of the batch, ``(N, C, H, W)``.
    trusted
        The weight of each pixel, ``(N, H, W)``.
    """
    order = texture(predicted).flatten().argsort(stable=True)
    weights = trusted.flatten()
    factors = torch.empty_like(weights)
    for part in order.tensor_split(CLASSES):
        factors[part] = 1 / weights[part].mean().clamp(min=SCARCE)
    return factors.view_as(trusted)


def aligned_neighbours(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """L2 between the network on the sampled target frame and each aligned neighbour, by confidence and texture.

    The network sees camera noise only, as in use. Two neighbours halve the noise of what it is judged by, at the
    cost of one pass. Its expectation is the weighted error plus the variance of the neighbours' noise, because
    the confidence selects no noise. See `self2align.objectives.objective.Loss`.
    """
    predicted = network(bernoulli(batch["target"], batch["keep"], generator)).float()
    trusted = batch["confidence"] ** TRUST
    weight = trusted * balance(predicted, trusted.sum(1))[:, None]
    error = ((predicted[:, None] - batch["warped"]) ** 2).mean(2)
    mean: Tensor = (weight * error).sum() / weight.sum().clamp(min=1.0)
    return mean


OBJECTIVE = Objective(
    aligned_neighbours,
    needs=("target", "warped", "confidence"),
    samples=("score",),
    neighbours=True,
    as_published=False,
)
