from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from self2align.evaluation.metrics import psnr
from self2align.images.levels import to_levels
from self2align.methods.self2self import PartialConvolution, PartialUNet, dropped_error, sampled, self2self
from self2align.runtime.workers import exact_threads


def _smooth(channels: int, height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A smooth picture, clean and at sigma 25."""
    draw = np.random.default_rng(0)
    clean = gaussian_filter(draw.standard_normal((channels, height, width)), (0, 5, 5))
    clean = ((clean - clean.min()) / (clean.max() - clean.min())).astype(np.float32)
    return clean, (clean + 25 / 255 * draw.standard_normal(clean.shape)).astype(np.float32)


def _draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def layer() -> PartialConvolution:
    made = PartialConvolution(3, 5)
    with torch.no_grad():
        made.weight.normal_(generator=_draw(1))
        made.bias.normal_(generator=_draw(2))
    return made


def test_a_partial_convolution_where_nothing_is_masked_is_a_plain_one(layer: PartialConvolution) -> None:
    x = torch.randn(2, 3, 9, 12, generator=_draw())
    found, mask = layer(x, torch.ones_like(x))
    plain = functional.conv2d(functional.pad(x, (1, 1, 1, 1), "replicate"), layer.weight, layer.bias)
    torch.testing.assert_close(found, plain)
    assert mask.shape == (2, 1, 9, 12)
    assert mask.min() == 1


def test_a_partial_convolution_does_not_see_what_is_masked(layer: PartialConvolution) -> None:
    x = torch.randn(1, 3, 9, 12, generator=_draw())
    mask = torch.rand(x.shape, generator=_draw(3)).round()
    other = torch.where(mask == 1, x, 1e3 * torch.randn(x.shape, generator=_draw(4)))
    torch.testing.assert_close(layer(x, mask)[0], layer(other, mask)[0], rtol=0, atol=0)


def test_a_partial_convolution_of_a_constant_does_not_depend_on_the_mask() -> None:
    layer = PartialConvolution(1, 1)
    with torch.no_grad():
        layer.weight.fill_(1 / 9)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 2, 3], mask[..., 8:, 8:] = 1, 1
    found, seen = layer(torch.full_like(mask, 0.7), mask)
    # The mean of the present values of 9; without any, the bias alone, which is 0.
    torch.testing.assert_close(found, 0.7 * seen)
    torch.testing.assert_close(seen, functional.max_pool2d(mask, 3, 1, 1))


def test_the_network_sees_nothing_of_a_dropped_value() -> None:
    torch.manual_seed(0)
    network, (_, noisy) = PartialUNet(3, width=6, depth=2), _smooth(3, 16, 16)
    image = torch.from_numpy(noisy)[None]
    mask = torch.rand(image.shape, generator=_draw(3)).round()
    made = [network(values, mask, 0.3, _draw()) for values in (image, image * mask, image + 9 * (1 - mask))]
    torch.testing.assert_close(made[0], made[1], rtol=0, atol=0)
    torch.testing.assert_close(made[0], made[2], rtol=0, atol=0)


def test_the_loss_reads_dropped_values_alone() -> None:
    made, noisy = torch.rand(1, 3, 8, 8, generator=_draw(1)), torch.rand(1, 3, 8, 8, generator=_draw(2))
    kept = torch.rand(made.shape, generator=_draw(3)).round()
    expected = ((made - noisy) ** 2)[kept == 0].mean()
    torch.testing.assert_close(dropped_error(made, noisy, kept), expected)
    torch.testing.assert_close(dropped_error(made + 5 * kept, noisy - 3 * kept, kept), expected)
    assert dropped_error(made, noisy, torch.ones_like(kept)) == 0


def test_the_output_keeps_the_orientation_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """For every flip: an identity network returns the image in its original orientation."""
    network, (_, noisy) = PartialUNet(3, width=3, depth=2), _smooth(3, 13, 18)
    image = torch.from_numpy(noisy)[None]
    sizes, corners = set(), set()

    def hand_on(x: torch.Tensor, mask: torch.Tensor, rate: float, draw: torch.Generator) -> torch.Tensor:
        sizes.add(x.shape)
        corners.add(x[0, 0, 0, 0].item())
        assert mask[..., 13:, :].sum() + mask[..., :, 18:].sum() == 0
        return x * mask

    monkeypatch.setattr(network, "forward", hand_on)
    shares = []
    for seed in range(20):
        made, kept = sampled(network, image, keep=0.7, dropout=0.3, draw=_draw(seed))
        torch.testing.assert_close(made, image * kept, rtol=0, atol=0)
        shares.append(kept.mean().item())
    assert sizes == {(1, 3, 16, 20)}
    assert len(corners) == 4
    assert np.mean(shares) == pytest.approx(0.7, abs=0.02)


@pytest.mark.gpu
def test_a_few_hundred_iterations_reduce_noise() -> None:
    clean, noisy = _smooth(3, 64, 64)
    with exact_threads(1):
        found = self2self(noisy, 0.0, iterations=250, predictions=30, learning_rate=2e-3, width=12, depth=3)
    gained = psnr(to_levels(found), to_levels(clean)) - psnr(to_levels(noisy), to_levels(clean))
    assert gained >= 4


@pytest.mark.parametrize("shape", [(1, 37, 50), (3, 11, 65), (1, 64, 64)])
def test_any_size_and_colour_and_the_same_bytes_for_a_seed(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    _, noisy = _smooth(*shape)
    noisy.flags.writeable = False
    before = torch.get_rng_state()
    with exact_threads(1):
        made = [self2self(noisy, 0.1, iterations=3, predictions=2, width=3, seed=seed) for seed in (0, 0, 1)]
    assert made[0].shape == shape
    assert made[0].dtype == np.float32
    assert made[0].tobytes() == made[1].tobytes()
    assert made[0].tobytes() != made[2].tobytes()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_noise_level_is_not_used() -> None:
    _, noisy = _smooth(1, 32, 32)
    with exact_threads(1):
        one, other = (self2self(noisy, sigma, iterations=3, predictions=1, width=3, depth=2) for sigma in (0.0, 0.3))
    np.testing.assert_array_equal(one, other)


def test_watch_sees_every_result_and_changes_none() -> None:
    _, noisy = _smooth(3, 20, 20)
    seen: list[tuple[int, NDArray[np.float32]]] = []

    def watch(count: int, result: Callable[[], NDArray[np.float32]]) -> None:
        seen.append((count, result().copy()))

    with exact_threads(1):
        watched = self2self(noisy, 0.0, watch, iterations=4, predictions=2, width=3, depth=2)
        alone = self2self(noisy, 0.0, iterations=4, predictions=2, width=3, depth=2)
        early = self2self(noisy, 0.0, iterations=2, predictions=2, width=3, depth=2)
    np.testing.assert_array_equal(watched, alone)
    assert [count for count, _ in seen] == [1, 2, 3, 4]
    np.testing.assert_array_equal(seen[1][1], early)
    np.testing.assert_array_equal(seen[-1][1], watched)
