"""A frame of footage, the frames around it aligned to it, and where they say something about its noise.

Between a target y = x + n and two of its neighbours, one before and one after, aligned as w1 and w2, the product of the
differences ``(y - w1) (y - w2)`` has the expectation of ``n n``: the noise of three frames is independent, whatever
interpolation did to that of the neighbours. What aligns badly adds to it, so places are chosen, without a look at the
target's noise: two neighbours on the same side must agree, on either side (where one side fails, as behind moving
things, the product of its error with the noise of the other is zero on average). What is left grows with the square of
the gradient, which is measured free of noise: as the product of the gradients of two other neighbours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from self2align.alignment.dis import Dis
from self2align.alignment.exposure import compensate_exposure
from self2align.alignment.warp import inside, warp

Values = NDArray[np.float32]
Read = Callable[[int], Values]

DISTANCES = (1, 2, 4, 8)  # frames, to both sides
BLOCK = 8  # px
BLUR = 2.0  # px: of the brightness that sorts places
# px, before frames are aligned. With 2 px DIS fits noise that neighbours share, and takes 7 to 10 % off its variance;
# with 3 px 6 % (docs/decisions/noise.md).
ALIGNED = 3.0
AGREE = (1.5, 3.0)  # px: differences of neighbours are blurred, squared, and blurred again
DOUBT = 2.0  # times the median of places as bright: neighbours that differ by more in their low frequencies disagree
CLASSES = 8  # of brightness, for this median
CLIPPED = 0.5  # of the values of a block at the lowest or highest value: it is black or white, and shows no noise


@dataclass(frozen=True)
class Triple:
    """A target and its neighbours at one distance; blocks are of 8 x 8 px.

    Attributes
    ----------
    before, after
        ``(C, H, W)``: target minus aligned neighbour.
    brightness
        Of the neighbours, low-passed, ``(C, H, W)``.
    texture
        Squared gradient of the scene, ``(C, h, w)``, free of noise on average and so below 0 in places; per px.
    trusted
        Blocks where neighbours agree and values are not mostly cut off, ``(h, w)``, bool.
    length
        Of the motion to the neighbour before, px, ``(H, W)``.
    """

    before: Values
    after: Values
    brightness: Values
    texture: Values
    trusted: NDArray[np.bool_]
    length: Values


@dataclass(frozen=True)
class _Neighbour:
    warped: Values
    shown: NDArray[np.float64]  # (h, w): share of the values of a block that are in the frame, and not at an end
    length: Values


def block_means(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return means over blocks of 8 x 8 px, ``(..., H, W)`` to ``(..., H // 8, W // 8)``; what is left over is cut."""
    rows, columns = values.shape[-2] // BLOCK, values.shape[-1] // BLOCK
    cut = values[..., : rows * BLOCK, : columns * BLOCK]
    return np.asarray(cut.reshape(*values.shape[:-2], rows, BLOCK, columns, BLOCK).mean((-3, -1), dtype=np.float64))


def triples(read: Read, count: int, at: int) -> dict[int, Triple]:
    """Return the triples around a frame, by distance.

    Parameters
    ----------
    read
        Returns a frame by its number, ``(C, H, W)``, white being 1.0.
    count
        Number of frames.
    at
        Number of the target, neither the first nor the last.
    """
    distances = [one for one in DISTANCES if one <= min(at, count - 1 - at)]
    target = read(at)
    flow = Dis(len(target), blur=ALIGNED)
    around = {step: _aligned(target, read(at + step), flow) for one in distances for step in (-one, one)}
    return {one: _triple(target, around, one, distances) for one in distances}


def _triple(target: Values, around: Mapping[int, _Neighbour], one: int, distances: list[int]) -> Triple:
    sides = around[-one].warped, around[one].warped
    brightness = _blurred((sides[0] + sides[1]) / np.float32(2), BLUR)
    # The second frame of each side: not the one whose gradients are taken, if there is a choice.
    second = one // 2 if one > 1 else 2
    if second in distances:
        doubts = [_doubt(sides[at], around[sign * second].warped, brightness) for at, sign in enumerate((-1, 1))]
    else:
        doubts = [_doubt(*sides, brightness)]
    other = 1 if one > 1 else max(distances[:2])
    trusted = np.all([block_means(doubt) < DOUBT for doubt in doubts], 0)
    for step in {-one, one}:
        trusted &= around[step].shown > 1 - CLIPPED
    return Triple(
        before=target - sides[0],
        after=target - sides[1],
        brightness=brightness,
        texture=_texture(around[-other].warped, around[other].warped),
        trusted=trusted,
        length=around[-one].length,
    )


@torch.no_grad()
def _aligned(target: Values, source: Values, flow: Dis) -> _Neighbour:
    first, second = torch.from_numpy(target)[None], torch.from_numpy(source)[None]
    field = flow(first, second)
    warped, _, _ = compensate_exposure(first, warp(second, field, "sinc"))
    ends = ((second == second.amin()) | (second == second.amax())).float().mean(1, keepdim=True)
    shown = warp(1 - ends, field)[0, 0] * inside(field, *source.shape[-2:])[0]
    return _Neighbour(warped[0].numpy(), block_means(shown.numpy()), np.hypot(*field[0].numpy()))


def _blurred(frame: Values, sigma: float) -> Values:
    return np.stack([cv2.GaussianBlur(one, (0, 0), sigma) for one in frame])


def _doubt(first: Values, second: Values, brightness: Values) -> Values:
    """Return by how much two frames differ in low frequencies, relative to the median of places as bright."""
    between, around = AGREE
    apart = cv2.GaussianBlur((_blurred(first - second, between) ** 2).mean(0), (0, 0), around)
    gray = brightness.mean(0)
    place = np.digitize(gray, np.quantile(gray, np.arange(1, CLASSES) / CLASSES))
    usual = np.array([np.median(apart[place == one]) if (place == one).any() else 1.0 for one in range(CLASSES)])
    return np.asarray(apart / np.maximum(usual[place], np.finfo(np.float32).tiny))


def _texture(first: Values, second: Values) -> NDArray[np.float32]:
    parts = []
    for one, other in zip(first, second, strict=True):
        product = sum(cv2.Sobel(one, -1, *axis) * cv2.Sobel(other, -1, *axis) / 64 for axis in ((1, 0), (0, 1)))
        parts.append(block_means(np.asarray(product)))
    return np.stack(parts).astype(np.float32)
