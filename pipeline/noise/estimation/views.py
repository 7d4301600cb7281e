"""Blocks of noisy frames, transformed, and the sums and differences of them that hold less texture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 8  # px, of a block
SHIFT = 3  # px: away from the 8 x 8 grid of codecs, whose quantisation the same transform would see
CLOSEST = 2  # px, between blocks of small frames
BLOCKS = 100_000  # as many are looked at, evenly spaced
# Weights of red, green and blue: texture is mostly common to them, white noise is not.
CHROMA = np.array([[1, 0, -1], [1, -2, 1]]) / np.sqrt([[2], [6]])

ORDER = np.add.outer(np.arange(SIDE), np.arange(SIDE))
LOW, MIDDLE, HIGH = (ORDER > 0) & (ORDER <= 4), (ORDER > 4) & (ORDER < 9), ORDER >= 9

Values = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """Blocks in which noise is measured. Each is a sum of K blocks of the frames, with weights of squared sum 1.

    Attributes
    ----------
    waves
        ``(N, 8, 8)``, transformed.
    means
        ``(N, K)``: mean values of the blocks of the frames.
    shares
        ``(N, K)``: squared weights, which are the shares of their noise in that of the sum.
    ends
        ``(N, 2)``: shares of the pixels at the lowest and at the highest value.
    """

    waves: Values
    means: Values
    shares: Values
    ends: Values

    @property
    def colors(self) -> bool:
        """Return whether the blocks are sums over the channels."""
        return int(self.means.shape[1]) == len(CHROMA[0])


def cut_blocks(frames: Values) -> tuple[Values, int]:
    """Return blocks of the frames, the same places in all, ``(T, C, P, 8, 8)``, and their distance in px.

    Blocks with a value that is not finite in any frame are left out.
    """
    count, channels, height, width = frames.shape
    stride = SIDE
    while stride > CLOSEST and count * channels * height * width * 4 <= BLOCKS * stride**2:
        stride //= 2
    windows = np.lib.stride_tricks.sliding_window_view(frames[..., SHIFT:, SHIFT:], (SIDE, SIDE), (2, 3))
    grid = windows[:, :, ::stride, ::stride]
    rows, columns = grid.shape[2:4]
    places = np.arange(0, rows * columns, -(-count * channels * rows * columns // BLOCKS))
    known: NDArray[np.bool_] = np.asarray(np.isfinite(frames).all((0, 1)))
    if not known.all():
        whole = np.lib.stride_tricks.sliding_window_view(known[SHIFT:, SHIFT:], (SIDE, SIDE))[::stride, ::stride]
        places = np.flatnonzero(whole.all((2, 3)))
        places = places[:: max(1, -(-count * channels * len(places) // BLOCKS))]
    return grid[:, :, places // columns, places % columns], stride


def transform(blocks: Values) -> Values:
    """Return the orthonormal DCT-II of each block."""
    place = np.arange(SIDE)
    basis = np.sqrt(2 / SIDE) * np.cos(np.pi * place[:, None] * (2 * place + 1) / (2 * SIDE))
    basis[0] /= np.sqrt(2)
    matrix = basis.astype(np.float32)
    waves: Values = matrix @ blocks @ matrix.T
    return waves


def views(blocks: Values, waves: Values) -> list[View]:
    """Return the blocks themselves; of RGB differences of channels; of several frames those of neighbours.

    Parameters
    ----------
    blocks, waves
        ``(T, C, P, 8, 8)``, values from 0 to 1, and transformed.
    """
    means, ends = _means_and_ends(blocks, waves)
    found = [_view(waves[None], means[None], ends[None], np.ones((1, 1)))]
    if blocks.shape[1] == len(CHROMA[0]):
        found.append(_view(waves.swapaxes(0, 1), means.swapaxes(0, 1), ends.swapaxes(0, 1), CHROMA))
    if len(blocks) > 1:
        waves, means, ends = (np.stack([part[:-1], part[1:]]) for part in (waves, means, ends))
        found.append(_view(waves, means, ends, np.array([[1, -1]]) / np.sqrt(2)))
    return found


def channel_pairs(blocks: Values, waves: Values) -> list[View]:
    """Return the differences of green and blue, red and blue, red and green; see `views`, for RGB."""
    colors, means, ends = (part.swapaxes(0, 1) for part in (waves, *_means_and_ends(blocks, waves)))
    pairs = np.array([[[0, 1, -1]], [[1, 0, -1]], [[1, -1, 0]]]) / np.sqrt(2)
    return [_view(colors, means, ends, weights) for weights in pairs]


def _means_and_ends(blocks: Values, waves: Values) -> tuple[Values, Values]:
    """Return the mean of each block, ``(T, C, P)``, and its shares at both ends of the range, ``(T, C, P, 2)``."""
    ends = np.stack([(blocks <= 0).mean((3, 4), dtype=np.float32), (blocks >= 1).mean((3, 4), dtype=np.float32)], -1)
    return waves[..., 0, 0] / np.float32(SIDE), ends


def _view(waves: Values, means: Values, ends: Values, weights: NDArray[np.floating]) -> View:
    """Return weighted sums, ``weights`` being ``(M, K)``, over the first axis, of K."""
    parts, size = len(waves), means[0].size
    single: Values = weights.astype(np.float32)
    return View(
        waves=np.matmul(single, waves.reshape(parts, -1), dtype=np.float32).reshape(-1, SIDE, SIDE),
        means=np.tile(means.reshape(parts, size).T, (len(weights), 1)),
        shares=np.repeat(single**2, size, 0),
        ends=np.matmul(single**2, ends.reshape(parts, -1), dtype=np.float32).reshape(-1, 2),
    )
