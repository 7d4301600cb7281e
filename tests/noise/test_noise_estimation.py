import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage import data

from self2align.noise.estimation.estimate import code_step, estimate_noise

Frames = NDArray[np.float32]
PHOTOGRAPHS = ("camera", "astronaut", "coffee")


def moving(picture: Frames, count: int = 8) -> Frames:
    """A window of 192 x 256 px that moves over a picture by (7, 5) px a frame."""
    return np.stack([picture[:, 10 + 5 * t : 202 + 5 * t, 10 + 7 * t : 266 + 7 * t] for t in range(count)])


def photograph(name: str) -> Frames:
    levels = np.atleast_3d(getattr(data, name)())
    return moving(np.asarray(levels.transpose(2, 0, 1) / 255, np.float32))


@pytest.fixture(scope="module")
def scene() -> Frames:
    """Smooth shades from black to white with a patch of texture."""
    draw = np.random.default_rng(3)
    shades = gaussian_filter(draw.standard_normal((256, 340)), 40)
    shades = (shades - shades.min()) / np.ptp(shades) * 0.9 + 0.02
    shades[60:100, 90:150] += 0.1 * draw.standard_normal((40, 60))
    return moving(np.asarray(shades[None], np.float32))


def noise(like: Frames, seed: int = 0) -> Frames:
    return np.random.default_rng(seed).standard_normal(like.shape, np.float32)


def noisy(clean: Frames, *parts: Frames) -> Frames:
    """Frames with noise, whose parts are in units of sigma 10."""
    return np.asarray(clean + sum(parts) * np.float32(10 / 255), np.float32)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_white_noise_is_measured_and_is_neither_correlated_nor_fixed(name: str, sigma: float) -> None:
    clean = photograph(name)
    found = estimate_noise(clean + np.float32(sigma / 255) * noise(clean))
    assert 255 * found.sigma == pytest.approx(sigma, rel=0.05)
    assert found.kind == "gaussian"
    assert not found.correlated
    assert not found.fixed_pattern


@pytest.mark.parametrize(("peak", "sigma"), [(100, 10.0), (400, 5.0), (1000, 8.0)])
def test_gain_and_read_noise_are_found(scene: Frames, peak: int, sigma: float) -> None:
    draw = np.random.default_rng(5)
    frames = draw.poisson(scene.clip(0) * peak) / peak + sigma / 255 * noise(scene)
    found = estimate_noise(frames.astype(np.float32))
    assert found.gain == pytest.approx(1 / peak, rel=0.15)
    assert 255 * np.sqrt(found.read) == pytest.approx(sigma, rel=0.15)
    assert found.kind == "poisson_gaussian"
    values = np.array([0.1, 0.5], np.float32)
    np.testing.assert_allclose(found.variance(values), values / peak + (sigma / 255) ** 2, rtol=0.15)


def test_photons_alone_are_told_from_read_noise(scene: Frames) -> None:
    draw = np.random.default_rng(6)
    found = estimate_noise((draw.poisson(scene.clip(0) * 50) / 50).astype(np.float32))
    assert found.gain == pytest.approx(1 / 50, rel=0.15)
    assert found.kind == "poisson"


def test_clipping_does_not_lower_the_noise_of_the_dark(scene: Frames) -> None:
    sigma = 20 / 255
    frames = (scene - np.float32(0.1) + np.float32(sigma) * noise(scene)).clip(0, 1)
    levels = (frames * 255).round().astype(np.uint8)
    found = estimate_noise(levels.astype(np.float32) / np.float32(255), 1 / 255)
    assert found.clipped[0] > 0.01
    assert found.variance(np.zeros(1, np.float32))[0] == pytest.approx(sigma**2, rel=0.15)


def test_rounding_is_known_and_told_apart(scene: Frames) -> None:
    step = 4 / 255
    codes = np.rint((scene + np.float32(2 / 255) * noise(scene)) / step).astype(np.float32)
    found = estimate_noise(codes * np.float32(step), step)
    assert found.rounding == pytest.approx(step**2 / 12)
    assert 255**2 * (found.read - found.rounding) == pytest.approx(4, rel=0.3)


