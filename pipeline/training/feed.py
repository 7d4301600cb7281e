"""From stores to batches: decoded once into memory, drawn by step number.

A batch depends only on the number of its step. Order and augmentation depend on no worker, and a run that resumes at
step n draws the same batches as one without interruption.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.runtime.seeding import generator
from self2align.stores.codes import Coding
from self2align.training.augmenting import apply_symmetry, rotate_crop_colors

Batch = dict[str, Tensor]
Draw = Callable[[int], Batch]
DrawNoise = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]


def _span(crop: int, step: Any) -> Any:
    """Return how many pixels a crop of every ``step``-th pixel covers."""
    return (crop - 1) * step + 1


class PairFeed:
    """Batches of crops of aligned pairs.

    The source is cut at the position of the target plus the median motion of the crop, in whole pixels; the transfer
    field keeps the remaining motion. So the network needs no margin. Target pixels whose source lies outside the source
    crop get confidence 0.

    Parameters
    ----------
    held
        Arrays as stored, one row per pair: any of ``target, source, warped, transfer, confidence``, or
        ``first, second, clean``. ``source`` needs ``transfer`` and ``confidence``.
    rows
        Rows to draw from.
    codings
        How each array is stored.
    columns
        Any of ``keep, gain, offset``, one value per row.
    margin
        Margin of ``source``, px.
    crop, batch
        Size of a crop, px; crops per batch.
    subsample
        Share of crops that are every other pixel of an area twice as large, as an augmentation. Independent noise keeps
        its distribution; detail becomes twice as fine, and color, which video stores at half resolution, as fine as
        brightness.
    rotate_colors
        Share of crops whose colors are rotated, as an augmentation; see `rotate_crop_colors`.
    seed, purpose
        Seed and key of the random draws.
    """

    def __init__(
        self,
        held: Mapping[str, NDArray[Any]],
        rows: NDArray[np.int64],
        codings: Mapping[str, Coding],
        columns: Mapping[str, NDArray[np.float32]],
        *,
        margin: int,
        crop: int,
        batch: int,
        subsample: float,
        rotate_colors: float,
        seed: int,
        purpose: str,
    ) -> None:
        self.held, self.codings, self.columns = held, codings, columns
        self.margin, self.crop, self.batch = margin, crop, batch
        self.subsample, self.rotate_colors = subsample, rotate_colors
        self.seed, self.purpose = seed, purpose
        self.rows = rows
        self.size = next(array.shape[-1] for name, array in held.items() if name != "source")
        assert _span(crop, 2 if subsample else 1) <= self.size

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        draw = generator(self.seed, self.purpose, step)
        rows = self.rows[draw.integers(len(self.rows), size=self.batch)]
        # Noise that pixels share is another among every other pixel, and among rotated colors.
        white = self.columns["white"][rows] if "white" in self.columns else np.ones(self.batch)
        steps = np.where(draw.random(self.batch) < self.subsample * white, 2, 1)
        places = draw.integers(self.size - _span(self.crop, steps)[:, None] + 1, size=(self.batch, 2))
        symmetries = draw.integers(8, size=self.batch)
        crops = [
            apply_symmetry(self._cut(int(row), int(top), int(left), int(px)), int(symmetry))
            for row, (top, left), px, symmetry in zip(rows, places, steps, symmetries, strict=True)
        ]
        if self.rotate_colors:
            for crop, share in zip(crops, self.rotate_colors * white, strict=True):
                rotate_crop_colors(crop, float(share), draw)
        batch = {name: torch.from_numpy(np.stack([crop[name] for crop in crops])) for name in crops[0]}
        return batch | {name: torch.from_numpy(values[rows]) for name, values in self.columns.items()}

    def _cut(self, row: int, top: int, left: int, step: int) -> dict[str, NDArray[np.float32]]:
        span = _span(self.crop, step)
        here = np.s_[row, ..., top : top + span : step, left : left + span : step]
        cut = {name: self.codings[name].decode(array[here]) for name, array in self.held.items() if name != "source"}
        if "source" not in self.held:
            return cut
        trusted = cut["confidence"] > 0.5
        field = cut["transfer"]
        motion = np.median(field[:, trusted], axis=1) if trusted.any() else np.zeros(2)
        x, y = np.clip(np.rint(motion), -self.margin, self.margin).astype(int)
        y0, x0 = top + self.margin + int(y), left + self.margin + int(x)
        y0, x0 = (min(max(v, 0), self.size + 2 * self.margin - span) for v in (y0, x0))
        shift = np.array([x0 - self.margin - left, y0 - self.margin - top], np.float32)
        cut["source"] = self.codings["source"].decode(
            self.held["source"][row, :, y0 : y0 + span : step, x0 : x0 + span : step]
        )
        field -= shift[:, None, None]
        field /= step
        place = np.arange(self.crop, dtype=np.float32)
        reached = np.stack([field[0] + place, field[1] + place[:, None]])
        cut["confidence"] *= ((reached >= 0) & (reached <= self.crop - 1)).all(0)
        return cut


class NeighbourFeed(PairFeed):
    """Batches of crops of targets, each with all its aligned neighbours.

    A batch has ``target (N, C, s, s)``, ``warped (N, K, C, s, s)`` and ``confidence (N, K, s, s)``; the confidence of a
    missing neighbour is 0. Columns are means over the neighbours of a target.

    Parameters
    ----------
    held
        ``target, warped, confidence``, one row per pair.
    rows
        The rows of each target, -1 for a missing neighbour, ``(targets, K)``; see
        `self2align.stores.pairs.PairStore.groups`.
    codings, columns, options
        See `PairFeed`.
    """

    def __init__(
        self,
        held: Mapping[str, NDArray[Any]],
        rows: NDArray[np.int64],
        codings: Mapping[str, Coding],
        columns: Mapping[str, NDArray[np.float32]],
        **options: Any,
    ) -> None:
        present = rows >= 0
        means = {
            name: (np.where(present, values[rows], 0).sum(1) / present.sum(1)).astype(np.float32)
            for name, values in columns.items()
        }
        super().__init__(held, np.arange(len(rows)), codings, means, **options)
        self.members = rows

    def _cut(self, row: int, top: int, left: int, step: int) -> dict[str, NDArray[np.float32]]:
        span = _span(self.crop, step)
        here = np.s_[..., top : top + span : step, left : left + span : step]
        members = self.members[row]
        cut = {}
        for name, array in self.held.items():
            # Slices instead of a list of rows: only the crops are read from a mapped file.
            codes = (
                array[members[0]][here] if name == "target" else np.stack([array[max(at, 0)][here] for at in members])
            )
            cut[name] = self.codings[name].decode(codes)
        cut["confidence"][members < 0] = 0
        return cut


class FrameFeed:
    """Batches of crops of arrays that belong together: neighbouring frames, or two draws of one frame.

    Parameters
    ----------
    scenes
        For each scene a mapping of name -> ``(T, C, H, W)`` as stored; all arrays of a scene have the same shape.
    codings
        How each scene is stored.
    names
        Content of a batch: name -> (array, frames after the first).
    crop, batch
        Size of a crop, px; crops per batch.
    seed, purpose
        Seed and key of the random draws.
    noise
        For each scene what draws noise for a crop, ``(C, s, s)``, such as `self2align.noise.drawing.NoiseDrawing`:
        batches then hold another draw of the noise of each of their arrays, ``NAME_noise``. None for none; of a scene
        whose pixels share no noise None too: its crops have noise of 0, and ``white (N,)`` is 1 for them and else 0.
    """

    def __init__(
        self,
        scenes: Sequence[Mapping[str, NDArray[Any]]],
        codings: Sequence[Coding],
        names: Mapping[str, tuple[str, int]],
        *,
        crop: int,
        batch: int,
        seed: int,
        purpose: str,
        noise: Sequence[DrawNoise | None] | None = None,
    ) -> None:
        self.scenes, self.codings, self.names = scenes, codings, names
        self.crop, self.batch, self.seed, self.purpose = crop, batch, seed, purpose
        self.drawings = noise
        self.span = max(shift for _, shift in names.values())
        first = next(iter(names.values()))[0]
        shapes = [scene[first].shape for scene in scenes]
        # Larger scenes are drawn more often, so that all crops have the same probability.
        weights = np.array([(t - self.span) * (h - crop + 1) * (w - crop + 1) for t, _, h, w in shapes], np.float64)
        self.shapes, self.weights = shapes, weights / weights.sum()

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step; the order of the frames is random too."""
        draw = generator(self.seed, self.purpose, step)
        # A stream of its own: the crops are the same with and without noise.
        noise_draw = generator(self.seed, self.purpose, "noise", step)
        crops = []
        chosen = draw.choice(len(self.scenes), size=self.batch, p=self.weights)
        for scene in chosen:
            count, _, height, width = self.shapes[scene]
            frame, top, left = draw.integers((count - self.span, height - self.crop + 1, width - self.crop + 1))
            symmetry, backwards = int(draw.integers(8)), bool(draw.integers(2))
            cut = {}
            for name, (array, shift) in self.names.items():
                at = frame + (self.span - shift if backwards else shift)
                codes = self.scenes[scene][array][at, :, top : top + self.crop, left : left + self.crop]
                cut[name] = self.codings[scene].decode(codes)
                if self.drawings is not None:
                    drawing = self.drawings[scene]
                    noise = np.zeros_like(cut[name]) if drawing is None else drawing(cut[name], noise_draw)
                    cut[f"{name}_noise"] = noise
            # Noise goes through the same symmetry as its crop: mirrored, it has another covariance.
            crops.append(apply_symmetry(cut, symmetry))
        batch = {name: torch.from_numpy(np.stack([crop[name] for crop in crops])) for name in crops[0]}
        if self.drawings is not None:
            batch["white"] = torch.tensor([float(self.drawings[scene] is None) for scene in chosen])
        return batch


def prefetched(draw: Draw, start: int, stop: int, device: torch.device) -> Iterator[Batch]:
    """Yield the batches of steps ``start`` to ``stop``; a thread prepares the next one meanwhile."""

    def ready(step: int) -> Batch:
        batch = draw(step)
        if device.type == "cuda":
            batch = {name: value.pin_memory() for name, value in batch.items()}
        return batch

    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(ready, start) if start < stop else None
        for step in range(start, stop):
            assert upcoming is not None
            batch = upcoming.result()
            upcoming = pool.submit(ready, step + 1) if step + 1 < stop else None
            yield {name: value.to(device, non_blocking=True) for name, value in batch.items()}
