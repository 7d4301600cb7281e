"""The noise of frames: measured, told, compared with what weights are for; any scale of values."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from numpy.typing import NDArray
from skimage import data

from self2align.denoising.denoiser import Denoiser
from self2align.denoising.inference import denoise_at_level
from self2align.denoising.levels import FrameNoise, frame_noise
from self2align.denoising.purpose import NoiseNotes, Purpose
from self2align.denoising.tiled import TiledDenoiser
from self2align.networks.normalised import Normalised
from self2align.networks.unet import UNet

CPU = torch.device("cpu")


def _noisy(sigma: float | NDArray[Any], side: int = 192) -> NDArray[np.float32]:
    ramp = np.linspace(0.2, 0.8, side, dtype=np.float32)
    noise = np.random.default_rng(0).standard_normal((3, side, side), np.float32)
    return (ramp + np.asarray(sigma) / 255 * noise).astype(np.float32)


def _denoiser(channels: int = 3, **options: Any) -> TiledDenoiser:
    """The identity, but that it leaves out a tenth of what it sees."""

    class Smaller(torch.nn.Module):
        multiple = 1

        def forward(self, noisy: torch.Tensor) -> torch.Tensor:
            return 0.9 * noisy

    return TiledDenoiser(Normalised(Smaller()), channels, device=CPU, memory=2**28, **options)


@pytest.mark.parametrize("sigma", [3.0, 25.0, 70.0])
def test_the_level_is_measured(sigma: float) -> None:
    found = frame_noise(_noisy(sigma))
    assert 255 * found.sigma == pytest.approx(sigma, rel=0.03)
    assert [gain for gain, _ in found.lines] == [0.0]


def test_channels_of_unequal_noise_have_levels_of_their_own() -> None:
    sigmas = np.array([5.0, 10.0, 30.0])[:, None, None]
    found = frame_noise(_noisy(sigmas))
    measured = [255 * read**0.5 for _, read in found.lines]
    assert measured == pytest.approx([5.0, 10.0, 30.0], rel=0.05)


@pytest.mark.parametrize("sigmas", [(10.0, 5.0, 7.5), (5.0, 5.0, 5.0)])
def test_texture_of_one_channel_is_not_taken_for_its_noise(sigmas: tuple[float, ...]) -> None:
    lawn = data.grass()[:256, :256] / 255  # type: ignore[no-untyped-call]
    noise = np.random.default_rng(0).standard_normal((3, 256, 256), np.float32)
    found = frame_noise((lawn + np.array(sigmas)[:, None, None] / 255 * noise).astype(np.float32))
    assert 255 * found.sigma == pytest.approx(np.sqrt(np.mean(np.square(sigmas))), rel=0.04)
    measured = [255 * read**0.5 for _, read in found.lines]
    assert measured == pytest.approx(sigmas[: len(measured)], rel=0.06)
    assert len(measured) == (1 if len(set(sigmas)) == 1 else 3)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0])
def test_noise_that_channels_share_is_taken_off_as_in_gray(share: float) -> None:
    draw = np.random.default_rng(0).standard_normal((4, 192, 192))
    noisy = (0.5 + 25 / 255 * (share**0.5 * draw[:1] + (1 - share) ** 0.5 * draw[1:])).astype(np.float32)
    found = frame_noise(noisy)
    assert 255 * found.sigma == pytest.approx(25, rel=0.05)
    assert found.shared == pytest.approx(share, abs=0.08)
    shown: list[float] = []

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        shown.append(float(image.std()))
        return 0 * image

    denoise_at_level(Normalised(UNet(3, width=4, depth=1)), noisy, found, run)
    assert shown[0] == pytest.approx(25 / 255 / (1 + 2 * share) ** 0.5, rel=0.06)


def test_noise_that_is_uneven_over_the_frame_is_said() -> None:
    seen: list[FrameNoise] = []
    half = np.where(np.arange(192) < 96, 5.0, 25.0)
    for noisy in (_noisy(half), _noisy(half)):
        _denoiser(watch=seen.append)(noisy)
    low, high = (255 * one for one in seen[0].quarters or (0.0, 0.0))
    assert (low, high) == pytest.approx((5, 25), rel=0.05)
    assert (
        "noise is uneven over the frame: sigma 4.9 to 25.2 in" in Purpose(True, (3.0, 75.0), False).compare(seen[0])[1]
    )
    even: list[FrameNoise] = []
    shot = np.random.default_rng(0).poisson(np.linspace(2, 60, 192) * np.ones((3, 192, 1))) / 60
    for noisy in (_noisy(10.0), shot.astype(np.float32)):
        _denoiser(watch=even.append)(noisy)
    assert [one.quarters for one in even] == [None, None]


def test_a_drawing_is_left_as_it_is() -> None:
    boxes = np.kron(np.indices((48, 48)).sum(0) % 2, np.ones((4, 4))).astype(np.float32)[None]
    assert "as in drawings" in Purpose(True, (3.0, 75.0), False).compare(frame_noise(boxes))[0]
    np.testing.assert_array_equal(_denoiser()(boxes), boxes)


def test_noise_by_brightness_is_a_line() -> None:
    clean = np.linspace(0.05, 0.95, 256, dtype=np.float32) * np.ones((3, 256, 1), np.float32)
    noisy = np.random.default_rng(0).poisson(clean * 50) / 50
    found = frame_noise(noisy.astype(np.float32))
    assert found.lines[0][0] == pytest.approx(1 / 50, rel=0.1)


def test_a_frame_without_noise_is_left_as_it_is() -> None:
    frame = _noisy(0.0)
    np.testing.assert_array_equal(_denoiser()(frame), frame)
    tiny = np.random.default_rng(0).random((3, 5, 5), np.float32)
    np.testing.assert_array_equal(_denoiser()(tiny), tiny)
    assert (_denoiser()(tiny, None, 0.1) != tiny).any(), "the level was told"


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("uint16", 477, 563), ("uint16", 0, 4095), ("int16", -200, 900), ("uint32", 1e6, 1e6 + 4e4), ("float32", -3, 5)],
)
def test_values_of_any_scale_come_out_right(dtype: str, low: float, high: float) -> None:
    kind = np.dtype(dtype)
    frame = (low + (high - low) * _noisy(12.0)).astype(np.float64)
    stored = (np.rint(frame) if kind.kind in "iu" else frame).astype(kind)
    found = Denoiser(_denoiser())(stored, axes="CYX").astype(np.float64)
    taken = stored - found
    sigma = 12 / 255 * (high - low)
    assert taken.std() == pytest.approx(0.1 * sigma, rel=0.35)
    assert np.abs(taken.reshape(3, 3, 64, 3, 64).mean((2, 4))).max() < max(4 * sigma / 64, 0.3)
    assert np.corrcoef(stored.ravel(), found.ravel())[0, 1] > 0.99


def test_a_told_level_is_in_the_unit_of_the_values() -> None:
    seen: list[FrameNoise] = []
    frame = (1000 + 400 * _noisy(12.0)).astype(np.uint16)
    Denoiser(_denoiser(watch=seen.append))(frame, axes="CYX", sigma=20.0)
    span = float(np.diff(np.quantile(frame, [0.005, 0.995]))[0])
    assert [one.sigma for one in seen] == pytest.approx([20 / span])
    with pytest.raises(ValueError, match="sigma: found -1 at the least, expected more than 0"):
        Denoiser(_denoiser())(frame, axes="CYX", sigma=-1.0)


def test_a_map_tells_the_level_of_each_pixel() -> None:
    level = np.tile(np.linspace(2, 60, 192, dtype=np.float32), (192, 1))
    noisy = 255 * _noisy(level)
    seen: list[FrameNoise] = []
    found = Denoiser(_denoiser(watch=seen.append))(noisy, axes="CYX", white=255.0, sigma=level)
    assert seen[0].known is not None
    taken = (noisy - found) / (0.1 * level)
    assert [float(part.std()) for part in np.split(taken, 4, axis=2)] == pytest.approx([1] * 4, abs=0.5)
    with pytest.raises(
        ValueError, match=r"sigma: found shape \(5,\), expected one value, \(192, 192\) or \(3, 192, 192\)"
    ):
        Denoiser(_denoiser())(noisy, axes="CYX", sigma=np.ones(5))


def test_a_network_of_one_level_gets_images_of_that_level() -> None:
    shown: list[NDArray[np.float32]] = []

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        shown.append(image)
        return image

    noisy = _noisy(50.0)
    same = denoise_at_level(UNet(3, width=4, depth=1), noisy, FrameNoise.told(50 / 255), run, trained=25 / 255)
    np.testing.assert_allclose(same, noisy, atol=1e-6)
    assert shown[0].std() == pytest.approx(25 / 255, rel=0.03)
    assert shown[0].mean() == pytest.approx(0.5, abs=0.01)


def test_weights_are_compared_with_what_is_found() -> None:
    wide = Purpose.of({"normalised": 0.1, "noise_seen": {"sigma": [3.0, 75.0], "correlated": False}})
    narrow = Purpose.of({"noise_seen": {"sigma": [25.0, 25.0], "correlated": False}})
    assert wide.compare(FrameNoise.told(10 / 255)) == [
        "noise: sigma 10 of 255, as told; the weights are for sigma 3 to 75"
    ]
    assert narrow.compare(FrameNoise.told(10 / 255)) == [
        "noise: sigma 10 of 255, as told; brought to the level of the weights, which were trained at sigma 25: "
        "expect less"
    ]
    assert wide.compare(frame_noise(_noisy(0.0)))[0].startswith("no noise to speak of, sigma 0")
    blotched = np.stack([np.kron(one, np.ones((2, 2))) for one in _noisy(30.0, 96)]).astype(np.float32)
    assert "neighbouring pixels share noise" in wide.compare(frame_noise(blotched))[1]


def test_frames_that_differ_are_summed_up() -> None:
    said: list[str] = []
    notes = NoiseNotes(Purpose(True, (3.0, 75.0), False), said.append)
    for sigma in (10.0, 20.0, 0.1):
        notes(FrameNoise([(0.0, (sigma / 255) ** 2)], sigma / 255, span=1.0))
    notes.summarise(len(notes.sigmas))
    assert len(said) == 2
    assert said[1] == "noise of the frames: sigma 0.1 to 20; left as they are: 1"


def test_what_only_later_frames_give_reason_to_doubt_is_said_at_the_end() -> None:
    said: list[str] = []
    notes = NoiseNotes(Purpose(True, (3.0, 75.0), False), said.append)
    blotched = np.stack([np.kron(one, np.ones((2, 2))) for one in _noisy(30.0, 96)]).astype(np.float32)
    for frame in (_noisy(30.0), blotched, blotched):
        notes(frame_noise(frame))
    notes.summarise(len(notes.sigmas))
    assert said[-1].startswith("in 2 of 3 frames: neighbouring pixels share noise")


def test_doubts_of_several_frames_are_one_line() -> None:
    said: list[str] = []
    notes = NoiseNotes(Purpose(True, (3.0, 75.0), False), said.append)
    usual = frame_noise(_noisy(30.0))
    assert usual.measured is not None
    for error in (0.0, 0.3, 0.12, 0.5):
        notes(replace(usual, measured=replace(usual.measured, error=error)))
    notes.summarise(4)
    assert [line for line in said if "may be off" in line] == [said[-1]]
    assert said[-1].startswith("in 3 of 4 frames: the level may be off by 12% to 50% or more: the frame is small")


def test_large_offsets_of_floats_are_kept() -> None:
    frame = 1e12 + 255 * _noisy(12.0).astype(np.float64)
    found = Denoiser(_denoiser())(frame, axes="CYX")
    assert (frame - found).std() == pytest.approx(1.2, rel=0.35)


@pytest.mark.parametrize(("low", "high", "sigma"), [(60000, 60255, 15), (500, 11500, 60), (100, 300, 10)])
def test_whether_there_is_noise_does_not_depend_on_the_scale(low: float, high: float, sigma: float) -> None:
    noise = sigma * np.random.default_rng(1).standard_normal((3, 192, 192))
    frame = np.rint(np.linspace(low, high, 192) + noise)
    frame[0, 5, 5] = 65535  # a hot pixel
    stored = frame.clip(0, 65535).astype(np.uint16)
    assert (Denoiser(_denoiser())(stored, axes="CYX") != stored).mean() > 0.3


def test_where_a_map_tells_no_noise_nothing_changes_and_the_rest_is_denoised() -> None:
    level = np.zeros((192, 192), np.float32)
    level[:, 96:] = 20.0
    noisy = 255 * _noisy(level)
    found = Denoiser(_denoiser())(noisy, axes="CYX", white=255.0, sigma=level)
    np.testing.assert_allclose(found[..., :96], noisy[..., :96], atol=1e-4)
    assert (noisy - found)[..., 100:].std() == pytest.approx(2.0, rel=0.4)


def test_a_gray_frame_is_brought_to_the_level_of_three_equal_channels() -> None:
    shown: list[torch.Tensor] = []

    class Seen(torch.nn.Module):
        multiple = 1

        def forward(self, noisy: torch.Tensor) -> torch.Tensor:
            shown.append(noisy)
            return noisy

    noise = np.random.default_rng(0).standard_normal((1, 128, 128)).astype(np.float32)
    TiledDenoiser(Normalised(Seen()), 3, device=CPU, memory=2**28)(0.5 + 0.1 * noise, None, 0.1)
    assert float(shown[-1].std()) == pytest.approx(25 / 255 / 3**0.5, rel=0.05)


@pytest.mark.parametrize("sigma", [10, 20])
def test_channels_cut_off_in_different_places_have_no_noise_in_common(sigma: int) -> None:
    # A white suit and black ground: there the difference of red and blue has less noise, though nothing is shared.
    whole = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    picture = whole[80:208, 140:268].transpose(2, 0, 1).astype(np.float64)
    noise = np.random.default_rng(0).standard_normal(picture.shape)
    noisy = (np.clip(np.rint(picture + sigma * noise), 0, 255) / 255).astype(np.float32)
    found = frame_noise(noisy)
    assert found.shared == 0.0
    assert 255 * found.sigma == pytest.approx(sigma, rel=0.05)
    alike = (np.clip(np.rint(picture + sigma * noise[:1]), 0, 255) / 255).astype(np.float32)
    assert frame_noise(alike).shared > 0.8
