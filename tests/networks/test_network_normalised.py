"""Networks that see noise of one level: the result follows every scale and offset, and no area changes its colour."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from self2align.networks import NETWORKS
from self2align.networks.normalised import (
    LEVEL,
    MEAN_SIGMA,
    Normalised,
    local_mean,
    mean_sigma,
    noise_level,
    normal,
    without_cast,
    without_detail,
)
from tests.networks.small import small_network


def _draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _one(value: float) -> Tensor:
    return torch.full((1, 1, 1, 1), value)


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_the_result_follows_scale_and_offset(name: str) -> None:
    torch.manual_seed(0)
    network = Normalised(small_network(name, 3)).eval()
    for values in network.parameters():
        values.add_(0.05 * torch.randn_like(values))
    noisy = torch.linspace(0, 1, 64).expand(1, 3, 64, 64) + 0.1 * _draw(1, 3, 64, 64)
    offsets = torch.tensor([-3.0, 0.0, 520.0])[None, :, None, None]
    plain, moved = network(noisy, _one(0.1)), network(37 * noisy + offsets, _one(3.7))
    assert float((plain - noisy).abs().max()) > 0.01
    torch.testing.assert_close((moved - offsets) / 37, plain, atol=2e-4, rtol=0)


def test_the_network_sees_one_level_and_no_mean() -> None:
    ramp = torch.linspace(400, 500, 256).expand(1, 1, 256, 256)
    level = torch.linspace(5, 50, 256).expand(1, 1, 256, 256)
    seen = normal(ramp + level * _draw(1, 1, 256, 256), level)
    for part in seen.images.chunk(4, 3):
        assert float(part[..., 16:48].std()) == pytest.approx(LEVEL, rel=0.12)
        assert abs(float(part.mean())) < 0.2 * LEVEL
    torch.testing.assert_close(seen.undo(seen.images), ramp + level * _draw(1, 1, 256, 256), atol=1e-3, rtol=0)


def test_a_map_of_one_value_is_that_value() -> None:
    torch.manual_seed(0)
    network = Normalised(small_network("unet", 1)).eval()
    noisy = _draw(2, 1, 32, 32)
    torch.testing.assert_close(network(noisy, _one(0.3)), network(noisy, torch.full((2, 1, 32, 32), 0.3)))


@pytest.mark.parametrize("size", [(7, 100), (16, 16), (65, 47)])
def test_the_local_mean_of_a_constant_is_the_constant(size: tuple[int, int]) -> None:
    torch.testing.assert_close(local_mean(torch.full((1, 2, *size), 520.0)), torch.full((1, 2, *size), 520.0))


def test_the_local_mean_of_white_noise_is_as_small_as_stated() -> None:
    found = float(local_mean(_draw(1, 1, 1024, 1024)).std())
    assert 0.7 * MEAN_SIGMA < found < 1.05 * MEAN_SIGMA
    noise = torch.randn((400, 1, 80, 64), generator=torch.Generator().manual_seed(1))
    spread = local_mean(noise).std(0)[0]
    assert bool((spread < 1.15 * mean_sigma(noise)[0, 0]).all()), "at the edges too"


@pytest.mark.parametrize("cast", [0.5, 8.0, 100.0])
def test_a_cast_is_given_back(cast: float) -> None:
    clean = torch.linspace(0, 255, 320).expand(1, 3, 320, 320)
    noisy = clean + 10 * _draw(1, 3, 320, 320)
    wrong = clean + torch.tensor([cast, 0.0, -cast])[None, :, None, None]
    mended = without_cast(noisy, wrong, _one(10.0))
    areas = nn.functional.avg_pool2d(noisy - mended, 64)
    assert float(areas.abs().max()) < 4 * 10 / 64


def test_what_is_only_noise_stays_taken_off() -> None:
    clean = torch.linspace(0, 255, 320).expand(1, 3, 320, 320)
    noisy = clean + 10 * _draw(1, 3, 320, 320)
    change = without_cast(noisy, clean.clone(), _one(10.0)) - clean
    assert float(change.abs().max()) < 1.0
    assert float(change.square().mean()) < 0.01


def test_where_detail_is_taken_off_the_result_is_better_than_either() -> None:
    detail = 12 * torch.randn((1, 3, 256, 256), generator=torch.Generator().manual_seed(3))
    detail[..., :128] = 0
    noise = 10 * _draw(1, 3, 256, 256)
    noisy = 100 + detail + noise
    flat = torch.full_like(noisy, 100.0)  # the network takes off all that it sees
    found = without_detail(noisy, flat, _one(10.0))
    left, right = (found - 100 - detail)[..., 16:112], (found - 100 - detail)[..., 144:240]
    assert float(right.square().mean()) == pytest.approx(100 * 144 / 244, rel=0.06)
    assert float(left.square().mean()) < 1


def test_noise_that_grows_with_brightness_has_a_level_at_each_pixel() -> None:
    ramp = torch.linspace(0, 1, 256).expand(1, 3, 64, 256)
    level = noise_level(ramp, torch.tensor([0.04]), torch.tensor([0.0001]))
    expected = np.sqrt(0.04 * np.linspace(0, 1, 256) + 0.0001)
    np.testing.assert_allclose(level[0, 0, 32, 8:-8].numpy(), expected[8:-8], rtol=0.02)
    assert noise_level(ramp, torch.tensor([0.0]), torch.tensor([0.04])).shape == (1, 1, 1, 1)
    assert float(noise_level(ramp, torch.tensor([0.0]), torch.tensor([0.0]))) > 0