def test_other_units_are_another_noise_of_the_same_kind(scene: Frames) -> None:
    frames = np.asarray(scene + np.float32(0.05) * noise(scene), np.float32)
    one, other = estimate_noise(frames).scaled(1 / 16), estimate_noise(frames / np.float32(16))
    for name in ("sigma", "level", "read"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-3)
    assert one.kind == other.kind


def test_a_pedestal_gives_a_negative_variance_at_black_and_none_where_footage_is(scene: Frames) -> None:
    draw = np.random.default_rng(7)
    found = estimate_noise((0.2 + draw.poisson(scene.clip(0) * 100) / 100).astype(np.float32))
    assert found.gain == pytest.approx(0.01, rel=0.15)
    assert found.read == pytest.approx(-0.2 * 0.01, rel=0.25)
    assert (found.variance(np.array([0.0, 0.2], np.float32)) >= 0).all()


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("blur", [0.5, 0.7])
def test_correlated_noise_is_detected(name: str, blur: float) -> None:
    clean = photograph(name)
    blurred = gaussian_filter(noise(clean), (0, 0, blur, blur))
    found = estimate_noise(noisy(clean, blurred / blurred.std()))
    assert found.correlated
    assert 255 * found.sigma == pytest.approx(10, rel=0.35)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_what_frames_share_is_measured_as_a_share_of_the_variance(name: str) -> None:
    clean = photograph(name)
    own, pattern = noise(clean), noise(clean[0], seed=1)
    found = estimate_noise(noisy(clean, own, np.float32(0.4) * pattern))
    assert found.fixed == pytest.approx(0.16 / 1.16, rel=0.25)
    assert found.fixed_pattern
    columns = noise(clean[0, :1, :1], seed=2)
    assert estimate_noise(noisy(clean, own, np.float32(0.4) * columns)).fixed_pattern


def test_one_frame_has_nothing_to_share_with() -> None:
    clean = photograph("camera")[:1]
    found = estimate_noise(clean + np.float32(0.1) * noise(clean))
    assert found.fixed is None
    assert not found.fixed_pattern
    assert found.sigma == pytest.approx(0.1, rel=0.1)


def test_frames_without_noise_or_content_are_no_error() -> None:
    found = estimate_noise(np.full((2, 1, 32, 32), 0.5, np.float32))
    assert (found.sigma, found.gain, found.correlated) == (0.0, 0.0, False)


def recorded(clean: Frames, sigma: float, seed: int = 0) -> tuple[Frames, float]:
    """Frames with noise as an 8-bit camera stores them, and the standard deviation of noise and rounding."""
    values = (clean + np.float32(sigma / 255) * noise(clean, seed)).clip(0, 1)
    return np.asarray(np.rint(255 * values) / 255, np.float32), float(np.hypot(sigma, 12**-0.5)) / 255


def lawn() -> Frames:
    """Gray texture without any flat place, ``(1, 192, 256)``."""
    frames: Frames = photograph("grass")[0]
    return frames


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
@pytest.mark.parametrize("sigma", [10, 25, 50, 75])
def test_one_colour_photograph_is_measured_within_3_percent_clipped_or_not(name: str, sigma: float) -> None:
    clean = photograph(name)[:1]
    found = estimate_noise(clean + np.float32(sigma / 255) * noise(clean))
    assert 255 * found.sigma == pytest.approx(sigma, rel=0.03)
    assert found.certain
    frames, true = recorded(clean, sigma)
    assert estimate_noise(frames, 1 / 255).sigma == pytest.approx(true, rel=0.03)


@pytest.mark.parametrize("size", [160, 192])
@pytest.mark.parametrize("sigma", [2, 3, 5])
def test_little_noise_of_one_frame_is_measured_with_its_rounding(scene: Frames, size: int, sigma: float) -> None:
    frames, true = recorded(scene[:1, :, :size, :size], sigma)
    found = estimate_noise(frames, 1 / 255)
    assert found.sigma == pytest.approx(true, rel=0.05)
    assert found.rounding == pytest.approx((1 / 255) ** 2 / 12)


