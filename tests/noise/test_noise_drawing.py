"""Draws of noise have the profile's covariance, and the strength that belongs to each brightness."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from self2align.noise.drawing import NoiseDrawing
from self2align.noise.profile import NoiseProfile


def _profile() -> NoiseProfile:
    """Two channels: a diagonal filter in one, a horizontal one that both share in the other."""
    taps = np.zeros((2, 2, 3, 3))  # of channel i, from seed j
    taps[0, 0] = np.diag([0.3, 0.8, 0.3])
    taps[1, 0, 1] = (0.4, 0.5, 0.0)
    taps[1, 1, 1, 1] = 0.7
    taps /= np.sqrt((taps**2).sum((1, 2, 3), keepdims=True))
    response = np.fft.fft2(taps, (16, 16)).transpose(2, 3, 0, 1)
    covariance = np.fft.ifft2((response.conj() @ response.swapaxes(2, 3)).transpose(2, 3, 0, 1)).real
    return NoiseProfile(
        np.array([0.0, 0.5, 1.0]),
        np.array([[0.01, 0.02, 0.05], [0.04, 0.04, 0.04]]),
        np.roll(covariance, (2, 2), (2, 3))[:, :, :5, :5],
    )


def _covariance(noise: NDArray[np.float32], reach: int) -> NDArray[np.float64]:
    """Return the covariance of channel i at a pixel and channel j at another, dy, dx away."""
    _, height, width = noise.shape
    places = range(2 * reach + 1)
    inner = noise[:, reach : height - reach, reach : width - reach]
    shifted = [[noise[:, y : height - 2 * reach + y, x : width - 2 * reach + x] for x in places] for y in places]
    found = np.array([[[[(a * one[c]).mean() for one in row] for row in shifted] for c in (0, 1)] for a in inner])
    return np.asarray(found, np.float64)


@pytest.mark.parametrize("by", ["torus", "filter"])
def test_draws_have_the_covariance_of_the_profile(by: str) -> None:
    profile = _profile()
    if by == "torus":
        noise = NoiseDrawing(profile, 300, 400).unit(np.random.default_rng(0))
    else:
        noise = profile.draw((1, 2, 300, 400), torch.Generator().manual_seed(0))[0].numpy()
    assert noise.shape == (2, 300, 400)
    np.testing.assert_allclose(_covariance(noise, 2), profile.covariance, atol=0.02)
    # The profile tells the channels apart: the other one a pixel to the left is not the one to the right.
    assert abs(profile.covariance[0, 1, 2, 1] - profile.covariance[0, 1, 2, 3]) > 0.2
    # No torus shows within the image.
    assert float((noise[:, :, 0] * noise[:, :, -1]).mean()) == pytest.approx(0, abs=0.15)


def test_draws_are_as_strong_as_the_noise_is_at_each_brightness() -> None:
    image = np.full((2, 200, 300), 0.5, np.float32)
    image[:, :, 150:] = 1.0
    drawing = NoiseDrawing(_profile(), 200, 300)
    noise = drawing(image, np.random.default_rng(1))
    found = [[float(part.var()) for part in (one[:, :140], one[:, 160:])] for one in noise]
    np.testing.assert_allclose(found, [[0.02, 0.05], [0.04, 0.04]], rtol=0.05)
    np.testing.assert_array_equal(noise, drawing(image, np.random.default_rng(1)))
    assert not np.array_equal(noise, drawing(image, np.random.default_rng(2)))
