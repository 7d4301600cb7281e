"""Measures without clean frames, on frames whose clean content is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from self2align.evaluation.without_truth import (
    Measured,
    flat_noise,
    gain,
    kept_brightness,
    removed_structure,
    unsupervised_mse,
)

Frames = NDArray[np.float32]
SHAPE = (4, 1, 96, 96)
SIGMA = 0.1
EVERYWHERE = np.ones((4, 96, 96), bool)


@pytest.fixture(scope="module")
def clean() -> Frames:
    rough = np.random.default_rng(1).standard_normal(SHAPE)
    return np.asarray(0.5 + 1.5 * gaussian_filter(rough, (0, 0, 2, 2)), np.float32)


def noise(seed: int, spread: float = 0.0) -> Frames:
    """Return noise of deviation SIGMA; with ``spread`` px, neighbouring pixels share it."""
    field = np.random.default_rng(seed).standard_normal(SHAPE)
    if spread:
        field = gaussian_filter(field, (0, 0, spread, spread), mode="wrap")
        field /= field.std()
    return (SIGMA * field).astype(np.float32)


def near(found: Measured, truth: float, errors: float = 4.0) -> bool:
    return abs(found.value - truth) < errors * found.error


@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_noise_taken_off_has_no_structure_and_detail_taken_off_has(clean: Frames, spread: float) -> None:
    drawn = noise(2, spread)
    other = clean + 0.2 * noise(3)
    detail = clean - gaussian_filter(clean, (0, 0, 1.5, 1.5), mode="reflect")

    only_noise = removed_structure(clean + drawn, clean, other, EVERYWHERE)
    smoothed = removed_structure(clean + drawn, clean - 0.5 * detail, clean, EVERYWHERE)
    sharpened = removed_structure(clean + drawn, clean + 0.5 * detail, clean, EVERYWHERE)

    assert near(only_noise, 0.0)
    assert only_noise.error < 0.03
    # Of two independent parts, the correlation with one is its share of the deviation; filters act on both alike.
    fine = drawn - gaussian_filter(drawn, (0, 0, 1.5, 1.5), mode="reflect")
    twice = detail - gaussian_filter(detail, (0, 0, 1.5, 1.5), mode="reflect")
    share = 0.5 * float((twice * detail).mean() / detail.std() / np.hypot(0.5 * twice.std(), fine.std()))
    assert near(smoothed, share)
    assert smoothed.value > 10 * smoothed.error
    assert sharpened.value < -10 * sharpened.error


def test_standard_error_is_the_spread_over_draws(clean: Frames) -> None:
    found = [removed_structure(clean + noise(seed, 1.0), clean, clean, EVERYWHERE) for seed in range(20, 60)]

    spread = np.std([one.value for one in found])

    assert 0.75 < float(np.mean([one.error for one in found])) / spread < 1.33


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_noise_left_in_flat_places(spread: float) -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 96, dtype=np.float32), SHAPE).copy()
    ramp[:, :, :48] += np.random.default_rng(0).standard_normal((4, 1, 48, 96)).astype(np.float32)
    before, left = noise(4), 0.3 * noise(5, spread)

    found = flat_noise(ramp + before, ramp + left, ramp + 0.01 * noise(6))

    # Planes and what is rough by itself do not count; noise of a few pixels' reach does, if less as a plane takes some.
    assert abs(found.noisy / SIGMA - 1) < 0.05
    assert abs(found.denoised / (0.3 * SIGMA) - 1) < (0.25 if spread else 0.05)
    assert found.structure < 0.02 * SIGMA


def test_flat_places_need_a_block() -> None:
    small = np.zeros((1, 1, 8, 40), np.float32)

    with pytest.raises(ValueError, match="flat places: found frames of 40 x 8 px, expected at least 16 px a side"):
        flat_noise(small, small, small)


def test_unsupervised_error_is_the_true_one(clean: Frames) -> None:
    wrong = 0.4 * noise(7, 1.0) + 0.03
    first, second, third = (clean + noise(seed) for seed in (8, 9, 10))
    truth = float((wrong.astype(np.float64) ** 2).mean())

    found = unsupervised_mse(clean + wrong, first, second, third, EVERYWHERE)
    better = gain(clean + noise(11), clean + wrong, first, EVERYWHERE)

    assert near(found, truth)
    assert found.error < 0.1 * SIGMA**2
    assert near(better, float((noise(11).astype(np.float64) ** 2).mean()) - truth)
    assert better.value > 10 * better.error


def test_alignment_does_not_bias_the_gain(clean: Frames) -> None:
    moved = np.roll(clean, 1, -1)
    noisy = clean + noise(12)

    found = gain(noisy, clean, moved + noise(13), EVERYWHERE)

    assert near(found, SIGMA**2)


def test_untrusted_pixels_do_not_count(clean: Frames) -> None:
    trusted = EVERYWHERE.copy()
    trusted[:, :, 48:] = False
    known = clean + noise(14)
    known[..., 48:] = 9

    assert near(gain(clean + noise(15), clean, known, trusted), SIGMA**2)
    with pytest.raises(ValueError, match="found no trusted pixel"):
        gain(clean, clean, clean, np.zeros_like(trusted))


def test_a_shift_of_dark_values_is_seen_in_their_class_alone(clean: Frames) -> None:
    smooth = gaussian_filter(clean, (0, 0, 1.5, 1.5), mode="reflect")
    dark = smooth < np.quantile(smooth, 0.25)
    lifted = clean + np.where(dark, np.float32(0.05), np.float32(0))

    shades = kept_brightness(clean + noise(16), lifted, clean, EVERYWHERE)

    assert [one.brightness for one in shades] == sorted(one.brightness for one in shades)
    assert [near(one.change, 0.05) for one in shades[:2]] == [True, True]
    assert [near(one.change, 0.0) for one in shades[2:]] == [True] * 6
    assert shades[0].change.value > 10 * shades[0].change.error
