from collections.abc import Callable

import numpy as np
import pytest

from self2align.noise import NOISE
from self2align.noise.gaussian import Gaussian
from self2align.noise.model import FrameDraw, NoiseModel, NoiseSettings, PublishedDraw
from self2align.noise.poisson import Poisson
from self2align.noise.synthesis import noisy_coding, scene_level, second_draw, unclipped, warped_coding
from self2align.runtime.families import load
from self2align.stores.codes import VIDEO, Coding, choose_coding
from self2align.training.denoiser import whites

SIDE = 400


def model_of(name: str, sigma: float = 25.0, peak: float = 30.0) -> NoiseModel:
    made: NoiseModel = load(NOISE, name, "model")(sigma, peak)
    return made


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
        noisy = model_of(model).sample(clean, FrameDraw(np.random.default_rng(0)))
        assert noisy.dtype == np.float32
        assert noisy.mean() == pytest.approx(level, abs=4 * (variance(level) ** 0.5 + 1e-9) / SIDE + 1e-6)
        assert noisy.var() == pytest.approx(variance(level), rel=0.03, abs=1e-9)


def test_gaussian_noise_is_not_clipped() -> None:
    clean = np.zeros((3, 64, 64), np.float32)
    noisy = Gaussian(25.0, 30.0).sample(clean, FrameDraw(np.random.default_rng(0)))
    assert (noisy < 0).mean() == pytest.approx(0.5, abs=0.02)


def test_sixteen_bits_hold_the_noise_with_an_error_far_below_it() -> None:
    coding = unclipped(Gaussian(25.0, 30.0), 25.0)
    clean = np.full((3, SIDE, SIDE), 0.5, np.float32)
    noisy = Gaussian(25.0, 30.0).sample(clean, FrameDraw(np.random.default_rng(1)))
    error = coding.decode(coding.encode(noisy)) - noisy
    assert error.var() < 5e-6 * noisy.var()
    assert abs(float(error.mean())) < 1e-6
    fine = unclipped(Poisson(0.0, 30.0), 0.0)
    assert fine.scale < 1e-4


def test_photon_counts_record_a_negative_zero_as_earlier_stores_do() -> None:
    """The attribute is part of the bytes of a store, and so of its digest."""
    for peak in (7.7, 30.0):
        assert f"{unclipped(Poisson(0.0, peak), 0.0).attributes()['add_offset']}" == "-0.0"


def test_scenes_have_levels_of_their_own_evenly_over_the_range() -> None:
    found = np.array([scene_level((5.0, 45.0), 0, f"clips/{number}") for number in range(8000)])
    assert (found.min(), found.max()) == (pytest.approx(5, abs=0.2), pytest.approx(45, abs=0.2))
    np.testing.assert_allclose(np.quantile(found, [0.25, 0.5, 0.75]), 5 * 9 ** np.array([0.25, 0.5, 0.75]), rtol=0.05)
    assert scene_level((25.0, 25.0), 0, "clips/3") == 25
    assert scene_level((5.0, 45.0), 0, "clips/3") == found[3]


def test_a_second_draw_has_the_level_of_its_scene() -> None:
    clean, coding = np.full((2, 3, 128, 128), 0.5, np.float32), unclipped(Gaussian(45.0, 30.0), 45.0)
    noise = NoiseSettings("gaussian", 5.0, 45.0, 30.0)
    assert noisy_coding(noise) == coding
    for title in ("a/1", "a/2", "a/3"):
        drawn = coding.decode(second_draw(clean, coding, title, noise=noise, seed=0)) - clean
        assert 255 * drawn.std() == pytest.approx(scene_level((5.0, 45.0), 0, title), rel=0.02)


@pytest.mark.parametrize("name", NOISE)
def test_a_model_adds_to_frames_and_to_the_benchmark_what_it_says(name: str) -> None:
    """One object: the level that methods are told is that of the noise, in both of its uses."""
    model, clean = model_of(name), np.full((3, SIDE, SIDE), 0.5, np.float32)
    for draw in (FrameDraw(np.random.default_rng(0)), PublishedDraw(np.random.RandomState(101))):
        noise = model.sample(clean, draw) - clean
        assert noise.std() == pytest.approx(model.level, rel=0.02, abs=1e-9)
        low, high = model.reach
        assert low <= (clean + noise).min()
        assert (clean + noise).max() <= high


