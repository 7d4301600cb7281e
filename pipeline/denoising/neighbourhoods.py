"""Frames in order, each with its aligned neighbours: copies, cuts and what is missing taken care of."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypedDict, TypeVar

import torch
from torch import Tensor

from self2align.alignment.aligned import Aligned, align_both
from self2align.alignment.aligner import Aligner
from self2align.alignment.warp import warp
from self2align.denoising.repeats import Repeats
from self2align.noise.outliers import filled
from self2align.noise.profile import NoiseProfile

Known = TypeVar("Known")


@dataclass(frozen=True)
class Neighbour:
    """How a neighbour of a frame is sampled; see `self2align.alignment.aligned.Aligned`."""

    transfer: Tensor
    confidence: Tensor
    gain: float
    offset: float

    @classmethod
    def of(cls, aligned: Aligned) -> "Neighbour":
        """Return the alignment without the pixels of the neighbour."""
        return cls(aligned.transfer, aligned.confidence, aligned.gain, aligned.offset)

    def sample(self, source: Tensor) -> Tensor:
        """Return the aligned neighbour, ``(C, H, W)``, with its detail and its noise."""
        return self.gain * warp(source[None], self.transfer[None], "sinc")[0] + self.offset

    def trusted(self, copied: Tensor | None, missing: Tensor | None) -> Tensor:
        """Return the confidence, 0 where a frame is ``copied``, (H, W), or what it is sampled from ``missing``."""
        trust = self.confidence if copied is None else torch.where(copied, 0.0, self.confidence)
        if missing is None:
            return trust
        touched = warp(missing.any(0)[None, None].to(trust), self.transfer[None])[0, 0] > 0
        return torch.where(touched, 0.0, trust)


class Options(TypedDict):
    """What the ways to denoise frames with neighbours take alike; see `self2align.denoising.fusion.fuse`."""

    radius: int
    exposure: bool
    noise: NoiseProfile | None
    trust: Callable[[Tensor], None] | None


@dataclass(frozen=True)
class Wanted(Generic[Known]):
    """What is known of a frame before its neighbours are aligned to it.

    Attributes
    ----------
    variance
        Of its noise at each pixel, ``(C, H, W)``.
    count
        Neighbours wanted each way.
    known
        Of the caller.
    """

    variance: Tensor
    count: int
    known: Known


@dataclass(frozen=True)
class Neighbourhood(Generic[Known]):
    """A frame and its neighbours.

    Attributes
    ----------
    target
        ``(C, H, W)``; what was NaN is filled.
    wanted
        What was known of it; None where it is not denoised: then there are no neighbours.
    ranks
        For each neighbour, how many others lie between it and the frame.
    aligned
        (aligned neighbour ``(C, H, W)``, confidence ``(H, W)``), made when asked for, once.
    """

    target: Tensor
    wanted: Wanted[Known] | None
    ranks: Sequence[int]
    aligned: Iterator[tuple[Tensor, Tensor]]


def windows(frames: Iterable[Tensor], radius: int) -> Iterator[tuple[int, Mapping[int, Tensor]]]:
    """Yield each frame's number and, by number, the frames up to ``radius`` away from it; no others are kept."""
    held: dict[int, Tensor] = {}
    coming = enumerate(frames)
    at = 0
    while True:
        while max(held, default=-1) < at + radius and (new := next(coming, None)) is not None:
            held[new[0]] = new[1]
        if at not in held:
            return
        yield at, held
        held.pop(at - radius, None)
        at += 1


def reach(radius: int) -> int:
    """Return how far away neighbours may be, in frames, where copies lie between."""
    return 2 * radius


def neighbourhoods(
    frames: Iterable[Tensor],
    look: Callable[[Tensor, Tensor], Wanted[Known] | None],
    aligner: Aligner,
    *,
    radius: int,
    exposure: bool,
    noise: NoiseProfile | None,
) -> Iterator[Neighbourhood[Known]]:
    """Yield each frame with its neighbours.

    Parameters
    ----------
    frames
        ``(C, H, W)``, noisy, all of one size, white being 1.0. What is NaN is filled from around it, and counts for
        nothing as a neighbour.
    look
        Called with each frame, filled, and as it was; None where there is no noise to speak of.
    aligner
        See `self2align.alignment.aligner.Aligner`.
    radius
        A copy of a frame counts for nothing: the next other frame takes its place, up to `reach` of this away.
    exposure
        Whether gain and offset between frames are compensated.
    noise
        What pixels and channels share of the noise, for the confidence.
    """
    repeats, far = Repeats(), reach(radius)
    missing: dict[int, Tensor] = {}
    neighbours_of: dict[tuple[int, int], Neighbour] = {}
    for at, held in windows(_filled(frames, missing), far):
        target = held[at]
        wanted = look(target, target if at not in missing else torch.where(missing[at], torch.nan, target))
        if wanted is None:
            yield Neighbourhood(target, None, (), iter(()))
        else:
            variance = wanted.variance
            others = repeats.others(at, held, wanted.count, variance)
            for other in others:
                if (at, other) not in neighbours_of:
                    # One estimate gives both directions. It is made in the order of time, whichever is needed first.
                    first, second = min(at, other), max(at, other)
                    there, back = align_both(held[first], held[second], aligner, exposure, noise)
                    neighbours_of[first, second], neighbours_of[second, first] = Neighbour.of(there), Neighbour.of(back)
            chosen = [(other, neighbours_of[at, other], repeats.copied(at, other, held, variance)) for other in others]
            aligned = (
                (one.sample(held[other]), one.trusted(copied, missing.get(other))) for other, one, copied in chosen
            )
            yield Neighbourhood(target, wanted, [rank(other, others, at) for other in others], aligned)
        neighbours_of = {pair: one for pair, one in neighbours_of.items() if min(pair) > at - far and pair[0] > at}
        missing.pop(at - far, None)


def _filled(frames: Iterable[Tensor], missing: dict[int, Tensor]) -> Iterator[Tensor]:
    """Yield frames whose NaN are filled; note by number where they were, ``(C, H, W)``."""
    for number, frame in enumerate(frames):
        where = frame.isnan()
        if not bool(where.any()):
            yield frame
            continue
        missing[number] = where
        yield torch.from_numpy(filled(frame.cpu().numpy(), where.cpu().numpy())).to(frame)


def rank(other: int, others: Sequence[int], at: int) -> int:
    """Return how many of a frame's neighbours lie between it and one of them."""
    return sum(min(at, other) < one < max(at, other) for one in others)
