"""The network denoises the unwarped neighbour; the loss warps its prediction onto the noisy target."""

from collections.abc import Mapping

from torch import Generator, Tensor, nn

from self2align.alignment.warp import warp
from self2align.objectives.objective import Objective, denoised
from self2align.samplers.sampler import bernoulli


def warped_prediction(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the confidence-weighted L2 between the warped prediction and the noisy target.

    Interpolation between noisy pixels changes the noise statistics, so a network trained on warped noise sees
    different noise at inference. Here the network sees camera noise only, and the smooth prediction is interpolated
    instead. The expectation of the loss is the weighted error of the warped prediction plus the target's noise
    variance, because the confidence does not depend on that noise. See `self2align.objectives.objective`.
    """
    predicted = denoised(network, bernoulli(batch["source"], batch["keep"], generator), batch).float()
    aligned = warp(predicted, batch["transfer"], "bicubic")
    aligned = aligned * batch["gain"][:, None, None, None] + batch["offset"][:, None, None, None]
    weight = batch["confidence"][:, None]
    error = weight * (aligned - batch["target"]) ** 2
    return error.sum() / (weight.sum() * aligned.shape[1]).clamp(min=1.0)


OBJECTIVE = Objective(
    warped_prediction, needs=("target", "source", "transfer", "confidence"), samples=("score",), as_published=False
)
