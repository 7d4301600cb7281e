"""A photometric loss that fitting noise cannot lower."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.alignment.aligner import TrainableAligner
from self2align.alignment.confidence import FLOOR, SCALES, residual_noise_variance
from self2align.alignment.filters import halve, low_pass, surround_energy
from self2align.alignment.warp import inside, warp

BLUR = 1.0  # px
ROUND = 0.02  # white is 1.0: the loss is quadratic for smaller errors and linear for larger ones
REDUCIBLE = 160  # px: DIS finds little in crops smaller than 80 px
FORESIGHT = 0.005  # weight of the loss of the expected disagreement
HALVED = 1.6  # noise variance of half of the pixels, filled and low-passed, relative to all pixels, low-passed
WORST = 100.0  # limit of the disagreement, as a multiple of what noise explains
SMOOTH = 0.003  # per px of change from one cell of 2 x 2 px to the next (docs/decisions/alignment.md)


def halves(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return two images with independent noise, if the noise of the pixels is independent.

    Each keeps the pixels of one color of a chessboard and replaces the others by the mean of their four kept
    neighbours.

    Parameters
    ----------
    image
        ``(N, C, H, W)``.
    """
    cross = image.new_tensor([[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]]).view(1, 1, 3, 3)
    padded = functional.pad(image, (1, 1, 1, 1), mode="reflect").flatten(0, 1)[:, None]
    around = functional.conv2d(padded, cross).view_as(image)
    rows, columns = (torch.arange(size, device=image.device) for size in image.shape[-2:])
    white = (rows[:, None] + columns) % 2 == 0
    return torch.where(white, image, around), torch.where(white, around, image)


def _smoothness(field: Tensor) -> Tensor:
    total = field.new_zeros(())
    for dimension in (-2, -1):
        change = field.diff(dim=dimension)
        total = total + ((change**2).sum(1) + 1e-4).sqrt().mean()
    return total


@torch.no_grad()
def _shown(target: Tensor, source: Tensor, target_half: Tensor, source_half: Tensor, field: Tensor) -> Tensor:
    """Return the disagreement of one half of the pixels, ``(N, H, W)``; about 1 for perfect alignment."""
    residual = target_half - warp(source_half, field)
    # A change of brightness is not an alignment error.
    residual = residual - residual.flatten(2).median(2).values[..., None, None]
    noise = residual_noise_variance(target, warp(source, field))
    blur, _, interpolated = SCALES[0]
    explained = HALVED * noise * interpolated * surround_energy(blur) + FLOOR
    return ((low_pass(residual, blur) ** 2).mean(1) / explained).clamp(max=WORST)


def split(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return a photometric loss that the network cannot lower by fitting noise.

    The network sees half of the pixels of both frames; the loss compares the other half, whose noise the network does
    not see (the idea of Noise2Self, Batson and Royer 2019, applied to motion). A field that fits noise gains nothing.
    Both sides are low-passed, so sampling between pixels averages little noise. Half of the batches are halved in size,
    for more motions and less noise.

    A network that also predicts the disagreement (`self2align.alignment.refined_dis`) learns it from the same unseen
    pixels, by the likelihood of a squared Gaussian residual: ``e / x + log x`` for the measured e and the expected x,
    which is smallest at ``x = E[e]``.

    Parameters
    ----------
    batch
        ``target`` and ``source``, ``(N, C, H, W)``.
    generator
        Draws the half and the scale; on the CPU.
    """
    target, source = batch["target"], batch["source"]
    seen, reduced = torch.randint(2, (2,), generator=generator).tolist()
    if reduced and min(target.shape[-2:]) >= REDUCIBLE:
        target, source = halve(target), halve(source)
    targets, sources = halves(target), halves(source)
    assert isinstance(network, TrainableAligner)
    # The start is not learned, so it uses all pixels, as at inference.
    start = network.start(target, source)
    # Every level of a network that refines coarse to fine contributes.
    fields = network.fields(targets[seen], sources[seen], start)
    judged_target, judged_source = low_pass(torch.cat([targets[1 - seen], sources[1 - seen]]), BLUR).chunk(2)
    total = target.new_zeros(())
    for field in fields:
        field, doubt = field[:, :2], field[:, 2:]
        error = ((warp(judged_source, field) - judged_target) ** 2).mean(1)
        visible = inside(field.detach(), *target.shape[-2:])
        total = total + ((error + ROUND**2).sqrt() * visible).sum() / visible.sum().clamp(min=1)
        total = total + SMOOTH * _smoothness(halve(field) / 2)
        if doubt.shape[1]:
            shown = _shown(target, source, targets[1 - seen], sources[1 - seen], field)
            surprise = (shown * (-doubt[:, 0]).exp() + doubt[:, 0]) * visible
            total = total + FORESIGHT * surprise.sum() / visible.sum().clamp(min=1)
    return total / len(fields)
