"""The network denoises the untouched neighbour; its prediction is warped onto the noisy target."""

from collections.abc import Mapping

from torch import Generator, Tensor, nn

from self2align.alignment.warp import warp
from self2align.objectives.objective import Objective
from self2align.samplers.sampler import bernoulli


def warped_prediction(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Confidence-weighted L2 between the warped prediction and the noisy target.

    Sampling between noisy pixels changes their statistics, and a network trained on warped noise meets
    other noise when it is used. Here it sees camera noise only, and interpolation falls on the prediction,
    which is smooth. Its expectation is the weighted error of the warped prediction plus the target's noise
    variance, because the confidence does not depend on that noise. See `self2align.objectives.objective`.
    """
    predicted = network(bernoulli(batch["source"], batch["keep"], generator)).float()
    aligned = warp(predicted, batch["transfer"], "bicubic")
    aligned = aligned * batch["gain"][:, None, None, None] + batch["offset"][:, None, None, None]
    weight = batch["confidence"][:, None]
    error = weight * (aligned - batch["target"]) ** 2
    return error.sum() / (weight.sum() * aligned.shape[1]).clamp(min=1.0)


OBJECTIVE = Objective(
    warped_prediction, needs=("target", "source", "transfer", "confidence"), samples=("score",), as_published=False
)