def test_the_benchmarks_numbers_are_drawn_for_images_whose_channels_come_last() -> None:
    """As the published code does: the noise of every image follows from it."""
    expected = np.random.RandomState(3).normal(size=(5, 7, 3)).transpose(2, 0, 1)
    np.testing.assert_array_equal(PublishedDraw(np.random.RandomState(3)).normal((3, 5, 7)), expected)
    clean = np.random.default_rng(0).random((3, 5, 7), np.float32)
    counts = np.random.RandomState(3).poisson(30.0 * clean.transpose(1, 2, 0)).transpose(2, 0, 1)
    np.testing.assert_array_equal(PublishedDraw(np.random.RandomState(3)).photons(clean, 30.0), counts / 30.0)


@pytest.mark.parametrize("name", NOISE)
def test_noise_that_does_not_depend_on_the_image_advances_the_stream_without_it(name: str) -> None:
    model = model_of(name)
    if model.signal_dependent:
        return
    first, second = np.random.RandomState(1), np.random.RandomState(1)
    model.sample(np.full((3, 5, 7), 0.4, np.float32), PublishedDraw(first))
    model.sample(np.zeros((3, 5, 7), np.float32), PublishedDraw(second))
    assert first.normal() == second.normal()


def test_the_settings_of_a_store_are_those_that_it_records() -> None:
    noise = NoiseSettings("poisson_gaussian", 10.0, 30.0, 50.0)
    assert NoiseSettings.recorded({"noise": noise.record()}) == noise
    assert noise.levels == (10.0, 30.0)
    assert not noise.one_gaussian
    assert NoiseSettings("gaussian", 25.0, None, 30.0).one_gaussian
    assert not NoiseSettings("gaussian", 25.0, 30.0, 30.0).one_gaussian
    assert NoiseSettings("gaussian", 25.0, None, 30.0).describe() == "Gaussian noise, sigma 25"


def test_noise_is_described_in_words() -> None:
    both = "Poisson noise, 30 photons at white, and Gaussian noise, sigma 25"
    assert NoiseSettings("poisson_gaussian", 25.0, None, 30.0).describe() == both
    assert NoiseSettings("gaussian", 5.0, 45.0, 30.0).describe() == "Gaussian noise, sigma 5 to 45"
    assert NoiseSettings("none", 25.0, None, 30.0).describe() == "the footage's own noise"


def test_warped_video_holds_what_lies_beyond_black_and_white() -> None:
    real, held = NoiseSettings("none", 0.0, None, 30.0), Coding("uint16", VIDEO.scale * 2, VIDEO.offset * 2)
    values = 2 * held.decode(np.array([0, 20000, 65535]))
    coding = warped_coding(real, [held], 2.0)
    np.testing.assert_allclose(coding.decode(coding.encode(values)), values, atol=coding.scale)
    assert warped_coding(real, [Coding("uint8", 1 / 255)], 2.0) == noisy_coding(real, 2.0)
    assert (
        warped_coding(NoiseSettings("gaussian", 25.0, None, 30.0), [held], 2.0).offset
        == noisy_coding(NoiseSettings("gaussian", 25.0, None, 30.0), 2.0).offset
    )


@pytest.mark.parametrize(
    ("share", "dtype", "white"), [(1.0, "uint8", 255), (63 / 255, "uint8", 63), (0.25, "float32", 1)]
)
def test_weights_of_video_tell_white_as_a_share_of_that_of_the_type(share: float, dtype: str, white: float) -> None:
    told = whites(Coding("uint16", VIDEO.scale / share, VIDEO.offset / share))
    assert told == {"video": pytest.approx(share)}
    assert 1 / choose_coding("a file", np.dtype(dtype), None, told).scale == pytest.approx(white)
