from collections.abc import Callable

import numpy as np
import pytest

from pipeline.noise import NOISE
from pipeline.synthesis import unclipped

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
