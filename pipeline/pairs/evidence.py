"""Which frames of a scene say something about its noise, and which say nothing, or something wrong.

Repeated frames teach the identity. Frames of one value, or clipped nearly everywhere, hold neither picture nor noise. A
stray frame, of another scene or a test card, matches none of its neighbours.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from self2align.alignment.copies import BLOCK, MOSTLY, block_power, block_variance, is_copied

SIZE = (24, 32)  # of a thumbnail, px
REACH = 2  # px of a thumbnail: shifts that count as motion
LONGEST = 3  # frames of another scene in a row; more are a scene of their own
CHANGED = 0.4  # of the contrast: a stray frame differs by more from both sides
USUAL = 2.0  # times what changes from frame to frame in the scene: likewise
BACK = 0.5  # of that change: the sides differ by less from each other
CLIPPED = 0.5  # of the pixels, at the lowest or the highest value of a frame
BEYOND = 0.25  # so much more of them than is usual in the scene
FLAT = 0.02  # of what is usual in the scene, for contrast and for power at high frequencies
# A measured variance so many times beyond the usual power of differences is measured right: most frames are copies.
REPEATED = 64.0

KINDS = {
    "copy": "the frame before again",
    "flat": "of one value",
    "clipped": "black or white nearly everywhere",
    "stray": "of another scene than the frames around them",
}


@dataclass(frozen=True)
class Evidence:
    """What the frames of a scene are good for.

    Attributes
    ----------
    kept
        Numbers of the frames that pairs are made of, in order.
    left_out
        Numbers of the others by kind, a key of `KINDS`.
    line
        a and b of the variance ``a x + b``, not more than neighbouring frames show.
    """

    kept: tuple[int, ...]
    left_out: dict[str, tuple[int, ...]] = field(default_factory=dict)
    line: tuple[float, float] = (0.0, 0.0)

    @property
    def note(self) -> str:
        """Return what was left out and what follows, as one line; empty if nothing was."""
        count = len(self.kept) + sum(map(len, self.left_out.values()))
        parts = [f"{len(frames)} are {KINDS[kind]}" for kind, frames in self.left_out.items()]
        if not parts:
            return ""
        return f"of {count} frames {', '.join(parts)}: left out, pairs take the next other frame"


@dataclass
class _Seen:
    """What is kept of the frames: a few hundred numbers each."""

    own: list[Tensor] = field(default_factory=list)
    variance: list[Tensor] = field(default_factory=list)
    steps: list[Tensor] = field(default_factory=list)  # power of the difference to the frame before
    thumbnails: list[Tensor] = field(default_factory=list)
    clipped: list[float] = field(default_factory=list)
    contrast: list[float] = field(default_factory=list)


@torch.no_grad()
def judge(frames: Iterable[NDArray[np.float32]], line: tuple[float, float]) -> Evidence:
    """Return which frames of a scene are left out, by measuring each, and its difference from the one before.

    Parameters
    ----------
    frames
        ``(C, H, W)`` each, of one scene; read once, not kept.
    line
        a and b of the variance ``a x + b`` of their noise.
    """
    seen = _Seen()
    before: Tensor | None = None
    for frame in frames:
        values = torch.from_numpy(frame)
        if min(values.shape[-2:]) < BLOCK:
            count = 1 + sum(1 for _ in frames)
            return Evidence(tuple(range(len(seen.own) + count)), {}, line)
        _measure(seen, values, before, line)
        before = values
    flat = _flat(seen)
    clipped = _clipped(seen) - flat
    share = _share(seen)
    copies = _copies(seen, share) - flat - clipped
    alone = [at for at in range(len(seen.own)) if at not in flat | clipped | copies]
    stray = {alone[at] for at in _stray([seen.thumbnails[at] for at in alone])}
    found = {"copy": copies, "flat": flat, "clipped": clipped, "stray": stray}
    kept = tuple(at for at in alone if at not in stray)
    left_out = {kind: tuple(sorted(one)) for kind, one in found.items() if one}
    return Evidence(kept, left_out, (line[0] * share, line[1] * share))


def _measure(seen: _Seen, values: Tensor, before: Tensor | None, line: tuple[float, float]) -> None:
    seen.own.append(block_power(values))
    seen.variance.append(block_variance(values, line))
    if before is not None:
        seen.steps.append(block_power(values - before))
    thumbnail = functional.adaptive_avg_pool2d(values.mean(0)[None], SIZE)
    # Blurred, so that fractions of a pixel of it count for little.
    thumbnail = functional.avg_pool2d(thumbnail, 3, 1, 1, count_include_pad=False)[0]
    seen.thumbnails.append(thumbnail)
    seen.contrast.append(float(thumbnail.std()))
    low, high = values.min(), values.max()
    seen.clipped.append(max(float((values == end).float().mean()) for end in (low, high)))


def _flat(seen: _Seen) -> set[int]:
    """Return the frames without contrast and without noise; all frames may be such."""
    powers = np.array([float(own.mean()) ** 0.5 for own in seen.own])
    contrast = np.array(seen.contrast)
    least = FLAT * np.median(contrast), FLAT * np.median(powers)
    return set(np.flatnonzero((contrast <= least[0]) & (powers <= least[1])).tolist())


def _clipped(seen: _Seen) -> set[int]:
    """Return the frames that are clipped in most places, as their scene is not."""
    shares = np.array(seen.clipped)
    usual = float(np.median(shares)) if shares.size else 0.0
    return set(np.flatnonzero(shares > max(CLIPPED, usual + BEYOND)).tolist())


def _share(seen: _Seen) -> float:
    """Return the share of the variance of the noise that neighbouring frames confirm, at most 1.

    Texture may have been taken for noise. Where nothing moves, differences have the noise alone.
    """
    ratios = [
        float(((step / 2)[own > 0] / variance[own > 0].clamp(min=1e-20)).median())
        for step, own, variance in zip(seen.steps, seen.own[1:], seen.variance[1:], strict=True)
        if bool((own > 0).any())
    ]
    usual = float(np.median(ratios)) if ratios else 1.0
    return min(usual, 1.0) if usual > 1 / REPEATED else 1.0


def _copies(seen: _Seen, share: float) -> set[int]:
    """Return the frames that repeat the one before."""
    found = set()
    for at, step in enumerate(seen.steps, 1):
        own = torch.minimum(seen.own[at - 1], seen.own[at])
        telling = int((own > 0).sum())
        copied = int(is_copied(step, own, share * seen.variance[at]).sum())
        if telling and copied >= MOSTLY * telling:
            found.add(at)
    return found


def _stray(thumbnails: list[Tensor]) -> set[int]:
    """Return frames, or up to three in a row, which differ from both sides as these do not from each other."""
    found: set[int] = set()
    count = len(thumbnails)
    steps = [_change(*both) for both in pairwise(thumbnails)]
    least = max(CHANGED, USUAL * float(np.median(steps))) if steps else CHANGED
    for length in range(1, LONGEST + 1):
        for start in range(1, count - length):
            first, last = thumbnails[start - 1], thumbnails[start + length]
            run = range(start, start + length)
            if found & {start - 1, *run, start + length}:
                continue
            apart = min(min(_change(first, thumbnails[at]), _change(thumbnails[at], last)) for at in run)
            if apart > least and _change(first, last) < BACK * apart:
                found.update(run)
    ends = ((0, 1, 2), (count - 1, count - 2, count - 3)) if count > 3 else ()
    for end, near, far in ends:
        apart = min(_change(thumbnails[end], thumbnails[other]) for other in (near, far))
        if not found & {near, far} and apart > least and _change(thumbnails[near], thumbnails[far]) < BACK * apart:
            found.add(end)
    return found


def _change(first: Tensor, second: Tensor) -> float:
    """Return how much two thumbnails differ beyond brightness and a small shift, as a share of their contrast."""
    height, width = SIZE
    inside = second[REACH : height - REACH, REACH : width - REACH]
    differences = []
    for y in range(2 * REACH + 1):
        for x in range(2 * REACH + 1):
            away = first[y : y + inside.shape[0], x : x + inside.shape[1]] - inside
            differences.append(float((away - away.mean()).abs().mean()))
    contrast = max(float((one - one.mean()).abs().mean()) for one in (first, second))
    return min(differences) / contrast if contrast else 0.0
