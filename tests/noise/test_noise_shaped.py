"""The level of noise of a known covariance is found on one frame."""

import cv2
import numpy as np
import pytest
import torch

from self2align.noise.estimation.shaped import level_of_shape, wave_power
from self2align.noise.profile import NoiseProfile


def blurred(channels: int) -> NoiseProfile:
    """Return noise whose neighbours correlate at 0.5, with channels that share a quarter."""
    line = np.array([0.5, 1, 0.5])
    each = np.full((channels, channels), 0.25) + 0.75 * np.eye(channels)
    return NoiseProfile(
        np.array([0.0, 1.0]), np.full((channels, 2), 0.01), each[..., None, None] * np.outer(line, line)
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [5, 25])
def test_the_level_is_found_where_texture_is(channels: int, sigma: float) -> None:
    profile = blurred(channels)
    noise = profile.draw((1, channels, 192, 256), torch.Generator().manual_seed(1))[0].numpy()
    texture = cv2.GaussianBlur(np.random.default_rng(2).standard_normal((192, 256)).astype(np.float32), (0, 0), 6)
    frame = np.asarray(0.5 + texture + sigma / 255 * noise, np.float32)
    assert 255 * level_of_shape(frame, profile) == pytest.approx(sigma, rel=0.05)


def test_white_noise_has_the_same_power_in_all_waves() -> None:
    assert wave_power(NoiseProfile.white(1, 0.0, 1.0)) == pytest.approx(np.ones((1, 1, 8, 8)))
