from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from self2align.noise.models import NOISE
from self2align.noise.synthesis import scene_level, second_draw, unclipped

SIDE = 400


@pytest.mark.parametrize(
    ("model", "variance"),
    [
        ("gaussian", lambda x: (25 / 255) ** 2 + 0 * x),
        ("poisson", lambda x: x / 30),
        ("poisson_gaussian", lambda x: x / 30 + (25 / 255) ** 2),
        ("none", lambda x: 0 * x),
    ],
)
def test_mean_and_variance_are_those_of_the_model(model: str, variance: Callable[[float], float]) -> None:
    for level in (0.1, 0.5, 0.9):
        clean = np.full((1, SIDE, SIDE), level, np.float32)
        noisy = NOISE[model](clean, np.random.default_rng(0), 25.0, 30.0)
        assert noisy.dtype == np.float32
        assert noisy.mean() == pytest.approx(level, abs=4 * (variance(level) ** 0.5 + 1e-9) / SIDE + 1e-6)
        assert noisy.var() == pytest.approx(variance(level), rel=0.03, abs=1e-9)


def test_gaussian_noise_is_not_clipped() -> None:
    noisy = NOISE["gaussian"](np.zeros((3, 64, 64), np.float32), np.random.default_rng(0), 25.0, 30.0)
    assert (noisy < 0).mean() == pytest.approx(0.5, abs=0.02)


def test_sixteen_bits_hold_the_noise_with_an_error_far_below_it() -> None:
    coding = unclipped("gaussian", 25.0, 30.0)
    noisy = NOISE["gaussian"](np.full((3, SIDE, SIDE), 0.5, np.float32), np.random.default_rng(1), 25.0, 30.0)
    error = coding.decode(coding.encode(noisy)) - noisy
    assert error.var() < 5e-6 * noisy.var()
    assert abs(float(error.mean())) < 1e-6
    fine = unclipped("poisson", 0.0, 30.0)
    assert fine.scale < 1e-4


def test_scenes_have_levels_of_their_own_evenly_over_the_range() -> None:
    found = np.array([scene_level((5.0, 45.0), 0, f"clips/{number}") for number in range(2000)])
    assert (found.min(), found.max()) == (pytest.approx(5, abs=0.2), pytest.approx(45, abs=0.2))
    np.testing.assert_allclose(np.quantile(found, [0.25, 0.5, 0.75]), [15, 25, 35], atol=2)
    assert scene_level((25.0, 25.0), 0, "clips/3") == 25
    assert scene_level((5.0, 45.0), 0, "clips/3") == found[3]


def test_a_second_draw_has_the_level_of_its_scene() -> None:
    clean, coding = np.full((2, 3, 128, 128), 0.5, np.float32), unclipped("gaussian", 45.0, 30.0)
    how: dict[str, Any] = {"model": "gaussian", "levels": (5.0, 45.0), "peak": 30.0, "seed": 0}
    for title in ("a/1", "a/2", "a/3"):
        noise = coding.decode(second_draw(clean, coding, title, **how)) - clean
        assert 255 * noise.std() == pytest.approx(scene_level((5.0, 45.0), 0, title), rel=0.02)
