import numpy as np
import pytest

from self2align.noise.estimation.censoring import clipped_moments


@pytest.mark.parametrize(("low", "high"), [(False, False), (True, False), (False, True), (True, True)])
def test_moments_are_those_of_clipped_draws(low: bool, high: bool) -> None:
    x = np.array([-0.2, 0.0, 0.5, 1.1])
    draws = x + 0.3 * np.random.default_rng(0).standard_normal((400_000, 4))
    clipped = draws.clip(0 if low else -np.inf, 1 if high else np.inf)
    mean, variance = clipped_moments(x, 0.3, low, high)
    np.testing.assert_allclose(mean, clipped.mean(0), atol=2e-3)
    np.testing.assert_allclose(variance, clipped.var(0), atol=5e-4)


def test_half_of_a_normal_distribution_at_black_has_the_moments_of_the_closed_form() -> None:
    mean, variance = clipped_moments(np.zeros(1), 1e-3, low=True, high=False)
    assert mean[0] == pytest.approx(1e-3 / np.sqrt(2 * np.pi))
    assert variance[0] == pytest.approx(1e-6 * (0.5 - 1 / (2 * np.pi)))
