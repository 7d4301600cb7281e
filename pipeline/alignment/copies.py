"""Where a frame repeats another: the same noise, not a second draw of it.

A film in a faster video, a dropped frame that a recorder fills, a static block that a codec skips: the noise of both
frames is one. As a pair they teach the identity, and their mean is as noisy as either. The difference of two frames
tells: with noise of its own in each, its power at high frequencies is at least that of both. Where it is far less, one
is a copy.
"""

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 16  # px
# Standard deviation of a difference, relative to that of independent noise. Repeated frames of DAVIS with noise of
# sigma 5 and 25 have 0 as stored and in H.264, 0.05 to 0.34 in VP9, which codes them again; other frames at least 0.9
# in 95 % of the blocks (docs/decisions/pairs.md).
COPIED = 0.35
# Of the blocks that show noise or texture: then the frame is a copy. A codec at low quality codes some of them again.
MOSTLY = 0.65


def block_power(frame: Tensor) -> Tensor:
    """Return the power at high frequencies in blocks of 16 px: of white noise, its variance.

    Parameters
    ----------
    frame
        ``(C, H, W)``.

    Returns
    -------
    Tensor
        ``(H // 16, W // 16)``, mean over the channels.
    """
    inside = frame
    for axis in (-1, -2):
        # Second differences; of the weights 1, -2, 1 both ways the squares add up to 36.
        size = inside.shape[axis] - 2
        middle, ends = inside.narrow(axis, 1, size), inside.narrow(axis, 0, size) + inside.narrow(axis, 2, size)
        inside = ends - 2 * middle
    squares = functional.pad((inside / 6).square().mean(0)[None], (1, 1, 1, 1), mode="replicate")
    return functional.avg_pool2d(squares, BLOCK)[0]


def block_variance(frame: Tensor, line: tuple[float, float]) -> Tensor:
    """Return the variance of the noise in blocks of 16 px, from a and b of ``a x + b``; ``(H // 16, W // 16)``."""
    gain, read = line
    return (gain * functional.avg_pool2d(frame.mean(0)[None], BLOCK)[0] + read).clamp(min=0.0)


def is_copied(difference: Tensor, own: Tensor, variance: Tensor) -> Tensor:
    """Return which blocks are copies: far less differs than noise, or than the blocks themselves hold.

    Parameters
    ----------
    difference
        `block_power` of the difference of two frames.
    own
        The lesser of the powers of both. Where it is 0, as in black bars and clipped highlights, nothing can be told.
    variance
        Of the noise.
    """
    return (own > 0) & (difference / 2 <= COPIED**2 * torch.minimum(own, variance))


def copied_pixels(first: Tensor, second: Tensor, line: tuple[float, float]) -> Tensor | None:
    """Return where two frames hold the same noise at the same place, ``(H, W)``; None if nowhere.

    Parameters
    ----------
    first, second
        ``(C, H, W)``.
    line
        a and b of the variance ``a x + b`` of their noise.
    """
    if min(first.shape[-2:]) < BLOCK:
        return None
    own = torch.minimum(block_power(first), block_power(second))
    return over_pixels(is_copied(block_power(first - second), own, block_variance(first, line)), first)


def over_pixels(blocks: Tensor, frame: Tensor) -> Tensor | None:
    """Return a value of each block for each pixel of a frame, ``(H, W)``, bool; None if no block is set.

    What is left of a block at the right and at the bottom goes with its neighbour.
    """
    if not bool(blocks.any()):
        return None
    height, width = frame.shape[-2:]
    whole = blocks.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
    sides = (0, width - whole.shape[1], 0, height - whole.shape[0])
    return functional.pad(whole[None, None].float(), sides, mode="replicate")[0, 0] > 0
