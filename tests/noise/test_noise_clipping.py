"""The mean of clipped noise, and what is left when it is undone."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray

from self2align.networks.unet import UNet
from self2align.noise.clipping import Clipping, find_clipping
from self2align.stages.tools.denoise import denoise
from self2align.stores.weights import save_weights

GAIN, READ = 0.008, 0.0025
Footage = tuple[NDArray[np.float64], NDArray[np.float64], float]  # noisy, denoised, distance of two codes
LEVELS = np.linspace(0, 1, 11)


def _draws(level: float, count: int = 400_000) -> NDArray[np.float64]:
    draw = np.random.default_rng(round(100 * level))
    return np.asarray(level + np.sqrt(GAIN * level + READ) * draw.standard_normal(count))


@pytest.mark.parametrize(("low", "high"), [(True, True), (True, False), (False, True)])
def test_the_mean_is_that_of_clipped_draws_and_is_undone(low: bool, high: bool) -> None:
    clipping = Clipping(GAIN, READ, low, high)
    ends = (0.0 if low else -9.0, 1.0 if high else 9.0)
    drawn = np.array([_draws(level).clip(ends[0], ends[1]).mean() for level in LEVELS])
    np.testing.assert_allclose(clipping.mean(LEVELS), drawn, atol=6e-4)
    assert (clipping.mean(LEVELS)[0] > 0.015) == low
    np.testing.assert_allclose(clipping.undo(clipping.mean(LEVELS).astype(np.float32)), LEVELS, atol=2e-4)
    inside = np.array([0.4, 0.6], np.float32)
    np.testing.assert_allclose(clipping.undo(inside), inside, atol=1e-4)


def test_beyond_an_end_that_was_not_clipped_nothing_changes() -> None:
    values = np.array([-0.2, -0.01, 0.5, 1.1], np.float32)
    np.testing.assert_allclose(Clipping(GAIN, READ, low=False, high=True).undo(values)[:3], values[:3], atol=1e-4)
    np.testing.assert_array_equal(Clipping(GAIN, READ, low=True, high=False).undo(values)[[0, 1, 3]], [0, 0, values[3]])


def _scene(dark: float, light: float) -> NDArray[np.float64]:
    """Shades between two levels, ``(4, 1, 160, 160)``."""
    place = np.linspace(0, 1, 160)
    return np.broadcast_to(dark + (light - dark) * place[:, None] * place, (4, 1, 160, 160))


def _noisy(clean: NDArray[np.float64]) -> NDArray[np.float64]:
    return clean + np.sqrt(GAIN * clean + READ) * np.random.default_rng(1).standard_normal(clean.shape)


def _bars(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frames with black above and below."""
    barred = frames.copy()
    barred[..., :12, :] = barred[..., -12:, :] = 0
    return barred


@pytest.mark.parametrize("bars", [False, True])
@pytest.mark.parametrize(("light", "ends"), [(0.8, "black"), (1.05, "black and white")])
@pytest.mark.parametrize("step", [0.0, 1 / 255])
def test_clipping_is_found_where_the_noise_explains_it(light: float, ends: str, step: float, bars: bool) -> None:
    clean = _scene(0.0, light)
    noisy = _noisy(clean).clip(0, 1)
    denoised = Clipping(GAIN, READ, low=True, high=True).mean(clean)
    if step:
        noisy = np.rint(noisy / step) * step
    if bars:
        clean, noisy, denoised = _bars(clean), _bars(noisy), _bars(denoised)
    found = find_clipping(noisy.astype(np.float32), denoised.astype(np.float32), step)
    assert found is not None
    assert found.ends == ends
    rest = np.abs(found.undo(denoised.astype(np.float32)) - clean.clip(0, 1))
    assert np.abs(denoised - clean.clip(0, 1)).max() > 0.0195  # two fifths of the noise's standard deviation at black
    assert rest.max() < 0.006  # what remains is the error of the estimated noise


def _raised() -> Footage:
    """Black that is held above 0, with bars that are not."""
    clean = _bars(_scene(0.3, 0.8))
    return _bars(_noisy(_scene(0.3, 0.8)).clip(0, 1)), clean, 0.0


def _compressed() -> Footage:
    """A codec has taken the noise off in the dark, and there are bars."""
    clean = _scene(0.0, 0.8)
    left = np.where(clean < 0.06, clean, clean + 0.03 * np.random.default_rng(0).standard_normal(clean.shape))
    return _bars(np.rint(255 * left.clip(0, 1)) / 255), _bars(clean), 1 / 255


def _dark_subtracted() -> Footage:
    """Floats around 0: nothing was cut off."""
    clean = _scene(0.0, 0.8)
    return _noisy(clean), clean, 0.0


def _beyond_white() -> Footage:
    """Values of more than 1, as where white was chosen too low."""
    clean = _scene(0.3, 1.6)
    return _noisy(clean), clean, 0.0


def _counted(codes: int, rounded: bool) -> Footage:
    clean = _scene(0.0, 0.8)
    photons = 256 / codes
    return np.random.default_rng(0).poisson(clean * photons) / photons, clean, 1 / 256 if rounded else 0.0


@pytest.mark.parametrize(
    "footage",
    [
        _raised(),
        _compressed(),
        _dark_subtracted(),
        _beyond_white(),
        _counted(1, True),
        _counted(4, True),
        _counted(4, False),
    ],
    ids=["raised", "compressed", "dark subtracted", "beyond white", "photons", "photons of four codes", "unrounded"],
)
def test_what_was_not_cut_off_is_left_alone(footage: Footage) -> None:
    noisy, denoised, step = footage
    assert find_clipping(noisy.astype(np.float32), denoised.astype(np.float32), step) is None


def test_noise_of_a_few_codes_of_sixteen_bits_is_undone_as_well() -> None:
    clipping = Clipping(0.0, (4 / 65535) ** 2, low=True, high=False)
    codes = np.array([1, 2, 4, 8, 20]) / 65535
    np.testing.assert_allclose(clipping.undo(clipping.mean(codes).astype(np.float32)), codes, rtol=0.01)


def test_denoise_undoes_what_the_weights_tell_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    clipping = Clipping(GAIN, READ, low=True, high=False)
    torch.manual_seed(0)
    network = UNet(1, width=4, depth=1)  # begins as the identity
    header = {"kind": "denoiser", "network": "unet", "channels": 1, "arguments": {"width": 4, "depth": 1}}
    save_weights(Path("w.safetensors"), network.state_dict(), {**header, "clipping": clipping.told()})
    means = np.rint(65535 * np.broadcast_to(clipping.mean(np.linspace(0, 0.5, 64)), (2, 64, 64))).astype(np.uint16)
    tifffile.imwrite("in.tif", means, photometric="minisblack")
    denoise("in.tif", Path("out.tif"), weights=Path("w.safetensors"), sigma=2000.0)  # the means have no noise
    assert "clipped at black" in capsys.readouterr().out
    np.testing.assert_allclose(tifffile.imread("out.tif")[1, 5] / 65535, np.linspace(0, 0.5, 64), atol=3e-4)
    denoise("in.tif", Path("left.tif"), weights=Path("w.safetensors"), unclip=False)
    np.testing.assert_array_equal(tifffile.imread("left.tif"), means)
