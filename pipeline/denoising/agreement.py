"""How far to go from what one frame gives to what several give: the frame judges, or neighbours that took no part.

A mean of aligned frames has less noise than one frame, but it is biased where frames differ in more than their noise:
clouds that change, a dissolve, a wrong alignment. At the first and last frame the neighbours all lie on one side, and
what changes evenly no longer cancels. And the filter of the mean may lose what the network had kept.

Between the single estimate ``s`` and the fused one ``f = s + d`` of the clean image x the squared error
``|s + k d - x|^2`` is least for ``k = <x - s, d> / <d, d>``. With the noisy frame ``y = x + n`` in place of x only
``<n, d>`` is unknown, which Stein's lemma (1981) gives for independent Gaussian noise: the sum of variance times the
derivative of d by its own pixel. A second look at the frame with a little noise added tells it (Ramani et al. 2008).
The neighbours' noise is independent of the frame's, so nothing is assumed of the neighbours.

Noise that cameras and codecs make is neither Gaussian nor independent of the picture. There a neighbour z judges the
fused estimate that was made without it: its noise is independent of both estimates, so ``k = <z - s, d> / <d, d>``
needs no model of it. What neighbours have in common beside the picture, a codec's share of noise or a change in time
seen from one side, it takes for the picture. See `confirm`.

Measured in docs/decisions/temporal.md.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from self2align.alignment.confidence import FLOOR

STEP = 0.1  # of the noise's standard deviation: small for the network, large for its rounding
SEED = 11
AROUND = 12  # px each way over which the share is found
# Mean windows of the frame that count in each window: noise that pixels share leaves few independent ones in a window,
# and where a fused estimate is far off, it weighs more than these. docs/decisions/temporal.md
FRAME = 4.0
# What a frame has of its own beside noise (its grain, its compression), in which all neighbours contradict it: the
# variance by which good alignments of clean frames differ. The single estimate keeps about half of it. Where the two
# estimates differ by little more, the single one stays. docs/decisions/temporal.md
OWN = FLOOR / 2


@dataclass(frozen=True)
class SecondLook:
    """What is needed to look at a frame again.

    Attributes
    ----------
    denoise
        Denoises a frame, ``(C, H, W)``, that differs from it a little, for noise of the same level.
    variance
        Of its noise, ``(C, H, W)``, which is independent from pixel to pixel.
    alike
        Whether the channels are copies of one; otherwise their noise is independent too.
    """

    denoise: Callable[[Tensor], Tensor]
    variance: Tensor
    alike: bool = False


def agree(
    noisy: Tensor, single: Tensor, fused: Tensor, fuse: Callable[[Tensor, Tensor], Tensor], look: SecondLook
) -> Tensor:
    """Return the estimate between two of least expected error, ``(C, H, W)``.

    Parameters
    ----------
    noisy
        The frame, ``(C, H, W)``.
    single, fused
        Its two estimates, ``(C, H, W)``.
    fuse
        Returns the second estimate of the frame plus a small change, from this change and the first estimate then.
    look
        How the frame is denoised again.
    """
    change = _small_noise(look)
    difference = fused - single
    single_again = look.denoise(noisy + change)
    difference_again = fuse(change, single_again) - single_again
    # The change is STEP standard deviations: its product with what it makes of the difference holds the variance.
    noise = (difference_again - difference) * change / STEP**2
    power = _around(difference.square()).clamp(min=1e-20)
    share = _around(difference * (noisy - single) - noise) / power
    # Less its standard error: a little less of the fused estimate costs less than a little of a wrong one.
    count = (1 if look.alike else len(noisy)) * (2 * AROUND + 1) ** 2
    doubt = (_around(look.variance) / (power * count)).sqrt()
    return single + (share - doubt).clamp(0, 1) * difference


@dataclass(frozen=True)
class Verdict:
    """What neighbours that took no part tell of an estimate.

    Attributes
    ----------
    difference
        Of the fused estimate without them from the single one, ``(C, H, W)``.
    judges
        (aligned neighbour ``(C, H, W)``, its weight ``(H, W)``).
    """

    difference: Tensor
    judges: Sequence[tuple[Tensor, Tensor]]


def confirm(single: Tensor, fused: Tensor, verdicts: Iterable[Verdict]) -> Tensor:
    """Return the estimate between two that neighbours confirm, ``(C, H, W)``.

    The share is the weighted least-squares one over all verdicts, in windows to which the whole frame adds `FRAME`
    windows of its mean. Where no neighbour is trusted, the single estimate stays.

    Parameters
    ----------
    single, fused
        The two estimates, ``(C, H, W)``.
    verdicts
        Of estimates that are made like ``fused``, each without its judges.
    """
    above, below = (torch.zeros_like(single) for _ in range(2))
    for verdict in verdicts:
        for judge, weight in verdict.judges:
            above += weight * (verdict.difference * (judge - single) - OWN)
            below += weight * verdict.difference.square()
    agreement, power = (_around(values) + FRAME * values.mean() for values in (above, below))
    return single + (agreement / power.clamp(min=1e-20)).clamp(0, 1) * (fused - single)


def _small_noise(look: SecondLook) -> Tensor:
    """Return noise of random sign and `STEP` standard deviations, ``(C, H, W)``."""
    channels, height, width = look.variance.shape
    size = (1 if look.alike else channels, height, width)
    signs = 2 * np.random.default_rng(SEED).integers(0, 2, size, np.int8) - 1
    return STEP * look.variance.sqrt() * torch.from_numpy(signs).to(look.variance)


def _around(values: Tensor) -> Tensor:
    """Return the local mean over the channels and `AROUND` px each way, ``(1, H, W)``."""
    window = 2 * AROUND + 1
    mean: Tensor = functional.avg_pool2d(values.mean(0, keepdim=True), window, 1, AROUND, count_include_pad=False)
    return mean
