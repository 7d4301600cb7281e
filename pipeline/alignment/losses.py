"""What a learned aligner is trained by: ``(network, batch, generator) -> scalar``."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from self2align.alignment.confidence import FLOOR, SCALES, residual_noise_variance
from self2align.alignment.filters import halve, low_pass, surround_energy
from self2align.alignment.warp import inside, warp

BLUR = 1.0  # px
ROUND = 0.02  # of white: below it errors count by their square, above it by their size
REDUCIBLE = 160  # px; DIS finds little in crops below 80
FORESIGHT = 0.005  # weight of learning where the field errs
HALVED = 1.6  # noise variance of half of the pixels, filled in and low-passed, over that of all, low-passed
WORST = 100.0  # times what noise explains: beyond, wrong is wrong
SMOOTH = 0.003  # a px of change from one 2 x 2 px cell to the next; chosen in docs/decisions.md


def photometric(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return the paper's loss (section 3.3): L2 between the noisy target and the warped noisy neighbour.

    Bilinear sampling at half a pixel averages the noise and lowers this loss more than following the
    motion does; `evaluate_alignment` shows how far a run fell for it (docs/decisions.md, "IAN").

    Parameters
    ----------
    batch
        ``target`` and ``source``, ``(N, C, H, W)``.
    """
    transfer = network(batch["target"], batch["source"])
    return functional.mse_loss(warp(batch["source"], transfer), batch["target"])


def halves(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return two images whose noise is independent, where that of the pixels is.

    Each keeps the pixels of one colour of the chessboard and fills in the other by the mean of the four neighbours,
    which are all its own.

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
    """Return the disagreement that a half of the pixels shows, ``(N, H, W)``; about 1 for perfect alignment."""
    residual = target_half - warp(source_half, field)
    # A change of light is no error of alignment.
    residual = residual - residual.flatten(2).median(2).values[..., None, None]
    noise = residual_noise_variance(target, warp(source, field))
    blur, _, interpolated = SCALES[0]
    explained = HALVED * noise * interpolated * surround_energy(blur) + FLOOR
    return ((low_pass(residual, blur) ** 2).mean(1) / explained).clamp(max=WORST)


def split(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return a photometric loss that the network cannot lower by following noise.

    The network sees one half of the pixels of both frames and is judged by the other half, whose noise it does not
    know (the idea of Noise2Self, Batson and Royer 2019, for motion): a field that follows noise gains nothing. Both
    sides are low-passed, so that sampling between pixels averages little. Half of the batches are reduced by two: more
    motions, and less noise.

    A network that also says what disagreement it expects (`self2align.alignment.refined_dis`) learns that
    from the same pixels that it did not see: by the likelihood of a squared Gaussian residual, ``e / x + log x`` for e
    shown and x expected, which is least at ``x = E[e]``.

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
    begin = getattr(network, "begin", None)
    # What is not learned starts from all pixels, as in use: it cannot learn to follow more noise than it does.
    start = () if begin is None else (begin(target, source),)
    fields = getattr(network, "fields", None)
    seen_frames = (targets[seen], sources[seen], *start)
    # A network that refines level by level is judged by every level.
    found = [network(*seen_frames)] if fields is None else fields(*seen_frames)
    judged_target, judged_source = low_pass(torch.cat([targets[1 - seen], sources[1 - seen]]), BLUR).chunk(2)
    total = target.new_zeros(())
    for field in found:
        field, doubt = field[:, :2], field[:, 2:]
        error = ((warp(judged_source, field) - judged_target) ** 2).mean(1)
        visible = inside(field.detach(), *target.shape[-2:])
        total = total + ((error + ROUND**2).sqrt() * visible).sum() / visible.sum().clamp(min=1)
        total = total + SMOOTH * _smoothness(halve(field) / 2)
        if doubt.shape[1]:
            shown = _shown(target, source, targets[1 - seen], sources[1 - seen], field)
            surprise = (shown * (-doubt[:, 0]).exp() + doubt[:, 0]) * visible
            total = total + FORESIGHT * surprise.sum() / visible.sum().clamp(min=1)
    return total / len(found)
