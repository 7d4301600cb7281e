"""Denoising images in tiles, without a visible seam.

The network sees each tile with a halo at least as wide as its receptive radius, aligned to its strides. The part that
is kept then equals the result for the whole image. If the radius is unbounded (channel attention averages over the
whole input), tiles are blended over their overlap instead, and the result depends slightly on the tiles.
"""

import copy
import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from self2align.networks.network import multiple_of
from self2align.runtime.progress import Progress

# px on either side of a border between two tiles over which they are blended, if the radius is unbounded.
BLEND = 64
# Convolutions need workspace in addition to their inputs and outputs (docs/decisions/denoising-in-tiles.md).
WORKSPACE = 1.3
_FARTHEST = 1024  # px; a larger radius counts as unbounded
_SMALL = 32  # px, of the image whose tensors are counted
_NEAR = 64  # px, the radius that is tried first


@dataclass(frozen=True)
class Tile:
    """One tile of a padded image.

    Attributes
    ----------
    window
        Rows and columns that the network sees.
    core
        Rows and columns that are kept; cores cover the image once.
    """

    window: tuple[slice, slice]
    core: tuple[slice, slice]


@torch.no_grad()
def reach(network: nn.Module, channels: int) -> int | None:
    """Return the receptive radius: how far the output depends on an input pixel, px; None if unbounded.

    Measured, not declared: a NaN input propagates to every output that depends on it, through zero weights and maxima
    too. NNPACK is turned off, because its fast convolutions mix the pixels of a block.

    Parameters
    ----------
    network
        Not changed.
    channels
        C of its images.
    """
    probe = copy.deepcopy(network).cpu().eval()
    band = multiple_of(network)
    clear = max(_NEAR, band)
    with torch.backends.nnpack.flags(enabled=False):
        while clear <= _FARTHEST:
            spread = max(_spread(probe, channels, band, clear, axis) for axis in (2, 3))
            if spread < clear:
                return spread
            clear *= 2
    return None


def _spread(probe: nn.Module, channels: int, band: int, clear: int, axis: int) -> int:
    """Return how far a band of NaN spreads into ``clear`` finite px on either side; at most ``clear``."""
    shape = [1, channels, band, band]
    shape[axis] = 2 * clear + band
    image = torch.zeros(shape)
    image.narrow(axis, clear, band).fill_(torch.nan)
    reached = probe(image)[0].isnan().any(0).any(3 - axis).nonzero().flatten()
    return max(clear - int(reached.min()), int(reached.max()) - (clear + band - 1))


