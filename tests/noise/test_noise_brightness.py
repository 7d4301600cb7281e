"""Single frames whose noise grows with brightness, of known truth: bright spots on a dark ground, as in microscopes."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from self2align.denoising.levels import frame_noise
from self2align.noise.estimation.estimate import estimate_noise

Frames = NDArray[np.float32]
SIDE = 192


def cells(seed: int = 0, spots: int = 40) -> NDArray[np.float64]:
    """Smooth spots from 0.08 to 1 over a tenth of a dark frame, ``(1, 1, 192, 192)``."""
    draw = np.random.default_rng(seed)
    points = np.zeros((SIDE, SIDE))
    points[draw.integers(8, SIDE - 8, spots), draw.integers(8, SIDE - 8, spots)] = draw.uniform(0.2, 1, spots)
    glow = gaussian_filter(points, 6)
    return np.asarray(0.08 + 0.92 * glow / glow.max())[None, None]


def photons(clean: NDArray[np.float64], gain: float, read: float = 0.0) -> Frames:
    """A frame of variance ``gain x + read`` at x, of 16 bits."""
    draw = np.random.default_rng(1)
    noisy = draw.poisson(clean / gain) * gain + read**0.5 * draw.standard_normal(clean.shape)
    return np.asarray(np.rint(65535 * noisy) / 65535, np.float32)


@pytest.mark.parametrize(("gain", "read", "black"), [(0.01, 0.0, 0.0), (0.02, 1e-4, 0.0), (0.008, 0.0, 0.2)])
def test_what_grows_with_brightness_is_not_taken_for_texture(gain: float, read: float, black: float) -> None:
    clean = cells()
    frame = photons(clean, gain, read) + np.float32(black)
    found = estimate_noise(frame)
    assert found.sigma == pytest.approx(float(np.sqrt((gain * clean + read).mean())), rel=0.05)
    assert found.gain == pytest.approx(gain, rel=0.12)
    assert found.error < 0.05
    values = np.array([0.05, 0.6], np.float32)
    np.testing.assert_allclose(found.variance(values + np.float32(black)), gain * values + read, rtol=0.15)


def test_spots_of_little_growth_have_a_line_too() -> None:
    """A variance of 0.8 to 1.2 of the mean: told as one level, a network leaves noise in the bright half."""
    ramp = np.linspace(0.4, 0.6, SIDE) * np.ones((1, 1, SIDE, 1))
    (gain, read), *_ = frame_noise(photons(ramp, 0.02)[0]).lines
    assert gain * 0.5 + read == pytest.approx(0.01, rel=0.05)
    assert gain == pytest.approx(0.02, rel=0.4)


@pytest.mark.parametrize(("sigma", "near"), [(5.0, 0.3), (25.0, 0.05)])
def test_texture_in_the_light_is_no_noise_that_grows(sigma: float, near: float) -> None:
    draw = np.random.default_rng(2)
    clean = cells()
    texture = gaussian_filter(draw.standard_normal(clean.shape[2:]), 0.8)
    clean = clean * (1 + 0.8 * texture)
    frame = np.asarray(clean + sigma / 255 * draw.standard_normal(clean.shape), np.float32)
    found = estimate_noise(frame)
    assert 255 * found.sigma == pytest.approx(sigma, rel=near)
    assert found.line(frame)[0] == 0.0


def test_white_noise_has_no_line() -> None:
    noise = np.random.default_rng(3).standard_normal((1, 1, SIDE, SIDE))
    frame = np.asarray(cells() + 15 / 255 * noise, np.float32)
    found = estimate_noise(frame)
    assert 255 * found.sigma == pytest.approx(15, rel=0.04)
    assert found.line(frame)[0] == 0.0
