"""A fixed pattern of the sensor, estimated from frames of a moving scene alone.

A pixel of a frame is scene, pattern and noise, ``y_t(p) = x_t(p) + P(p) + n_t(p)``. The mean w_t of its aligned
neighbours has the same scene, and the pattern of other places of the sensor. So over many frames

    mean of (y_t - w_t) = P - mean of W_t P,

which is solved for P by Richardson's iteration, W_t being the warps themselves. What motion cannot tell from the scene,
a constant above all, stays 0.

Gamma and gain make a pattern stronger or weaker with brightness x: it is ``a(x) P(p)``, with a by classes of x.

The frames make two halves in time, with independent noise: what both estimates have in common is pattern. That tells by
how much their mean is shrunk, rows, columns and single pixels each by their own share: to nothing where the halves have
no more in common than chance gives them (James and Stein 1961, empirical Bayes).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from self2align.alignment.aligned import Aligned, align_both
from self2align.alignment.aligner import Aligner
from self2align.alignment.confidence import FLOOR, residual_noise_variance
from self2align.alignment.filters import low_pass
from self2align.alignment.halves import shrunk
from self2align.alignment.warp import warp
from self2align.runtime.progress import Progress, ignore

LAGS = (1, 2, 4, 8)  # frames: neighbours are the nearest between which the scene moves far enough
MOVES = 2.0  # px, median: with less, pattern and scene look alike
# In place, low-passed frames differ by so many times as much in power as along the motion. Where they do not, the
# aligner has made the motion of noise, and a still scene would be taken for a pattern.
EXPLAINS = 1.5
LEAST = 8  # frames
SIDES = 4  # neighbours of a frame, at most
TRUSTED = 0.5  # confidence in an alignment
MOVED = 1.0  # px: places that moved less say nothing
THIN = 3  # px: quantiles of brightness need no more
COARSE = 4  # px: to which the motion is averaged for the iteration
STEPS, RELAX = 8, 0.7  # of the iteration; the eigenvalues lie between 0 and 2
CLASSES = 4  # of brightness, with as many pixels each
BLUR = 2.0  # px, of the brightness

Frames = Callable[[int], NDArray[np.float32]]
Allocate = Callable[[str, tuple[int, ...]], NDArray[np.float32]]


@dataclass(frozen=True)
class Estimated:
    """A fixed pattern as it was estimated.

    Attributes
    ----------
    values
        ``(C, H, W)``, white being 1.0, shrunk; 0 where nothing was found.
    levels, gains
        Brightness of the classes, rising, and by what the pattern is multiplied there; 1 in the mean square.
    sigma
        Standard deviation of the pattern that the halves of the frames have in common: of rows, of columns, of single
        pixels; 0 where that may be chance.
    kept
        By how much each of these was multiplied, 0 to 1: the share of its variance that is expected to be removed.
    motion
        Median motion between a frame and its neighbours, px.
    frames
        Number of frames.
    """

    values: NDArray[np.float32]
    levels: NDArray[np.float64]
    gains: NDArray[np.float64]
    sigma: tuple[float, float, float]
    kept: tuple[float, float, float]
    motion: float
    frames: int

    @property
    def found(self) -> bool:
        """Return whether there is a pattern."""
        return any(self.sigma)


@dataclass
class _Half:
    """Residuals of half of the frames at their places on the sensor, and the motion that made them."""

    edges: Tensor  # (CLASSES - 1,): of brightness
    total: Tensor  # (CLASSES, C, H, W), weighted sums
    weight: Tensor  # the same
    seen: Tensor  # (H, W): weights of all classes
    light: Tensor  # (CLASSES,): weighted sum of the brightness
    warps: NDArray[np.float32]  # (N, 3, h, w), coarse: fields, and by how much each counts
    count: int = 0  # of the warps, so far

    def add(self, frame: Tensor, neighbours: Sequence[tuple[Tensor, Aligned]]) -> None:
        """Add a frame and its aligned neighbours, warped by a sinc."""
        trusts = [_trust(one) for _, one in neighbours]
        known = torch.stack(trusts).sum(0)
        # The mean of n neighbours has a share 1 / n of their noise.
        mean = torch.stack([warped * trust for (warped, _), trust in zip(neighbours, trusts, strict=True)]).sum(0)
        mean /= known.clamp(min=1.0)
        variance = residual_noise_variance(frame[None], mean[None])[0] + FLOOR
        weight = (known > 0) / (variance * (1 + 1 / known.clamp(min=1.0)))
        # The brightness of the neighbours: that of the frame itself has the noise of the residual.
        bright = low_pass(mean[None], BLUR)[0]
        which = torch.bucketize(bright, self.edges)
        for number in range(CLASSES):
            some = weight * (which == number)
            self.total[number] += (frame - mean) * some
            self.weight[number] += some
            self.light[number] += (bright * some).sum()
        self.seen += weight
        for (_, one), trust in zip(neighbours, trusts, strict=True):
            share = weight * trust / known.clamp(min=1.0)
            self.warps[self.count] = _coarse(torch.cat([one.transfer, share[None]])).numpy()
            self.count += 1

    def solved(self, gains: Tensor) -> Tensor:
        """Return the pattern, ``(C, H, W)``, from its gains in the classes; 0 where nothing was seen."""
        seen, size = self.seen.clamp(min=1e-20), self.seen.shape
        weight = torch.einsum("k,kchw->chw", gains**2, self.weight)
        wanted = torch.einsum("k,kchw->chw", gains, self.total) / weight.clamp(min=1e-20)
        found = torch.zeros_like(wanted)
        for _ in range(STEPS):
            moved = torch.zeros_like(found)
            for coarse in self.warps[: self.count]:
                fine = _fine(torch.from_numpy(coarse), size)
                moved += warp(found[None], fine[None, :2])[0] * fine[2:]
            found += RELAX * (wanted - found + moved / seen) * (weight > 0)
        return found - found.mean((1, 2), keepdim=True)


def _trust(one: Aligned) -> Tensor:
    """Return where an alignment counts, ``(H, W)``: 1 or 0."""
    known: Tensor = (one.confidence > TRUSTED) & (one.transfer.norm(dim=0) > MOVED)
    return known.float()


def _coarse(values: Tensor) -> Tensor:
    pooled: Tensor = functional.avg_pool2d(values[None], COARSE, ceil_mode=True, count_include_pad=False)
    return pooled[0]


def _fine(values: Tensor, size: Sequence[int]) -> Tensor:
    height, width = values.shape[-2:]
    larger = (COARSE * height, COARSE * width)
    whole: Tensor = functional.interpolate(values[None], larger, mode="bilinear", align_corners=False)
    return whole[0, :, : size[0], : size[1]]


@torch.no_grad()
def estimate_pattern(
    scenes: Sequence[tuple[Frames, int]],
    aligner: Aligner,
    progress: Progress = ignore,
    allocate: Allocate = lambda name, shape: np.empty(shape, np.float32),
) -> Estimated:
    """Estimate the fixed pattern that frames of moving scenes share.

    Parameters
    ----------
    scenes
        Of each a function that returns a frame ``(C, H, W)``, white being 1.0, by its number, and the number of frames;
        all of one sensor and size.
    aligner
        See `self2align.alignment.aligner.Aligner`.
    progress
        Called with frames done and all frames.
    allocate
        Returns a new array of a name and a shape, for what grows with the number of frames: their motion, at a quarter
        of their size. By default in memory.

    Raises
    ------
    ValueError
        If there are fewer than 8 frames, or the scene moves by less than 2 px between frames 8 apart.
    """
    total, early = sum(count for _, count in scenes), sum(count // 2 for _, count in scenes)
    lag = _lag(scenes, aligner)
    halves: tuple[_Half, _Half] | None = None
    motion: list[float] = []
    done = 0
    for read, count in scenes:
        for start, stop, which in ((0, count // 2, 0), (count // 2, count, 1)):
            for frame, neighbours in _with_neighbours(read, range(start, stop), lag, aligner):
                if halves is None:
                    halves = _empty(frame, early, allocate, "first"), _empty(frame, total - early, allocate, "second")
                halves[which].add(frame, neighbours)
                motion += [float(one.transfer.norm(dim=0).median()) for _, one in neighbours]
                done += 1
                progress(done, total)
    assert halves is not None
    levels, gains = _curve(*halves)
    first, second = (half.solved(gains) for half in halves)
    values, sigma, kept = shrunk(first, second)
    return Estimated(
        values, levels.double().numpy(), gains.double().numpy(), sigma, kept, float(np.median(motion)), total
    )


def _empty(frame: Tensor, frames: int, allocate: Allocate, name: str) -> _Half:
    """Return a half, of so many frames, to which none was added yet."""
    shares = torch.arange(1, CLASSES) / CLASSES
    edges = torch.quantile(low_pass(frame[None], BLUR)[..., ::THIN, ::THIN].flatten(), shares.to(frame))
    sums = torch.zeros(CLASSES, *frame.shape)
    height, width = (-(-side // COARSE) for side in frame.shape[-2:])
    warps = allocate(name, (SIDES * frames, 3, height, width))
    return _Half(edges, sums, sums.clone(), torch.zeros_like(frame[0]), torch.zeros(CLASSES), warps)


def _curve(first: _Half, second: _Half) -> tuple[Tensor, Tensor]:
    """Return the brightness of the classes, and the gain of the pattern in each.

    Patterns of two classes have the product of their gains in common; so the gains are the first eigenvector of what
    all pairs of classes, one of each half, have in common.
    """
    weight = (first.weight + second.weight).sum((1, 2, 3))
    levels = (first.light + second.light) / weight.clamp(min=1e-20)
    common = torch.einsum("kchw,lchw->kl", first.total, second.total)
    norms = torch.einsum("kchw,lchw->kl", first.weight, second.weight)
    known = (common + common.T) / (norms + norms.T).clamp(min=1e-20)
    scale = (weight / weight.sum()).sqrt()
    values, vectors = torch.linalg.eigh(known * scale[:, None] * scale)
    gains = vectors[:, -1] / scale.clamp(min=1e-6)
    gains = (gains * gains.sum().sign()).clamp(min=0.0)
    if values[-1] <= 2 * values[0].abs() or (weight == 0).any():
        gains = torch.ones(CLASSES)  # no more than chance
    return levels, gains / ((gains**2 * weight).sum() / weight.sum()).sqrt()


def _lag(scenes: Sequence[tuple[Frames, int]], aligner: Aligner) -> int:
    """Return how many frames apart the scene has moved far enough."""
    longest = max(count for _, count in scenes)
    if longest < LEAST:
        raise ValueError(f"frames: found {longest}, expected at least {LEAST} of one scene to estimate a fixed pattern")
    found, tried = 0.0, [lag for lag in LAGS if 2 * lag < longest // 2]
    for lag in tried:
        lengths = []
        for read, count in scenes:
            for at in sorted({0, (count - lag) // 2, count - 1 - lag}) if count > lag else ():
                first, second = (torch.from_numpy(read(number))[None] for number in (at, at + lag))
                field = aligner(first, second)
                smooth, moved = low_pass(first, BLUR), low_pass(second, BLUR)
                explained = float((smooth - moved).square().mean() / (smooth - warp(moved, field)).square().mean())
                lengths.append(float(field.norm(dim=1).median()) if explained >= EXPLAINS else 0.0)
        found = float(np.median(lengths))
        if found >= MOVES:
            return lag
    raise ValueError(
        f"motion: found {found:.1f} px between frames {tried[-1]} apart, expected at least {MOVES:g}: a fixed pattern "
        "and a scene that stands still cannot be told apart. Use a dark frame"
    )


def _with_neighbours(
    read: Frames, numbers: range, lag: int, aligner: Aligner
) -> Iterator[tuple[Tensor, list[tuple[Tensor, Aligned]]]]:
    """Yield frames with their neighbours one and two lags away, within some numbers; each pair is aligned once.

    Frames a lag apart follow each other, so that few are held, however long the lag.
    """
    for first in range(lag):
        yield from _run(read, numbers[first::lag], aligner)


def _run(read: Frames, numbers: range, aligner: Aligner) -> Iterator[tuple[Tensor, list[tuple[Tensor, Aligned]]]]:
    held: dict[int, Tensor] = {}
    kept: dict[tuple[int, int], Aligned] = {}

    def frame(number: int) -> Tensor:
        if number not in held:
            held[number] = torch.from_numpy(read(number))
        return held[number]

    for target in numbers:
        neighbours = []
        for source in (
            target - 2 * numbers.step,
            target - numbers.step,
            target + numbers.step,
            target + 2 * numbers.step,
        ):
            if source not in numbers:
                continue
            if (target, source) not in kept:
                kept[target, source], kept[source, target] = align_both(frame(target), frame(source), aligner, True)
            one = kept.pop((target, source))
            warped = warp(frame(source)[None], one.transfer[None], "sinc")[0]
            neighbours.append((one.gain * warped + one.offset, one))
        for number in [number for number in held if number <= target - 2 * numbers.step]:
            del held[number]
        if neighbours:
            yield frame(target), neighbours
