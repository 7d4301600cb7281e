"""What is known of measured noise: its mean over scenes, its record, and what filters leave of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from self2align.noise.drawing import NoiseDrawing
from self2align.noise.profile import NoiseProfile
from self2align.noise.scenes import LEAST_SHARED, SceneNoise


def _blurred(level: float = 0.01, reach: int = 1) -> NoiseProfile:
    """Return noise of two channels, each blurred by a triangle; the channels share a quarter of it."""
    taps = np.convolve(np.ones(reach + 1), np.ones(reach + 1)) / (reach + 1)
    own = np.outer(taps, taps)
    covariance = np.array([[own, own / 4], [own / 4, own]])
    return NoiseProfile(np.array([0.0, 1.0]), np.full((2, 2), level), covariance, along=np.array([0.3]))


def test_a_filter_leaves_what_the_covariance_says() -> None:
    taps = np.full((2, 2), 0.25)
    assert NoiseProfile.white(1, 0.0, 1.0).filtered(taps) == pytest.approx(1 / 4)
    # Of neighbours that correlate at 1/2: (2 + 2 / 2) / 4 each way.
    assert _blurred().filtered(taps) == pytest.approx(0.75**2)


def test_a_covariance_that_is_cut_off_leaves_the_variance_as_it_is() -> None:
    # No noise correlates at 0.9 with its neighbours and not at all with those behind them.
    own = np.full((3, 3), 0.9)
    own[1, 1] = 1.0
    noise = replace(_blurred(), covariance=np.array([[own, own / 4], [own / 4, own]]))
    assert noise.filtered(np.ones((1, 1))) == pytest.approx(1)
    drawn = NoiseDrawing(noise, 96, 96).unit(np.random.default_rng(0))
    assert drawn.var() == pytest.approx(1, rel=0.1)


def test_the_mean_of_scenes_has_the_reach_of_the_widest() -> None:
    mean = NoiseProfile.mean_of([_blurred(0.01), replace(_blurred(0.03, 2), along=np.zeros(0))])
    assert mean.reach == 2
    assert mean.variances == pytest.approx(0.02)
    assert mean.covariance[0, 0, 2, 2] == pytest.approx(1)
    assert mean.covariance[0, 0, 2, 4] == pytest.approx((0 + 1 / 3) / 2)
    assert mean.along.tolist() == [0.15]


def test_noise_is_recorded_and_read_again() -> None:
    noise = _blurred()
    again = NoiseProfile.recorded(noise.record())
    assert again.record() == noise.record()
    assert again.is_shared
    assert not NoiseProfile.white(3, 0.0, 0.1).is_shared
    assert not replace(noise, error=0.9).is_shared
    slight = noise.covariance * 0.1
    slight[:, :, 1, 1] = 1.0  # all channels have the same noise
    assert not replace(noise, covariance=slight).is_shared


@pytest.mark.parametrize(
    ("name", "value"),
    [("levels", None), ("levels", [[0.0]]), ("variances", [[1.0]]), ("covariance", [[1.0, 0.0]]), ("covariance", 1.0),
     ("variances", 1.0), ("variances", [[0.1, -0.1]] * 2), ("levels", [1.0, 0.0]), ("error", float("nan")),
     ("along", ["much"]), ("along", [float("nan")]), ("fixed", []), ("covariance", np.zeros((2, 2, 31, 31)).tolist())],
)  # fmt: skip
def test_a_record_that_is_none_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="noise_profile"):
        NoiseProfile.recorded(_blurred().record() | {name: value})


@pytest.mark.parametrize("dark", [0.0, 0.25, 0.75, 1.0])
def test_the_level_of_a_scene_is_that_of_its_pixels(dark: float) -> None:
    noise = replace(_blurred(), levels=np.array([0.1, 0.9]), variances=np.array([[0.001, 0.009], [0.001, 0.009]]))
    frames = np.full((2, 2, 200, 40), 0.9, np.float32)
    frames[:, :, : int(200 * dark)] = 0.1
    draw = np.random.default_rng(0).normal(0, 0.05, frames.shape).astype(np.float32)
    # By the brightness around a pixel, so its own noise makes no difference.
    found = SceneNoise.of(noise, frames + draw)
    assert found.line == pytest.approx((0, 0.001 * dark + 0.009 * (1 - dark)), rel=0.03)
    assert not found.white
    assert SceneNoise.of(replace(noise, variances=0.001 * noise.variances), frames).read == LEAST_SHARED
