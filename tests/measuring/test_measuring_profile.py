"""The noise of moving scenes is found as it was made."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.measuring.covariance import covariance
from self2align.measuring.profile import measure_profile
from self2align.measuring.triples import Triple
from self2align.measuring.variances import Curve
from self2align.noise.profile import NoiseProfile

COUNT, HEIGHT, WIDTH, SPEED = 11, 152, 184, 2
Values = NDArray[np.float32]


def scene(rng: np.random.Generator, channels: int) -> Values:
    """Return a pattern of many scales, wider than a frame, ``(C, H, W + ...)``, from 0.2 to 0.8."""
    size = (channels, HEIGHT, WIDTH + COUNT * SPEED)
    drawn = rng.standard_normal(size, np.float32)
    whole = sum(np.stack([scale * cv2.GaussianBlur(one, (0, 0), scale) for one in drawn]) for scale in (3, 8, 24))
    low, high = np.quantile(whole, (0.01, 0.99))
    return np.asarray(0.2 + 0.6 * np.clip((whole - low) / (high - low), 0, 1), np.float32)


def passing(whole: Values, noise: Values) -> Values:
    """Return frames of a camera that moves by two pixels a frame, ``(T, C, H, W)``."""
    frames = [whole[..., at * SPEED : at * SPEED + WIDTH] for at in range(COUNT)]
    return np.stack(frames) + noise


def smoothed(noise: Values) -> Values:
    """Return noise whose neighbours correlate at 0.5 in a row, and 0.5 between the first and the second channel."""
    across = (noise + np.roll(noise, 1, -1)) / np.float32(2**0.5)
    across[:, 1] = (across[:, 0] + 3**0.5 * across[:, 1]) / 2
    return across


def test_noise_that_pixels_and_channels_share_and_that_depends_on_brightness_is_found() -> None:
    rng = np.random.default_rng(3)
    whole = scene(rng, 3)
    clean = passing(whole, np.zeros((COUNT, 3, HEIGHT, WIDTH), np.float32))
    noise = smoothed(rng.standard_normal(clean.shape, np.float32))
    frames = clean + np.sqrt(0.002 * clean) * noise
    found = measure_profile(frames.__getitem__, COUNT, targets=3)
    middle = [np.interp(0.5, found.levels, one) for one in found.variances]
    dark = [np.interp(0.3, found.levels, one) for one in found.variances]
    assert middle == pytest.approx([0.001] * 3, rel=0.1)
    assert dark == pytest.approx([0.0006] * 3, rel=0.15)
    centre = found.reach
    assert found.covariance[0, 0, centre, centre + 1] == pytest.approx(0.5, abs=0.04)
    assert found.covariance[0, 0, centre + 1, centre] == pytest.approx(0, abs=0.04)
    assert found.covariance[0, 1, centre, centre] == pytest.approx(0.5, abs=0.04)
    assert found.covariance[0, 2, centre, centre] == pytest.approx(0, abs=0.04)
    assert found.rows == pytest.approx(0, abs=0.01)
    assert not found.along.size


@pytest.mark.parametrize("sigma", [10, 25])
def test_white_noise_is_exactly_white(sigma: float) -> None:
    rng = np.random.default_rng(4)
    whole = scene(rng, 1)
    noise = np.float32(sigma / 255) * rng.standard_normal((COUNT, 1, HEIGHT, WIDTH), np.float32)
    found = measure_profile(passing(whole, noise).__getitem__, COUNT, targets=3)
    assert found.is_white
    assert 255 * np.sqrt(found.variances.mean()) == pytest.approx(sigma, rel=0.03)
    assert found.error < 0.1


def test_what_a_codec_carries_along_the_motion_is_no_less_noise() -> None:
    rng = np.random.default_rng(5)
    whole = scene(rng, 1)
    # Noise that moves with the scene, half of which is replaced from frame to frame.
    drawn = rng.standard_normal((COUNT, *whole.shape), np.float32)
    for at in range(1, COUNT):
        drawn[at] = np.sqrt(0.5) * drawn[at - 1] + np.sqrt(0.5) * drawn[at]
    noise = np.stack([one[..., at * SPEED : at * SPEED + WIDTH] for at, one in enumerate(drawn)])
    frames = passing(whole, np.float32(15 / 255) * noise)
    found = measure_profile(frames.__getitem__, COUNT, targets=3)
    assert 255 * np.sqrt(found.variances.mean()) == pytest.approx(15, rel=0.12)  # off by 1 to 10 %, by the draw
    assert found.least
    assert found.along[:2] == pytest.approx([0.71, 0.5], abs=0.12)


def test_rows_that_share_noise_are_told_from_noise_that_neighbours_share() -> None:
    rng = np.random.default_rng(6)
    whole = scene(rng, 1)
    noise = rng.standard_normal((COUNT, 1, HEIGHT, WIDTH), np.float32)
    rows = rng.standard_normal((COUNT, 1, HEIGHT, 1), np.float32)
    frames = passing(whole, np.float32(15 / 255) * (np.sqrt(0.7) * noise + np.sqrt(0.3) * rows))
    found = measure_profile(frames.__getitem__, COUNT, targets=3)
    assert found.rows == pytest.approx(0.3, abs=0.08)
    assert found.covariance[0, 0, found.reach, found.reach + 1] == pytest.approx(0.3, abs=0.06)
    assert found.covariance[0, 0, found.reach + 1, found.reach] == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize("size", [(8, 8), (8, 64), (64, 8)])
def test_of_frames_that_are_too_small_nothing_is_known(size: tuple[int, int]) -> None:
    frames = np.random.default_rng(7).standard_normal((COUNT, 3, *size)).astype(np.float32)
    found = measure_profile(frames.__getitem__, COUNT)
    assert (found.variances == 0).all()
    assert found.error == 1
    assert not found.is_shared


@pytest.mark.parametrize(("held", "known"), [(1.0, True), (0.1, False), (-1.0, False)])
def test_where_products_do_not_hold_the_variance_nothing_is_said(held: float, known: bool) -> None:
    noise = 0.1 * np.random.default_rng(3).standard_normal((1, 64, 64), np.float32)
    flat, blocks = np.full((1, 64, 64), 0.5, np.float32), np.ones((8, 8), bool)
    one = Triple(noise, np.float32(held) * noise, flat, np.zeros((1, 8, 8), np.float32), blocks, flat[0])
    curve = Curve(np.array([0.0, 1.0]), np.full((1, 2), 0.01), np.zeros(1), 0.0)
    assert (covariance([one], [blocks], curve) is not None) is known


@pytest.mark.parametrize("moved", [True, False], ids=["between pixels", "whole pixels"])
@pytest.mark.parametrize(("channels", "side"), [(3, 64), (1, 96)])
def test_white_noise_of_few_pixels_is_exactly_white(channels: int, side: int, moved: bool) -> None:
    curve = Curve(np.array([0.0, 1.0]), np.ones((channels, 2)), np.zeros(channels), 0.0)
    places = np.ones((side // 8, side // 8), bool)
    rng = np.random.default_rng(7)
    for shared in (False, True):
        for _ in range(12):
            noise = rng.standard_normal((3, channels, side, side), np.float32)
            if moved:  # neighbours are sampled between four pixels, which averages their noise
                noise[1:] = sum(np.roll(noise[1:], by, (-2, -1)) for by in ((0, 0), (0, 1), (1, 0), (1, 1))) / 4
            if shared:
                noise[0] = (noise[0] + 0.3 * np.roll(noise[0], 1, -1)) / np.float32(np.hypot(1, 0.3))
            sides = noise[0] - noise[1:]
            still = np.zeros((side, side), np.float32)
            triple = Triple(sides[0], sides[1], np.full_like(noise[0], 0.5), still[None, :1, :1], places, still)
            found = covariance([triple], [places], curve)
            assert found is not None
            assert (found[0].shape[-1] == 1 and np.array_equal(found[0][..., 0, 0], np.eye(channels))) != shared


def test_of_noise_that_is_independent_in_time_nothing_is_carried_by_chance() -> None:
    rng = np.random.default_rng(2)  # one of the draws where some of it seems to be carried, within its error
    drawn = rng.standard_normal((3, 112, 130)).astype(np.float32)
    whole = np.stack([0.3 * cv2.GaussianBlur(one, (0, 0), 4) + 0.5 for one in drawn])
    noise = rng.standard_normal((9, 3, 112, 112)).astype(np.float32)
    noise = np.stack([cv2.GaussianBlur(one.transpose(1, 2, 0), (0, 0), 0.9).transpose(2, 0, 1) for one in noise])
    noise *= 0.06 / noise.std((1, 2, 3), keepdims=True)
    frames = np.stack([whole[..., 2 * at : 2 * at + 112] + one for at, one in enumerate(noise)])
    found = measure_profile(frames.__getitem__, 9)
    assert not found.along.size
    assert found.variances.mean() == pytest.approx(0.06**2, rel=0.1)


@pytest.mark.parametrize(("common", "least"), [(0.2, False), (0.65, True)])
def test_noise_as_a_codec_leaves_it_is_said_to_be_more_than_what_is_found(common: float, least: bool) -> None:
    rng = np.random.default_rng(9)
    drawn = rng.standard_normal((COUNT, 4, HEIGHT, WIDTH), np.float32)
    noise: Values = np.float32(common**0.5) * drawn[:, 3:] + np.float32((1 - common) ** 0.5) * drawn[:, :3]
    noise = np.asarray((noise + np.roll(noise, 1, -1)) / np.float32(2**0.5), np.float32)
    frames = passing(scene(rng, 3), np.asarray(12 / 255 * noise, np.float32))
    found = measure_profile(frames.__getitem__, COUNT, targets=3)
    assert found.least is least
    assert found.is_relied
    assert found.is_shared
    assert (found.error >= 0.5) is least
    assert NoiseProfile.recorded(found.record()).least is least
