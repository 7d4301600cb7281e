"""A photometric loss that fitting noise cannot lower."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
ADDED = 0.8  # noise that recorruption adds, in standard deviations of the frame's own (docs/decisions/alignment.md)
FARTHER = 8.0  # px: noise changes its strength with the brightness, not faster
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
def _shown(residual: Tensor, explained: Tensor) -> Tensor:
    """Return the disagreement of a residual of the judged parts, ``(N, H, W)``; about 1 for perfect alignment."""
    # A change of brightness is not an alignment error.
    residual = residual - residual.flatten(2).median(2).values[..., None, None]
    return ((low_pass(residual, SCALES[0][0]) ** 2).mean(1) / (explained + FLOOR)).clamp(max=WORST)


@dataclass(frozen=True)
class Parts:
    """Two parts of a target and of its source: one that a network sees, one that judges its field.

    Attributes
    ----------
    seen, judges
        Target and source, ``(N, C, H, W)`` each; the noise of the judges tells nothing about that of the seen parts.
    explained
        Gives for a field, ``(N, 2, H, W)``, the variance of the judges' low-passed residual that noise explains,
        ``(N, H, W)``.
    """

    seen: tuple[Tensor, Tensor]
    judges: tuple[Tensor, Tensor]
    explained: Callable[[Tensor], Tensor]


def chessboard(target: Tensor, source: Tensor, seen: int) -> Parts:
    """Return the two colors of the pixels' chessboard: for noise that is independent from pixel to pixel.

    The idea of Noise2Self (Batson and Royer 2019), applied to motion.

    Parameters
    ----------
    target, source
        ``(N, C, H, W)``.
    seen
        The color that is seen, 0 or 1.
    """
    targets, sources = halves(target), halves(source)

    def explained(field: Tensor) -> Tensor:
        blur, _, interpolated = SCALES[0]
        return HALVED * residual_noise_variance(target, warp(source, field)) * interpolated * surround_energy(blur)

    return Parts((targets[seen], sources[seen]), (targets[1 - seen], sources[1 - seen]), explained)


def recorrupted(target: Tensor, source: Tensor, noise: tuple[Tensor, Tensor]) -> Parts:
    """Return frames with noise added, and with the same noise taken off: for Gaussian noise of any covariance.

    With noise n and another draw z of it, ``n + a z`` and ``n - z / a`` have the covariance ``V - V = 0`` between any
    two pixels and channels (Recorrupted-to-Recorrupted, Pang et al., CVPR 2021, equation 9), so they are independent.

    Parameters
    ----------
    target, source
        ``(N, C, H, W)``.
    noise
        Another draw of the noise of each, of the same shapes.
    """
    both, drawn = (target, source), noise
    seen, judges = ((both[0] + factor * drawn[0], both[1] + factor * drawn[1]) for factor in (ADDED, -1 / ADDED))

    def explained(field: Tensor) -> Tensor:
        # The draw itself tells how much of it remains, warped and low-passed.
        residual = low_pass(drawn[0] - warp(drawn[1], field), SCALES[0][0]) ** 2
        return (1 + 1 / ADDED**2) * low_pass(residual.mean(1, keepdim=True), FARTHER)[:, 0]

    return Parts(seen, judges, explained)


def mixed(white: Tensor, parts: Parts, shared: Parts) -> Parts:
    """Return some parts for frames with white noise, and others for those whose pixels share theirs.

    Parameters
    ----------
    white
        1 for frames with white noise, else 0, ``(N,)``.
    parts, shared
        Of all frames.
    """
    chosen = white > 0

    def either(one: Tensor, other: Tensor) -> Tensor:
        return torch.where(chosen.view(-1, *[1] * (one.ndim - 1)), one, other)

    return Parts(
        (either(parts.seen[0], shared.seen[0]), either(parts.seen[1], shared.seen[1])),
        (either(parts.judges[0], shared.judges[0]), either(parts.judges[1], shared.judges[1])),
        lambda field: either(parts.explained(field), shared.explained(field)),
    )


def split(network: nn.Module, batch: Mapping[str, Tensor], generator: Generator) -> Tensor:
    """Return a photometric loss that the network cannot lower by fitting noise.

    The network sees one part of both frames; the loss compares the other part, whose noise is independent of what the
    network sees. A field that fits noise gains nothing. Where pixels share noise these are the parts of `recorrupted`,
    elsewhere those of `chessboard`. Both sides are low-passed, so sampling between pixels averages
    little noise. Half of the batches are halved in size, for more motions and less noise.

    A network that also predicts the disagreement (`self2align.alignment.refined_dis`) learns it from the same unseen
    part, by the likelihood of a squared Gaussian residual: ``e / x + log x`` for the measured e and the expected x,
    which is smallest at ``x = E[e]``.

    Parameters
    ----------
    batch
        ``target`` and ``source``, ``(N, C, H, W)``; for noise that is not white also ``target_noise`` and
        ``source_noise``, another draw of the noise of each, and ``white (N,)``: 1 for crops whose noise is white all
        the same, which need no such draw.
    generator
        Draws the half and the scale; on the CPU.
    """
    frames = [batch[name] for name in ("target", "source", "target_noise", "source_noise") if name in batch]
    seen, reduced = torch.randint(2, (2,), generator=generator).tolist()
    if reduced and min(frames[0].shape[-2:]) >= REDUCIBLE:
        frames = [halve(one) for one in frames]
    target, source = frames[:2]
    parts = _parts(target, source, frames[2:], batch.get("white"), seen)
    assert isinstance(network, TrainableAligner)
    # The start is not learned, so it uses all of the frames, as at inference.
    start = network.start(target, source)
    # Every level of a network that refines coarse to fine contributes.
    fields = network.fields(*parts.seen, start)
    judged_target, judged_source = low_pass(torch.cat(parts.judges), BLUR).chunk(2)
    total = target.new_zeros(())
    for field in fields:
        field, doubt = field[:, :2], field[:, 2:]
        error = ((warp(judged_source, field) - judged_target) ** 2).mean(1)
        visible = inside(field.detach(), *target.shape[-2:])
        total = total + ((error + ROUND**2).sqrt() * visible).sum() / visible.sum().clamp(min=1)
        total = total + SMOOTH * _smoothness(halve(field) / 2)
        if doubt.shape[1]:
            with torch.no_grad():
                shown = _shown(parts.judges[0] - warp(parts.judges[1], field), parts.explained(field))
            surprise = (shown * (-doubt[:, 0]).exp() + doubt[:, 0]) * visible
            total = total + FORESIGHT * surprise.sum() / visible.sum().clamp(min=1)
    return total / len(fields)


def _parts(target: Tensor, source: Tensor, noise: list[Tensor], white: Tensor | None, seen: int) -> Parts:
    """Return the parts that belong to the noise of each crop."""
    if not noise:
        return chessboard(target, source, seen)
    shared = recorrupted(target, source, (noise[0], noise[1]))
    if white is None or not bool(white.any()):
        return shared
    return mixed(white, chessboard(target, source, seen), shared)
