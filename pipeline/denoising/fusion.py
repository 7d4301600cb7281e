"""Fusing frames: aligned noisy neighbours are averaged, weighted by confidence, and the mean is filtered."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from self2align.alignment.aligner import Aligner
from self2align.denoising.agreement import SecondLook, Verdict, agree, confirm
from self2align.denoising.averaging import TRUST_SHARED, Mean, mean_of
from self2align.denoising.neighbourhoods import Wanted, neighbourhoods
from self2align.denoising.spread import known_spread, measured_spread
from self2align.denoising.wiener import wiener
from self2align.noise.profile import NoiseProfile

JUDGES = 2  # neighbours each way, at least, where they judge: those that are not averaged, or half of them each time
BINS = 8  # of brightness, for noise that depends on it
LEAST = 256  # pixels in each
THIN = 3  # px: medians of thousands of values need no more


@dataclass(frozen=True)
class Pilot:
    """What the denoiser of single frames makes of one.

    Attributes
    ----------
    image
        ``(C, H, W)``.
    look
        How it is denoised again: the frame judges the fused estimate. None to take that as it is.
    shared
        Variance of the noise, ``(C, H, W)``, where it is not independent from pixel to pixel and channel to channel:
        neighbours judge. None for white noise.
    """

    image: Tensor
    look: SecondLook | None = None
    shared: Tensor | None = None


def frame_noise_variance(noisy: Tensor, denoised: Tensor) -> Tensor:
    """Return the noise variance of a frame at each pixel, by channel and brightness, ``(C, H, W)``.

    Robust (median of the absolute residual in each of up to eight classes of brightness), so detail that the
    denoiser lost in a minority of the pixels does not raise it.

    Parameters
    ----------
    noisy, denoised
        ``(C, H, W)``.
    """
    variance = torch.empty_like(noisy)
    for out, seen, known in zip(variance, noisy, denoised, strict=True):
        shade = known[::THIN, ::THIN].flatten()
        order = shade.argsort(stable=True)
        away = (seen - known)[::THIN, ::THIN].flatten()[order]
        parts = away.tensor_split(max(1, min(BINS, len(away) // LEAST)))
        levels = torch.stack([(1.4826 * (part - part.median()).abs().median()) ** 2 for part in parts])
        starts = torch.tensor([len(part) for part in parts[:-1]], dtype=torch.long, device=noisy.device).cumsum(0)
        out.copy_(levels[torch.bucketize(known.contiguous(), shade[order][starts], right=True)])
    return variance


@torch.inference_mode()
def fuse(
    frames: Iterable[Tensor],
    denoise: Callable[[Tensor], Pilot | None],
    aligner: Aligner,
    *,
    radius: int,
    exposure: bool,
    noise: NoiseProfile | None = None,
    trust: Callable[[Tensor], None] | None = None,
) -> Iterator[Tensor]:
    """Denoise footage, each frame with the help of its neighbours.

    The denoised frame is the first estimate of an empirical Wiener filter, which filters the mean of the noisy frame
    and its aligned neighbours. Where the result would be worse than the denoised frame, that is taken instead, or
    something between them; see `self2align.denoising.agreement`. Noise that pixels share is filtered as it spreads over
    the coefficients of blocks, and neighbours judge.

    Parameters
    ----------
    frames
        ``(C, H, W)``, noisy, all of one size, white being 1.0. What is NaN is filled from around it, and counts for
        nothing as a neighbour.
    denoise
        A frame's denoiser; None where there is no noise to speak of, and the frame stays.
    aligner
        See `self2align.alignment.aligner.Aligner`.
    radius
        Neighbours before and after each frame. A copy of a frame counts for nothing: the next other frame takes its
        place, up to `reach` frames away. The result of a frame depends only on these.
    exposure
        Whether gain and offset between frames are compensated.
    noise
        What pixels and channels share of the noise. None for nothing, or where that is not known: it is measured on
        each frame and its aligned neighbours too, where the denoiser says that they share noise.
    trust
        Called before each frame with the share of its noise's variance that the mean with its neighbours takes off,
        ``(H, W)``: 0 where no neighbour is trusted, and at most ``1 - 1 / (2 radius + 1)``.

    Yields
    ------
    Tensor
        ``(C, H, W)``, unclipped, one for each frame; ``2 reach(radius) + 1`` frames are held.
    """

    def look(target: Tensor, marked: Tensor) -> Wanted[Pilot] | None:
        pilot = denoise(marked)
        if pilot is None:
            return None
        count = radius if pilot.shared is None else max(radius, JUDGES)
        return Wanted(frame_noise_variance(target, pilot.image), count, pilot)

    for one in neighbourhoods(frames, look, aligner, radius=radius, exposure=exposure, noise=noise):
        target, wanted = one.target, one.wanted
        if wanted is None:
            if trust is not None:
                trust(torch.zeros_like(target[0]))
            yield target
            continue
        pilot = wanted.known
        if pilot.shared is None:
            mean = mean_of(target, one.aligned)
            if trust is not None:
                trust(1 - mean.share)
            yield _filtered(target, pilot, mean, wanted.variance)
            continue
        ranked = [(rank, *aligned) for rank, aligned in zip(one.ranks, one.aligned, strict=True)]
        if trust is not None:
            members = ((image, confidence) for number, image, confidence in ranked if number < radius)
            trust(1 - mean_of(target, members, TRUST_SHARED).share)
        yield _confirmed(target, pilot.image, ranked, radius, pilot.shared, noise)


def _filtered(target: Tensor, pilot: Pilot, mean: Mean, variance: Tensor) -> Tensor:
    """Return the filtered mean, as far as it is better than what the frame alone gives."""
    fused = wiener(mean.image, pilot.image, mean.share * variance)
    if pilot.look is None:
        return fused

    def again(change: Tensor, single: Tensor) -> Tensor:
        return wiener(mean.image + mean.own * change, single, mean.share * variance)

    return agree(target, pilot.image, fused, again, pilot.look)


def _confirmed(
    target: Tensor,
    single: Tensor,
    neighbours: Sequence[tuple[int, Tensor, Tensor]],
    radius: int,
    variance: Tensor,
    noise: NoiseProfile | None,
) -> Tensor:
    """Return the filtered mean, as far as neighbours confirm it that took no part.

    Parameters
    ----------
    target, single
        A frame and its denoised form, ``(C, H, W)``.
    neighbours
        (rank, aligned neighbour ``(C, H, W)``, confidence ``(H, W)``); those of rank ``radius`` or more only judge.
    radius, noise
        See `fuse`.
    variance
        Of the noise, ``(C, H, W)``.
    """
    everyone = [(image, confidence) for _, image, confidence in neighbours]
    spread = measured_spread(target, everyone, variance)
    members = [one for one in neighbours if one[0] < radius]
    first, second = halves(members)
    sides = [(members, [one for one in neighbours if one[0] >= radius])]
    if not sides[0][1]:
        sides = [(first, second), (second, first)]
    if spread is None or not any(judges for _, judges in sides):
        return single
    if noise is not None:
        # Differences of frames do not show what a codec carries from one to the next, and a level may be too low.
        spread = torch.maximum(spread, known_spread(noise).to(spread))

    def fused(chosen: Sequence[tuple[int, Tensor, Tensor]]) -> Tensor:
        mean = mean_of(target, ((image, confidence) for _, image, confidence in chosen), TRUST_SHARED)
        # No block of 8 px tells smooth noise from the picture. There the denoised frame stands for the frame.
        smooth = mean.image + mean.own * (single - target)
        return wiener(mean.image, single, mean.share * variance, spread, smooth)

    whole = fused(members)
    verdicts = (
        Verdict(
            (whole if chosen is members else fused(chosen)) - single,
            [(image, confidence**TRUST_SHARED) for _, image, confidence in judges],
        )
        for chosen, judges in sides
    )
    return confirm(single, whole, verdicts)


def halves(
    members: Sequence[tuple[int, Tensor, Tensor]],
) -> tuple[list[tuple[int, Tensor, Tensor]], list[tuple[int, Tensor, Tensor]]]:
    """Return neighbours in two parts: by rank, so that what changes evenly cancels in both, or the sides in time."""
    even, odd = ([one for one in members if one[0] % 2 == half] for half in (0, 1))
    return (even, odd) if odd else (list(members[::2]), list(members[1::2]))
