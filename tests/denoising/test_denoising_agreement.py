"""Between two estimates the one of least error, where that is known in closed form."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from self2align.denoising.agreement import SecondLook, agree

SIGMA = 0.1


def _drawn(seed: int, channels: int = 3) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((channels, 96, 96)).astype(np.float32))


def _look(denoise: Callable[[Tensor], Tensor], alike: bool = False) -> SecondLook:
    return SecondLook(denoise, torch.full((3, 96, 96), SIGMA**2), alike)


def test_between_nothing_and_the_noisy_frame_lies_the_wiener_filter() -> None:
    # The clean frame is white too, of variance S: of the noisy frame S / (S + V) is best.
    clean = 0.2 * _drawn(1)
    noisy = clean + SIGMA * _drawn(2)
    found = agree(noisy, 0 * noisy, noisy, lambda change, _: noisy + change, _look(torch.zeros_like))
    share = float((found * noisy).mean() / noisy.square().mean())
    assert share == pytest.approx(0.04 / (0.04 + 0.01), abs=0.03)


@pytest.mark.parametrize("alike", [False, True])
def test_what_the_frame_contradicts_is_not_taken_and_what_it_confirms_is(alike: bool) -> None:
    clean = torch.linspace(0, 1, 96).expand(3, 96, 96)
    noise = _drawn(3, 1).expand(3, 96, 96) if alike else _drawn(3)
    noisy = clean + SIGMA * noise
    wrong = clean + 0.1 * torch.sin(torch.arange(96) / 3)
    from_truth = agree(noisy, clean, wrong, lambda *_: wrong, _look(lambda _: clean, alike))
    to_truth = agree(noisy, wrong, clean, lambda *_: clean, _look(lambda _: wrong, alike))
    apart = float((wrong - clean).square().mean())
    assert float((from_truth - clean).square().mean()) < 0.02 * apart
    assert float((to_truth - clean).square().mean()) < 0.06 * apart


@pytest.mark.parametrize("alike", [False, True])
def test_an_estimate_that_is_closer_to_the_noise_is_no_better_for_it(alike: bool) -> None:
    # It agrees better with the noisy frame than the truth does, but only because it holds its noise.
    clean = torch.full((3, 96, 96), 0.5)
    noisy = clean + SIGMA * (_drawn(4, 1).expand(3, 96, 96) if alike else _drawn(4))
    found = agree(noisy, clean, noisy, lambda change, _: noisy + change, _look(lambda _: clean, alike))
    assert float((found - clean).square().mean()) < 0.01 * SIGMA**2


def test_where_both_estimates_are_one_it_stays() -> None:
    same = 0.5 + SIGMA * _drawn(5)
    assert torch.equal(agree(same, same, same, lambda *_: same, _look(lambda _: same)), same)


def test_what_may_be_chance_is_hardly_taken() -> None:
    # A difference so small that the share is found within 1: of a normal deviate cut to 0 to 1 the mean is 0.32, of one
    # less its standard error 0.08.
    clean = torch.full((3, 96, 96), 0.5)
    noisy = clean + SIGMA * _drawn(6)
    change = SIGMA / (3 * 25**2) ** 0.5 * _drawn(7).sign()
    found = agree(noisy, clean, clean + change, lambda *_: clean + change, _look(lambda _: clean))
    assert float(((found - clean) / change).mean()) < 0.15