@pytest.mark.parametrize("level", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("sigma", [10, 50, 75])
def test_noise_that_is_clipped_everywhere_is_measured_as_it_was_before(level: float, sigma: float) -> None:
    frames, true = recorded(np.full((1, 1, 256, 256), level, np.float32), sigma)
    assert estimate_noise(frames, 1 / 255).sigma == pytest.approx(true, rel=0.03)


def test_texture_that_channels_share_is_not_taken_for_noise() -> None:
    clean = np.repeat(lawn()[None], 3, 1)
    found = estimate_noise(clean + np.float32(5 / 255) * noise(clean))
    assert 255 * found.sigma == pytest.approx(5, rel=0.03)
    assert found.certain


def test_fur_of_uneven_height_in_each_channel_is_not_taken_for_noise() -> None:
    """Of photographs this is baboon: what is alike on average differs from place to place, which noise does not."""
    draw = np.random.default_rng(4)
    heights = 1 + 4 * gaussian_filter(draw.standard_normal((256, 256)), 6).clip(0) * 20
    clean = np.asarray(0.5 + 5 / 255 * heights * draw.standard_normal((1, 3, 256, 256)), np.float32)
    clean[..., :64, :64] = 0.5
    found = estimate_noise(clean + np.float32(5 / 255) * noise(clean))
    assert 4.5 < 255 * found.sigma < 7.5, "rather the least that there is"


def test_texture_that_stands_still_is_not_taken_for_noise() -> None:
    clean = np.repeat(lawn()[None], 4, 0)
    found = estimate_noise(clean + np.float32(5 / 255) * noise(clean))
    assert 255 * found.sigma == pytest.approx(5, rel=0.03)
    assert found.certain


@pytest.mark.parametrize("sigma", [0, 2, 5, 10])
def test_a_gray_frame_in_which_nothing_is_flat_is_uncertain(sigma: float) -> None:
    clean = lawn()[None]
    assert not estimate_noise(clean + np.float32(sigma / 255) * noise(clean)).certain


def test_noise_that_channels_share_is_no_texture(scene: Frames) -> None:
    clean = np.repeat(scene[:1], 3, 1)
    shared, own = noise(scene[:1]), noise(clean, seed=1)
    found = estimate_noise(noisy(clean, shared, np.float32(0.3) * own))
    assert 255 * found.sigma == pytest.approx(10 * np.hypot(1, 0.3), rel=0.03)


@pytest.mark.parametrize(("factor", "offset"), [(86, 477), (8, -3), (65520, 0), (1e-6, 0)])
def test_values_of_any_range_and_sign_have_the_same_noise_in_their_unit(
    scene: Frames, factor: float, offset: float
) -> None:
    frames = np.asarray(scene[:2] + np.float32(0.05) * noise(scene[:2]), np.float32)
    one, other = (
        estimate_noise(frames),
        estimate_noise(np.asarray(factor * frames.astype(np.float64) + offset, np.float32)),
    )
    assert other.sigma == pytest.approx(factor * one.sigma, rel=1e-4)
    values = np.array([0.2, 0.8], np.float32)
    moved = np.asarray(factor * values + offset, np.float32)
    np.testing.assert_allclose(other.variance(moved), factor**2 * one.variance(values), rtol=1e-3)


def test_a_clean_photograph_has_little_noise() -> None:
    for name in ("astronaut", "coffee"):
        assert 255 * estimate_noise(photograph(name)[:1], 1 / 255).sigma < 2


def test_estimates_repeat() -> None:
    frames, _ = recorded(photograph("coffee")[:1], 15)
    assert estimate_noise(frames, 1 / 255) == estimate_noise(frames, 1 / 255)


def test_frames_smaller_than_a_block_are_refused() -> None:
    with pytest.raises(ValueError, match=r"frames: found 10 x 40 px, expected at least 11 px each way"):
        estimate_noise(np.zeros((2, 3, 10, 40), np.float32))


def test_twelve_bits_in_sixteen_are_seen() -> None:
    draw = np.random.default_rng(0)
    assert code_step(draw.integers(0, 4096, 1000).astype(np.uint16) * np.uint16(16)) == 16
    assert code_step(draw.integers(0, 256, 1000).astype(np.uint8)) == 1
    assert code_step(np.zeros(9, np.uint16)) == 1