class _Held(TorchFunctionMode):
    """Counts the bytes of the tensors that exist at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor):
                size = tensor.numel() * tensor.element_size()
                self.now += size
                self.peak = max(self.peak, self.now)
                weakref.finalize(tensor, self._release, size)
        return result

    def _release(self, size: int) -> None:
        self.now -= size


@torch.no_grad()
def bytes_per_pixel(network: nn.Module, channels: int) -> float:
    """Return the peak of a network's tensors in bytes per input pixel.

    Counted on a small image. Views count as tensors, so it is an upper bound.
    """
    probe = copy.deepcopy(network).cpu().eval()
    side = math.lcm(_SMALL, multiple_of(network))
    image = torch.zeros((1, channels, side, side))
    with _Held() as held:
        probe(image)
    return float(held.peak + image.numel() * image.element_size()) / (side * side)


@lru_cache(maxsize=64)
def tiles(height: int, width: int, *, multiple: int, halo: int, pixels: int) -> tuple[Tile, ...]:
    """Cut an image into tiles with the least total cost.

    Parameters
    ----------
    height, width
        Of the image, multiples of ``multiple``, px.
    multiple
        Grid on which tiles begin and end, px.
    halo
        Margin that the network sees around each core, within the image; a multiple of ``multiple``.
    pixels
        Most pixels of a window; at least `smallest_window`.
    """
    assert height % multiple == width % multiple == halo % multiple == 0, (height, width, halo, multiple)
    rows, columns = (_splits(length, multiple, halo) for length in (height, width))
    fitting = [
        (row.seen * column.seen, -row.core * column.core, row.core, column.core)
        for row in rows
        for column in columns
        if row.longest * column.longest <= pixels
    ]
    assert fitting, (height, width, pixels)
    *_, core_height, core_width = min(fitting)
    return tuple(
        Tile((row[0], column[0]), (row[1], column[1]))
        for row in _spans(height, core_height, halo)
        for column in _spans(width, core_width, halo)
    )


def smallest_window(height: int, width: int, *, multiple: int, halo: int) -> int:
    """Return the number of pixels in the window of the smallest tile of an image; see `tiles`."""
    rows, columns = (_splits(length, multiple, halo) for length in (height, width))
    return min(row.longest for row in rows) * min(column.longest for column in columns)


@dataclass(frozen=True)
class _Split:
    """One way to cut an axis: length of the cores, of the longest window, and of all windows together."""

    core: int
    longest: int
    seen: int


def _splits(length: int, multiple: int, halo: int) -> list[_Split]:
    cells = length // multiple
    splits = []
    for core in sorted({-(-cells // count) * multiple for count in range(1, cells + 1)}):
        starts = np.arange(0, length, core)
        windows = np.minimum(length, starts + (core + halo)) - np.maximum(0, starts - halo)
        splits.append(_Split(core, int(windows.max()), int(windows.sum())))
    return splits


def _spans(length: int, core: int, halo: int) -> list[tuple[slice, slice]]:
    """Return window and core of each piece of an axis."""
    starts = range(0, length, core)
    return [
        (slice(max(0, start - halo), min(length, start + core + halo)), slice(start, min(length, start + core)))
        for start in starts
    ]


@torch.inference_mode()
def run_tiles(
    network: nn.Module,
    image: NDArray[np.float32],
    plan: Sequence[Tile],
    *,
    blend: bool,
    device: torch.device,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Run a network over the tiles of an image.

    Parameters
    ----------
    network
        On the device.
    image
        ``(C, H, W)``, float32, height and width being multiples of the network's.
    plan
        See `tiles`.
    blend
        Whether windows are blended smoothly where they overlap; else each gives only its core.
    device
        Where the network is.
    progress
        Called with the number of tiles done and of all tiles.

    Returns
    -------
    ndarray
        ``(C, H, W)``, float32.
    """
    clean = np.zeros(image.shape, np.float32)
    weights = np.zeros(image.shape[1:], np.float32) if blend else None
    for done, tile in enumerate(plan, 1):
        batch = torch.from_numpy(np.ascontiguousarray(image[:, *tile.window]))[None]
        batch = batch.to(device, memory_format=torch.channels_last)
        seen: NDArray[np.float32] = network(batch)[0].float().cpu().numpy()
        if weights is None:
            inside = (_within(core, window) for core, window in zip(tile.core, tile.window, strict=True))
            clean[:, *tile.core] = seen[:, *inside]
        else:
            weight = np.multiply.outer(*(_ramp(*axes) for axes in zip(tile.window, tile.core, strict=True)))
            clean[:, *tile.window] += seen * weight
            weights[tile.window] += weight
        if progress is not None:
            progress(done, len(plan))
    return clean if weights is None else clean / weights


def _within(core: slice, window: slice) -> slice:
    return slice(core.start - window.start, core.stop - window.start)


def _ramp(window: slice, core: slice) -> NDArray[np.float32]:
    """Return weights along a window: 1 inside, a squared sine at borders, which adds up to 1 with its neighbour's.

    The outer quarter of the overlap has weight 0: there the network sees an edge that the image does not have.
    """
    weight = np.ones(window.stop - window.start, np.float32)
    for halo, side in ((core.start - window.start, 1), (window.stop - core.stop, -1)):
        if halo:
            risen = (np.arange(min(2 * halo, len(weight))) + 0.5 - halo / 2) / halo
            rising = np.sin(np.clip(risen, 0.0, 1.0) * (np.pi / 2)) ** 2
            weight[::side][: len(rising)] *= rising.astype(np.float32)
    return weight
