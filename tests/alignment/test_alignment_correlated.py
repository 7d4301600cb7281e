"""Noise that neighbouring pixels and channels share: a loss that it cannot lower, and residuals that it explains."""

import functools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from self2align.alignment.confidence import RESIDUAL_BLUR, disagreement, shares
from self2align.alignment.filters import low_pass
from self2align.alignment.losses.split import chessboard, recorrupted, split
from self2align.alignment.residuals import around, high_pass, left_in_residual, left_in_target, typical_deviation
from self2align.alignment.warp import warp
from self2align.noise.drawing import NoiseDrawing
from self2align.noise.profile import NoiseProfile
from self2align.pairs.scores import ssim_filtered

SIZE = 192
DEVIATION = 25 / 255


@functools.cache
def _camera() -> NoiseProfile:
    """Noise as demosaicking and a codec leave it: the next pixel at 0.5, channels at 0.6, the blue one strongest."""
    place = np.arange(-5, 6)
    smooth = np.exp(-0.5 * (np.hypot(place, place[:, None]) / 0.85) ** 2)
    colour = 0.6 + 0.4 * np.eye(3)
    variances = DEVIATION**2 * np.array([1.0, 0.7, 1.6])[:, None] * np.ones(2)
    return NoiseProfile(np.array([0.0, 1.0]), variances, colour[:, :, None, None] * smooth)


def _noise(count: int, seed: int) -> Tensor:
    """Return independent draws, (count, 3, 192, 192)."""
    draw, drawing = np.random.default_rng(seed), NoiseDrawing(_camera(), SIZE, SIZE)
    gray = np.full((3, SIZE, SIZE), 0.5, np.float32)
    return torch.from_numpy(np.stack([drawing(gray, draw) for _ in range(count)]))


def _shared(a: Tensor, b: Tensor, reach: int = 4) -> float:
    """Return the largest correlation of two images at any distance up to the reach, between any channels."""
    a, b = (one[0].mean(0, keepdim=True).sub(one[0].mean()) for one in (a, b))
    inner = a[:, reach:-reach, reach:-reach]
    sizes = range(2 * reach + 1)
    found = [
        float((inner * b[:, y : SIZE - 2 * reach + y, x : SIZE - 2 * reach + x]).mean()) for y in sizes for x in sizes
    ]
    return max(map(abs, found)) / float(a.std() * b.std())


def test_seen_parts_and_judges_share_no_noise_at_any_distance() -> None:
    target, source, *other = 0.5 + _noise(4, 0)
    frames, drawn = (target[None], source[None]), (other[0][None] - 0.5, other[1][None] - 0.5)
    split_apart, halved = recorrupted(*frames, drawn), chessboard(*frames, 0)
    for seen, judge, colour, other_colour in zip(
        split_apart.seen, split_apart.judges, halved.seen, halved.judges, strict=True
    ):
        assert _shared(seen, judge) < 0.06
        assert _shared(colour, other_colour) > 0.6


class _Mover(nn.Module):
    """Moves each pixel to whichever of nine neighbours agrees best in what it is shown, or stands still."""

    def __init__(self, fits: bool) -> None:
        super().__init__()
        self.fits = fits

    def start(self, target: Tensor, source: Tensor) -> None: ...

    def fields(self, target: Tensor, source: Tensor, start: Tensor | None = None) -> list[Tensor]:
        shifts = torch.tensor([(x, y) for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)])
        if not self.fits:
            return [shifts[4].view(1, 2, 1, 1).expand(len(target), 2, *target.shape[-2:])]
        fields = [shift.view(1, 2, 1, 1).expand(len(target), 2, *target.shape[-2:]) for shift in shifts]
        apart = [((warp(source, field) - target) ** 2).mean(1, keepdim=True) for field in fields]
        costs = torch.cat([low_pass(one, 1.5) for one in apart], 1)
        return [shifts[costs.argmin(1)].permute(0, 3, 1, 2)]


@torch.no_grad()
def test_fitting_shared_noise_lowers_the_loss_of_the_chessboard_but_not_of_recorruption() -> None:
    noise = _noise(4, 1)
    frames = {"target": 0.5 + noise[:1], "source": 0.5 + noise[1:2]}
    drawn = {"target_noise": noise[2:3], "source_noise": noise[3:]}

    def gain(batch: dict[str, Tensor]) -> float:
        losses = [
            np.mean([float(split(_Mover(fits), batch, torch.Generator().manual_seed(seed))) for seed in range(6)])
            for fits in (False, True)
        ]
        return float(1 - losses[1] / losses[0])

    assert gain(frames) > 0.05
    assert gain(frames | drawn) < 0


@torch.no_grad()
def test_each_crop_is_judged_by_the_parts_that_belong_to_its_noise() -> None:
    noise = _noise(8, 2)
    plain = {"target": 0.5 + noise[:2], "source": 0.5 + noise[2:4]}
    drawn = plain | {"target_noise": noise[4:6] - 0.5, "source_noise": noise[6:] - 0.5}

    def loss(batch: dict[str, Tensor]) -> float:
        return float(split(_Mover(fits=False), batch, torch.Generator().manual_seed(0)))

    apart = [
        loss({name: one[:1] for name, one in plain.items()}),
        loss({name: one[1:] for name, one in drawn.items()}),
    ]
    assert abs(apart[1] - apart[0]) > 0.1 * apart[0]
    assert loss(drawn | {"white": torch.tensor([1.0, 0.0])}) == pytest.approx(np.mean(apart), rel=1e-5)
    assert loss(drawn | {"white": torch.zeros(2)}) == loss(drawn)


@pytest.mark.parametrize("seed", [0, 1])
def test_shared_noise_explains_its_residual(texture: NDArray[np.float32], seed: int) -> None:
    clean = torch.from_numpy(texture)[None, :, :SIZE, :SIZE]
    first, second = (one[None, :, : clean.shape[-2], : clean.shape[-1]] for one in _noise(2, seed + 2))
    # Aligned frames are sampled at all fractions of a pixel.
    field = torch.rand(1, 2, 1, 1, generator=torch.Generator().manual_seed(seed)) * torch.ones(1, 2, *clean.shape[-2:])
    field += torch.linspace(0, 3, clean.shape[-1])
    target, warped = clean + first, clean + warp(second, field)
    assert float(disagreement(target, warped, _camera()).mean()) == pytest.approx(1, abs=0.15)
    assert float(disagreement(target, warped).mean()) > 2
    assert float(ssim_filtered(warped, target, _camera())) > 0.95
    assert float(ssim_filtered(warped, target)) < 0.9


@pytest.mark.parametrize("channels", [1, 3])
def test_the_constants_of_white_noise_follow_from_its_covariance(channels: int) -> None:
    # Those were measured, these are computed.
    white, known = NoiseProfile.white(channels, 0.0, 1.0), shares(channels, None)

    def sampled(taps: NDArray[np.float64]) -> float:
        return float(np.trace(left_in_residual(white, taps)) / np.trace(left_in_target(white, taps)))

    for blur, _, constant, left in known.scales:
        assert sampled(around(blur)) / sampled(high_pass(RESIDUAL_BLUR)) == pytest.approx(constant, rel=0.03)
        assert np.trace(left_in_target(white, around(blur))) / channels == pytest.approx(left, rel=1e-6)
    assert np.trace(left_in_target(white, high_pass(RESIDUAL_BLUR))) / channels == pytest.approx(known.high, rel=0.03)
    assert typical_deviation(np.eye(channels), together=True) == pytest.approx(known.typical, rel=0.02)
