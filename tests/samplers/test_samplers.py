import numpy as np
import pytest
import torch

from self2align.samplers.sampler import bernoulli, keep_probabilities

SCORES = np.array([-0.3, 0.0, 0.2, 0.5, 0.51, 1.0], np.float32)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("adaptive", [0, 0, 0.2, 0.5, 1, 1]),  # equation 7
        ("ssim", [0, 0, 0.2, 0.5, 0.51, 1]),
        ("fixed", [0.5] * 6),
        ("none", [1] * 6),
    ],
)
def test_strategies_are_the_papers(strategy: str, expected: list[float]) -> None:
    np.testing.assert_allclose(keep_probabilities(strategy, SCORES, 0.5), expected, atol=1e-7)


def test_an_unknown_strategy_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"sampler\.strategy: found 'best', expected one of adaptive, adaptive_map"):
        keep_probabilities("best", SCORES, 0.5)


def test_the_sampler_keeps_whole_pixels_with_the_given_probability() -> None:
    image = torch.ones(3, 3, 200, 200)
    sampled = bernoulli(image, torch.tensor([0.0, 0.3, 1.0]), torch.Generator().manual_seed(0))
    kept = (sampled != 0).float()
    assert torch.equal(kept[:, 0], kept[:, 1])
    assert torch.equal(kept[:, 0], kept[:, 2])
    deviation = 4 * (0.3 * 0.7 / 200**2) ** 0.5
    assert kept.mean((1, 2, 3)).tolist() == pytest.approx([0, 0.3, 1], abs=deviation)
    assert set(sampled.flatten().tolist()) == {0.0, 1.0}


def test_a_map_gives_each_pixel_its_own_probability() -> None:
    keep = torch.zeros(1, 100, 100)
    keep[:, :, 50:] = 1
    sampled = bernoulli(torch.ones(1, 2, 100, 100), keep, torch.Generator())
    assert float(sampled[..., :50].sum()) == 0
    assert float(sampled[..., 50:].mean()) == 1


def test_the_same_generator_drops_the_same_pixels() -> None:
    image, keep = torch.rand(2, 3, 32, 32), torch.tensor([0.5, 0.5])
    draws = [bernoulli(image, keep, torch.Generator().manual_seed(4)) for _ in range(2)]
    assert torch.equal(*draws)
