"""Which frames of a scene say something about its noise, and which say nothing, or something wrong.

Repeated frames teach the identity. Frames of one value, or clipped nearly everywhere, hold neither picture nor noise. A
stray frame, of another scene or a test card, matches none of its neighbours.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from self2align.alignment.copies import BLOCK, COPIED, MOSTLY, block_power, block_variance

SIZE = (24, 32)  # of a thumbnail, px
REACH = 5  # px of a thumbnail, a fifth of its height: shifts that count as motion or as a shake
LONGEST = 3  # frames of another scene in a row; more are a scene of their own
CHANGED = 0.4  # of the contrast: a stray frame differs by more from both sides
USUAL = 2.0  # times what changes from frame to frame in the scene: likewise
BACK = 0.5  # of that change: the sides differ by less from each other
CLIPPED = 0.5  # of the pixels, at the lowest or the highest value of a frame
BEYOND = 0.25  # so much more of them than is usual in the scene
FLAT = 0.02  # of what is usual in the scene, for contrast and for power at high frequencies
AROUND = 4  # frames on each side of a copy, within which another frame follows that is none

KINDS = {
    "copy": "the frame before again",
    "flat": "of one value",
    "clipped": "black or white nearly everywhere",
    "stray": "unlike the frames around them in more than exposure and a shift",
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
    """What is kept of the frames: a thumbnail and a few numbers each, 3 kB whatever their size."""

    power: list[float] = field(default_factory=list)  # at high frequencies
    thumbnails: list[NDArray[np.float32]] = field(default_factory=list)
    clipped: list[float] = field(default_factory=list)
    contrast: list[float] = field(default_factory=list)
    # Of each difference to the frame before: the noise that it confirms, as a share of the variance told, in half of
    # the blocks and in most of them. NaN and infinity where nothing can be told.
    usual: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)


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
    before: tuple[Tensor, Tensor] | None = None
    for frame in frames:
        values = torch.from_numpy(frame)
        if min(values.shape[-2:]) < BLOCK:
            count = 1 + sum(1 for _ in frames)
            return Evidence(tuple(range(len(seen.power) + count)), {}, line)
        own = block_power(values)
        _measure(seen, values, own)
        if before is not None:
            _compare(seen, block_power(values - before[0]), before[1], own, block_variance(values, line))
        before = values, own
    flat = _flat(seen)
    clipped = _clipped(seen) - flat
    confirmed = _confirmed(seen, flat | clipped)
    copies = _copies(seen, confirmed) - flat - clipped
    alone = [at for at in range(len(seen.power)) if at not in flat | clipped | copies]
    stray = {alone[at] for at in _stray([seen.thumbnails[at] for at in alone])}
    found = {"copy": copies, "flat": flat, "clipped": clipped, "stray": stray}
    kept = tuple(at for at in alone if at not in stray)
    left_out = {kind: tuple(sorted(one)) for kind, one in found.items() if one}
    share = _share(confirmed, copies)
    return Evidence(kept, left_out, (line[0] * share, line[1] * share))


def _measure(seen: _Seen, values: Tensor, own: Tensor) -> None:
    seen.power.append(float(own.mean()))
    thumbnail = functional.adaptive_avg_pool2d(values.mean(0)[None], SIZE)
    # Blurred, so that fractions of a pixel of it count for little.
    thumbnail = functional.avg_pool2d(thumbnail, 3, 1, 1, count_include_pad=False)[0]
    seen.contrast.append(float(thumbnail.std()))
    seen.thumbnails.append(((thumbnail - thumbnail.mean()) / max(seen.contrast[-1], 1e-20)).numpy())
    low, high = values.min(), values.max()
    seen.clipped.append(max(float((values == end).float().mean()) for end in (low, high)))


def _compare(seen: _Seen, step: Tensor, before: Tensor, own: Tensor, variance: Tensor) -> None:
    """Add what the difference of two frames shows; see `self2align.alignment.copies.is_copied` for the parameters."""
    shares = step / 2 / variance.clamp(min=1e-20)
    usual = shares[own > 0]
    seen.usual.append(float(usual.median()) if len(usual) else float("nan"))
    own = torch.minimum(before, own)
    # A block that changed as much as it holds is no copy, whatever the noise.
    telling = torch.where(step / 2 <= COPIED**2 * own, shares, float("inf"))[own > 0].sort().values
    seen.most.append(float(telling[math.ceil(MOSTLY * len(telling)) - 1]) if len(telling) else float("inf"))


def _flat(seen: _Seen) -> set[int]:
    """Return the frames without contrast and without noise; all frames may be such."""
    powers = np.sqrt(seen.power)
    contrast = np.array(seen.contrast)
    least = FLAT * np.median(contrast), FLAT * np.median(powers)
    return set(np.flatnonzero((contrast <= least[0]) & (powers <= least[1])).tolist())


def _clipped(seen: _Seen) -> set[int]:
    """Return the frames that are clipped in most places, as their scene is not."""
    shares = np.array(seen.clipped)
    usual = float(np.median(shares)) if shares.size else 0.0
    return set(np.flatnonzero(shares > max(CLIPPED, usual + BEYOND)).tolist())


def _confirmed(seen: _Seen, useless: set[int]) -> NDArray[np.float64]:
    """Return the share of the told variance that each difference shows; NaN where nothing can be told."""
    shares = np.array(seen.usual)
    for at in range(1, len(seen.power)):
        if {at - 1, at} & useless:
            shares[at - 1] = np.nan
    return shares


def _share(confirmed: NDArray[np.float64], copies: set[int]) -> float:
    """Return the share of the variance of the noise that neighbouring frames confirm, at most 1.

    Texture may have been taken for noise. Where nothing moves, differences have the noise alone.
    """
    known = [share for at, share in enumerate(confirmed, 1) if at not in copies and not np.isnan(share)]
    return min(float(np.median(known)), 1.0) if known else 1.0


def _copies(seen: _Seen, confirmed: NDArray[np.float64]) -> set[int]:
    """Return the frames that repeat the one before: all the same, or far closer to it than frames around it are.

    Frames around it tell how much noise there is: where texture was taken for noise, still frames are far closer than
    the variance that was told, but so are all of them.
    """
    shares = np.nan_to_num(confirmed, nan=0.0)
    found = set()
    for at, most in enumerate(seen.most):
        sides = shares[max(at - AROUND, 0) : at], shares[at + 1 : at + 1 + AROUND]
        whole = [side.max() for side in sides if side.size == AROUND]
        around = min(whole) if whole else np.concatenate(sides).max(initial=0.0)
        if most <= COPIED**2 * min(around, 1.0):
            found.add(at + 1)
    return found


def _stray(thumbnails: list[NDArray[np.float32]]) -> set[int]:
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


def _change(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return how much two thumbnails differ beyond gain, offset and a shift, as a share of their contrast, 0 to 1."""
    alike = [
        float(cv2.matchTemplate(one, other[REACH:-REACH, REACH:-REACH], cv2.TM_CCOEFF_NORMED).max())
        for one, other in ((first, second), (second, first))
    ]
    return float(np.sqrt(1 - np.clip(max(alike), 0, 1) ** 2))
