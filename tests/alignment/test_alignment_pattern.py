"""A fixed pattern that moving frames share is found, and none where there is none."""

import weakref

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.alignment.halves import chance_in_common
from self2align.alignment.pattern import Estimated, _with_neighbours, estimate_pattern

COUNT, SIZE, SIGMA = 20, (48, 56), 0.04
GAIN = 2.0  # by which the pattern falls with brightness: 1.4 where it is 0.3, 0.6 where it is 0.7
Values = NDArray[np.float32]


class _Known:
    """The true motion of frames that a window shows of a larger picture: the place of each is in its corner."""

    def __call__(self, target: Tensor, source: Tensor) -> Tensor:
        places = [frame[:, 0, 0, :2] for frame in (target, source)]
        moved = (places[0] - places[1]).mul(1000).round()
        return moved[:, :, None, None].expand(-1, 2, *target.shape[-2:]).clone()


def _frames(pattern: Values, step: int, seed: int = 0) -> list[Values]:
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:300, :300] / 9
    picture = 0.5 + 0.2 * np.sin(rows) * np.cos(columns)
    frames = []
    for number in range(COUNT):
        # Under an even pan frequencies that repeat with it could not be told from the scene.
        x, y = step * (number + number // 2 % 3), step * (3 * number % 7)
        scene = picture[y : y + SIZE[0], x : x + SIZE[1]]
        frame = scene + (1 + GAIN * (0.5 - scene)) * pattern + SIGMA * generator.standard_normal(SIZE)
        frame[0, :2] = x / 1000, y / 1000
        frames.append(frame[None].astype(np.float32))
    return frames


def _estimate(pattern: Values, step: int = 3) -> Estimated:
    frames = _frames(pattern, step)
    return estimate_pattern([(lambda number: frames[number], COUNT)], _Known())


def _parts() -> list[Values]:
    """Return patterns of rows, of columns and of single pixels."""
    generator = np.random.default_rng(1)
    shapes = ((SIZE[0], 1), (1, SIZE[1]), SIZE)
    return [np.broadcast_to(0.03 * generator.standard_normal(shape), SIZE).astype(np.float32) for shape in shapes]


def test_patterns_are_removed_up_to_the_noise_of_their_estimate() -> None:
    parts = _parts()
    pattern = sum(parts, np.zeros(SIZE, np.float32))
    found = _estimate(pattern)
    np.testing.assert_allclose(found.sigma, [part.std() for part in parts], rtol=0.2)
    np.testing.assert_allclose(found.gains, 1 + GAIN * (0.5 - found.levels), atol=0.15)
    left = pattern - pattern.mean() - found.values[0]
    # Of rows and columns the mean over the frame counts; that of the single pixels is a part of them.
    for axis in (1, 0):
        assert left.mean(axis).var() < 0.2 * pattern.mean(axis).var()
    left, pixels = (one - one.mean(0) - one.mean(1, keepdims=True) for one in (left, pattern))
    removed = 1 - left.var() / pixels.var()
    assert removed > 0.55
    assert removed == pytest.approx(found.kept[2], abs=0.1)  # which is what it says of itself


def test_noise_alone_has_no_pattern() -> None:
    found = _estimate(np.zeros(SIZE, np.float32))
    assert not found.found
    assert not found.values.any()


def test_scene_and_pattern_are_not_told_apart_where_nothing_moves() -> None:
    with pytest.raises(ValueError, match=r"found 0\.0 px between frames 4 apart, expected at least 2"):
        _estimate(_parts()[2], step=0)


def test_few_frames_are_refused() -> None:
    frames = torch.rand(5, 1, *SIZE).numpy()
    with pytest.raises(ValueError, match="frames: found 5, expected at least 8"):
        estimate_pattern([(lambda number: frames[number], 5)], _Known())


@pytest.mark.parametrize("shape", [(3, 48, 40), (1, 96, 1), (3, 1, 80)], ids=["pixels", "rows", "columns"])
@pytest.mark.parametrize("shared", [False, True])
def test_chance_follows_from_what_pixels_share_of_the_noise(shape: tuple[int, int, int], shared: bool) -> None:
    generator = torch.Generator().manual_seed(0)

    def noise() -> Tensor:
        drawn = torch.randn(shape, generator=generator)
        if shared:  # by all channels, and by next pixels; and twice as strong in one half
            drawn = 0.5 * drawn + drawn.mean(0, keepdim=True)
            drawn = sum((drawn.roll(by, axis) for axis in (1, 2) for by in (-1, 1)), drawn)
            drawn[:, : shape[1] // 2, : max(1, shape[2] // 2)] *= 2
        return drawn - drawn.mean()

    found = []
    for _ in range(100):
        first, second = noise(), noise()
        found.append(float((first * second).mean()) / chance_in_common(first, second))
    assert float(np.std(found)) == pytest.approx(1, abs=0.2)


def test_few_frames_are_held_however_far_apart_neighbours_are() -> None:
    frames = _frames(_parts()[2], 3)
    alive: set[int] = set()
    most = 0

    def read(number: int) -> Values:
        nonlocal most
        frame = frames[number].copy()
        weakref.finalize(frame, alive.discard, number)
        alive.add(number)
        most = max(most, len(alive))
        return frame

    seen = []
    for _, neighbours in _with_neighbours(read, range(18), 3, _Known()):
        seen.append(len(neighbours))
    assert sorted(seen) == [2] * 6 + [3] * 6 + [4] * 6
    assert most <= 6
