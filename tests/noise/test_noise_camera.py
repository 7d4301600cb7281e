"""A camera: what its sensor adds is what it says, and demosaicking makes neighbours share it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.noise.camera import EIGHT_BITS, Camera, camera_matrix, film, frame_draw, from_light, to_light
from self2align.noise.model import FrameDraw, NoiseSettings

SIDE = 256
PLAIN = Camera(peak=400.0, read=0.0, red=1.0, blue=1.0, headroom=1.0, black=0, bits=16)


def draw(seed: int = 0) -> FrameDraw:
    return frame_draw(seed, "clip", 0)


def clean_frame(value: float = 0.5, channels: int = 3, side: int = SIDE) -> NDArray[np.float32]:
    return np.full((channels, side, side), value, np.float32)


def picture(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    planes = [128 + 90 * np.sin(x / 9 + one) * np.cos(y / 7 - one) for one in range(3)]
    return np.stack(planes, -1).astype(np.uint8)


@pytest.mark.parametrize("curve", ["srgb", "bt709", "linear"])
def test_light_becomes_the_display_value_that_it_came_from(curve: str) -> None:
    values = np.linspace(0, 1, 256)
    np.testing.assert_allclose(from_light(to_light(values, curve), curve), values, atol=2e-5)
    assert to_light(np.array([0.0, 1.0]), curve) == pytest.approx([0, 1], abs=1e-12)


def test_middle_gray_of_srgb_reflects_a_fifth_of_the_light_of_white() -> None:
    """IEC 61966-2-1 and BT.709 at one half, computed by hand."""
    half = np.array([0.5])
    assert to_light(half, "srgb") == pytest.approx(0.21404, abs=1e-5)
    assert to_light(half, "bt709") == pytest.approx((0.599 / 1.099) ** (1 / 0.45), abs=1e-9)


@pytest.mark.parametrize("demosaic", ["bilinear", "edge_aware"])
@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("shape", [(48, 64), (47, 33)])
def test_without_noise_a_flat_colour_comes_back(demosaic: str, matrix: bool, shape: tuple[int, int]) -> None:
    camera = Camera(peak=1e12, read=0.0, bits=14, matrix=matrix, demosaic=demosaic)  # type: ignore[arg-type]
    clean = np.empty((3, *shape), np.float32)
    clean[:] = (np.array([200, 90, 40], np.float32) / 255)[:, None, None]
    found = 255 * camera.sample(clean, draw())
    assert np.abs(found - 255 * clean).max() < 1.001  # one level: raw steps at a fortieth of the light


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("light", [0.05, 0.4, 0.9])
def test_raw_values_have_the_variance_of_photons_and_read_noise(channels: int, light: float) -> None:
    """Foi et al. 2008, equation 1, under a filter of gain g: photons x peak / g, and read noise, in electrons."""
    camera = Camera(peak=300.0, read=4.0)
    value = float(from_light(np.array([light]), "srgb")[0])
    raw = camera.expose(camera.light(clean_frame(value, channels)), draw())
    gains = {(0, 0): 2.0, (0, 1): 1.0, (1, 0): 1.0, (1, 1): 1.6} if channels == 3 else {(0, 0): 1.0}
    for (y, x), gain in gains.items():
        one = raw[y::2, x::2]
        electrons = (one - camera.black) / camera.scale * camera.peak
        photons = light * camera.peak / gain
        rounding = (camera.peak / camera.scale) ** 2 / 12
        expected = photons + 16 + rounding
        assert electrons.mean() == pytest.approx(photons, abs=4 * (expected / one.size) ** 0.5)
        assert electrons.var() == pytest.approx(expected, rel=0.05)
    np.testing.assert_array_equal(raw, np.rint(raw))


def test_raw_values_end_at_black_and_at_the_largest_code() -> None:
    camera = Camera(peak=20.0, read=5.0, headroom=1.0)
    dark, bright = (camera.expose(camera.light(clean_frame(value)), draw()) for value in (0.0, 1.0))
    assert dark.min() == 0
    assert bright.max() == camera.largest == 1023
    assert (bright[0::2, 1::2] == 1023).mean() == pytest.approx(0.5, abs=0.06)  # green at white: half of the noise
    assert (bright[0::2, 0::2] == 1023).mean() < 0.1  # red has half the light


def test_noise_below_black_becomes_black() -> None:
    """Half of it, and half of the pixels that are rounded to the black level."""
    camera = Camera(peak=300.0)
    found = camera.sample(clean_frame(0.0, channels=1), draw())
    on_black = camera.peak / (camera.read * camera.scale) / (2 * np.pi) ** 0.5
    assert (found == 0).mean() == pytest.approx(0.5 + on_black / 2, abs=0.01)
    assert found.mean() > 0.01


def test_the_mean_of_many_shots_is_the_shot_without_noise() -> None:
    camera = Camera(peak=300.0, curve="linear", demosaic="bilinear")
    clean = EIGHT_BITS.decode(picture().transpose(2, 0, 1))
    shots = np.stack([camera.sample(clean, draw(seed)) for seed in range(300)]).astype(np.float64)
    quiet = replace(camera, peak=1e12, read=0.0, bits=16, black=0).sample(clean, draw())
    error = 255 * (shots.mean(0) - quiet)
    spread = 255 * shots.std(0) / 300**0.5
    assert np.abs(error).mean() < 0.5 + spread.mean()
    assert abs(error.mean()) < 0.05
    assert error.std() < 1.2 * np.hypot(spread.mean(), 12**-0.5)


@pytest.mark.parametrize(("demosaic", "low", "high"), [("bilinear", 0.58, 0.62), ("edge_aware", 0.53, 0.60)])
def test_neighbours_share_noise_as_demosaicking_makes_them(demosaic: str, low: float, high: float) -> None:
    camera = Camera(peak=300.0, demosaic=demosaic)  # type: ignore[arg-type]
    noise = camera.sample(clean_frame(), draw()).astype(np.float64)
    noise -= noise.mean((1, 2), keepdims=True)
    for moved in (noise[:, :, 1:] * noise[:, :, :-1], noise[:, 1:] * noise[:, :-1]):
        assert low < moved.mean() / (noise**2).mean() < high
    assert abs((noise[0] * noise[1]).mean()) < 0.03 * (noise**2).mean()


@pytest.mark.parametrize("channels", [3, 1])
def test_noise_of_an_enlarged_picture_is_as_much_coarser(channels: int) -> None:
    """Two pixels of the picture for one of the sensor: what was one pixel apart is two apart."""
    usual, enlarged = (Camera(peak=300.0, zoom=zoom).sample(clean_frame(0.5, channels), draw()) for zoom in (1.0, 2.0))
    assert enlarged.shape == usual.shape

    def correlation(frame: NDArray[np.float32], lag: int) -> float:
        noise = frame.astype(np.float64) - frame.mean((1, 2), keepdims=True, dtype=np.float64)
        return float((noise[..., lag:] * noise[..., :-lag]).mean() / (noise**2).mean())

    assert correlation(enlarged, 2) == pytest.approx(correlation(usual, 1), abs=0.2)
    assert correlation(enlarged, 1) > correlation(usual, 1) + 0.15
    assert enlarged.mean() == pytest.approx(usual.mean(), abs=0.004)


@pytest.mark.parametrize(("height", "width", "zoom"), [(47, 33, 1.7), (5, 40, 4.0), (3, 3, 4.0)])
def test_any_size_can_be_enlarged(height: int, width: int, zoom: float) -> None:
    clean = EIGHT_BITS.decode(picture(height, width).transpose(2, 0, 1))
    found = Camera(peak=1e12, read=0.0, zoom=zoom).sample(clean, draw())
    assert found.shape == clean.shape
    np.testing.assert_array_equal(found, EIGHT_BITS.decode(EIGHT_BITS.encode(found)))
    assert found.mean() == pytest.approx(clean.mean(), abs=0.05)


def test_bilinear_demosaicking_leaves_the_variance_of_its_means() -> None:
    """White noise under the filters: green is kept at half of the pixels and a mean of four at the others; red and blue
    are kept at a quarter, means of two at a half and of four at a quarter: shares 5/8 and 9/16 of the variance.
    """
    light = to_light(np.array([0.5]), "srgb")[0]
    camera = replace(PLAIN, curve="linear", demosaic="bilinear")
    found = camera.sample(clean_frame(light), draw()).astype(np.float64).var((1, 2))
    rounding = 1 / 12 / 255**2
    np.testing.assert_allclose((found - rounding) * camera.peak / light, [9 / 16, 5 / 8, 9 / 16], rtol=0.04)


def test_the_colour_matrix_shares_noise_among_channels_and_keeps_white() -> None:
    assert camera_matrix().sum(1) == pytest.approx([1, 1, 1])
    with_matrix, without = (
        Camera(peak=1000.0, matrix=matrix).sample(clean_frame(), draw()).astype(np.float64) for matrix in (True, False)
    )
    assert np.corrcoef(with_matrix[0].ravel(), with_matrix[1].ravel())[0, 1] < -0.3
    assert with_matrix.std() > 1.3 * without.std()


def test_a_frame_depends_on_seed_and_number_alone() -> None:
    clean = np.stack([picture()] * 3)
    camera = Camera(peak=200.0, rows=2.0, dsnu=2.0, prnu=0.02)
    whole = film(camera, clean, 5)
    assert not np.array_equal(whole[0], whole[1])
    assert not np.array_equal(whole, film(camera, clean, 6))
    alone = camera.sample(EIGHT_BITS.decode(clean[2].transpose(2, 0, 1)), frame_draw(5, "clip", 2))
    np.testing.assert_array_equal(EIGHT_BITS.encode(alone).transpose(1, 2, 0), whole[2])


@pytest.mark.parametrize("pattern", [{"dsnu": 20.0}, {"prnu": 0.2}])
def test_the_pattern_stays_and_is_that_of_one_sensor(pattern: dict[str, float]) -> None:
    """Raw values of different frames of a camera share the pattern, with its variance; those of others do not."""
    camera = Camera(peak=1000.0, read=0.0, **pattern)  # type: ignore[arg-type]
    light = camera.light(clean_frame(channels=1))
    first, second, other = (
        camera.expose(light, one) for one in (frame_draw(0, "a", 0), frame_draw(0, "a", 1), frame_draw(1, "a", 1))
    )
    expected = 20.0 if "dsnu" in pattern else 0.2 * 1000 * light[0, 0]
    covariance = np.cov(first.ravel(), second.ravel())[0, 1] * (camera.peak / camera.scale) ** 2
    assert covariance == pytest.approx(expected**2, rel=0.05)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02


def test_rows_share_noise_that_differs_from_frame_to_frame() -> None:
    camera = Camera(peak=1000.0, read=0.0, rows=10.0)
    light = camera.light(clean_frame(channels=1))
    means = [camera.expose(light, frame_draw(0, "a", at)).mean(1) * camera.peak / camera.scale for at in (0, 1)]
    assert means[0].std() == pytest.approx(10, rel=0.2)
    assert abs(np.corrcoef(*means)[0, 1]) < 0.3


def test_gray_frames_come_from_a_sensor_without_filters() -> None:
    gray = picture()[..., 0][None]
    noisy = film(Camera(peak=300.0), gray, 0)
    assert noisy.shape == gray.shape
    noise = Camera(peak=300.0).sample(clean_frame(channels=1), draw()).astype(np.float64)[0]
    noise -= noise.mean()
    assert abs((noise[:, 1:] * noise[:, :-1]).mean()) < 0.02 * noise.var()
    with pytest.raises(ValueError, match=r"found camera for 2 channels, expected 1 or 3"):
        Camera().sample(clean_frame(channels=2), draw())


@pytest.mark.parametrize("camera", [Camera(peak=1000.0), Camera(peak=100.0, matrix=True, demosaic="bilinear")])
def test_the_level_is_that_of_middle_gray(camera: Camera) -> None:
    noise = camera.sample(clean_frame(), draw(3)).astype(np.float64) - 0.5
    assert noise.std() == pytest.approx(camera.level, rel=0.03)


def test_settings_hold_the_camera_and_leave_other_records_as_they_were() -> None:
    noise = NoiseSettings("camera", 0.0, None, 100.0, 1000.0, {"read": 5.0, "demosaic": "bilinear"})
    assert NoiseSettings.recorded({"noise": noise.record()}) == noise
    made = noise.at(peak=300.0)
    assert isinstance(made, Camera)
    assert made == Camera(peak=300.0, read=5.0, demosaic="bilinear")
    assert noise.describe() == "a camera (bilinear), read noise 5 e-, 100 photons at white (up to 1000)"
    plain = NoiseSettings("gaussian", 25.0, None, 30.0, camera={"read": 5.0})
    assert plain.record() == {"model": "gaussian", "sigma": 25.0, "sigma_max": None, "peak": 30.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reed": 3.0}, r"synthesize\.camera\.reed: found an unknown key, expected one of read, rows"),
        ({"read": -1.0}, r"synthesize\.camera\.read: found -1\.0, expected greater than or equal to 0"),
        ({"demosaic": "ahd"}, r"synthesize\.camera\.demosaic: found 'ahd', expected 'bilinear' or 'edge_aware'"),
        ({"bits": 8, "black": 200}, r"camera\.black: found 200, expected at most 127, half of 8 bits"),
    ],
)
def test_wrong_arguments_are_told_in_a_line(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NoiseSettings("camera", 0.0, None, 100.0, camera=arguments).at()
