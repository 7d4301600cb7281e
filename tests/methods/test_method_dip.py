from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from self2align.evaluation.metrics import psnr
from self2align.images.levels import to_levels
from self2align.methods import METHODS
from self2align.methods.dip import dip, hourglass
from self2align.methods.method import load_method
from self2align.runtime.workers import exact_threads


def _smooth(channels: int, height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A smooth picture, clean and at sigma 25."""
    draw = np.random.default_rng(0)
    clean = gaussian_filter(draw.standard_normal((channels, height, width)), (0, 5, 5))
    clean = ((clean - clean.min()) / (clean.max() - clean.min())).astype(np.float32)
    return clean, (clean + 25 / 255 * draw.standard_normal(clean.shape)).astype(np.float32)


def test_the_network_is_the_authors() -> None:
    # What their notebook prints for 32 channels in, 3 out, 5 sizes of 128, 4 across.
    network = hourglass(32, 3, width=128, across=4, scales=5)
    assert sum(weight.numel() for weight in network.parameters()) == 2_217_831


@pytest.mark.gpu
def test_a_few_hundred_iterations_reduce_noise() -> None:
    clean, noisy = _smooth(3, 64, 64)
    with exact_threads(1):
        found = dip(noisy, 0.0, iterations=250, width=16, scales=3)
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
        made = [dip(noisy, 0.1, iterations=3, width=4, scales=5, seed=seed) for seed in (0, 0, 1)]
    assert made[0].shape == shape
    assert made[0].dtype == np.float32
    assert made[0].tobytes() == made[1].tobytes()
    assert made[0].tobytes() != made[2].tobytes()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_noise_level_is_not_used() -> None:
    _, noisy = _smooth(1, 32, 32)
    with exact_threads(1):
        one, other = (dip(noisy, sigma, iterations=3, width=4, scales=2) for sigma in (0.0, 0.3))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("leap", [4.0, float("nan")])
def test_an_iteration_whose_loss_leaps_is_reverted(monkeypatch: pytest.MonkeyPatch, leap: float) -> None:
    losses: list[float] = []
    measured = functional.mse_loss

    def watched(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        loss = measured(made, wanted)
        losses.append(loss.item())
        return loss * leap if len(losses) == 10 else loss

    monkeypatch.setattr(functional, "mse_loss", watched)
    _, noisy = _smooth(1, 32, 32)
    with exact_threads(1):
        dip(noisy, 0.0, iterations=12, width=4, scales=2, jitter=0.0)
    # Without jitter, the restored weights give the same loss as before.
    assert losses[10] == pytest.approx(losses[8], rel=1e-5)
    assert losses[11] < losses[10]


def test_watch_sees_every_result_and_changes_none() -> None:
    _, noisy = _smooth(3, 20, 20)
    seen: list[tuple[int, NDArray[np.float32]]] = []

    def watch(count: int, result: Callable[[], NDArray[np.float32]]) -> None:
        seen.append((count, result().copy()))

    with exact_threads(1):
        watched = dip(noisy, 0.0, watch, iterations=4, width=4, scales=2)
        alone = dip(noisy, 0.0, iterations=4, width=4, scales=2)
        early = dip(noisy, 0.0, iterations=2, width=4, scales=2)
    np.testing.assert_array_equal(watched, alone)
    assert [count for count, _ in seen] == [1, 2, 3, 4]
    np.testing.assert_array_equal(seen[1][1], early)
    np.testing.assert_array_equal(seen[-1][1], watched)


def test_the_methods_that_run_on_a_gpu() -> None:
    on_device = {name for name in METHODS if load_method(name).on_device}
    assert on_device == {"dip", "self2self"}
