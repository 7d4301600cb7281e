"""The mean of clipped noise, and what is left when it is undone."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray

from pipeline.clipping import Clipping, find_clipping
from pipeline.networks.unet import UNet
from pipeline.weights import save_weights
from stages.denoise import denoise

GAIN, READ = 0.008, 0.0025
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


def _scene(dark: float) -> NDArray[np.float64]:
    """Shades that go down to a level, ``(4, 1, 160, 160)``."""
    place = np.linspace(0, 1, 160)
    return np.broadcast_to(dark + (0.8 - dark) * place[:, None] * place, (4, 1, 160, 160))


def _noisy(clean: NDArray[np.float64]) -> NDArray[np.float64]:
    return clean + np.sqrt(GAIN * clean + READ) * np.random.default_rng(1).standard_normal(clean.shape)


def test_clipping_is_found_where_the_noise_explains_it() -> None:
    clean = _scene(0.0)
    noisy = _noisy(clean).clip(0, 1)
    denoised = Clipping(GAIN, READ, low=True, high=False).mean(clean)
    found = find_clipping(noisy.astype(np.float32), denoised.astype(np.float32))
    assert found is not None
    assert (found.low, found.high, found.ends) == (True, False, "black")
    assert found.gain == pytest.approx(GAIN, rel=0.2)
    assert found.read == pytest.approx(READ, rel=0.2)
    rest = np.abs(found.undo(denoised.astype(np.float32)) - clean)
    assert np.abs(denoised - clean).max() > 0.015
    assert rest.max() < 0.006


def test_black_that_is_held_above_0_or_has_no_noise_is_left_alone() -> None:
    raised = _scene(0.3)
    assert find_clipping(_noisy(raised).astype(np.float32), raised.astype(np.float32)) is None
    # A codec has taken the noise off in the dark: little lies at 0.
    clean = _scene(0.004)
    faded = np.where(clean < 0.15, clean, _noisy(clean)).clip(0, 1)
    assert find_clipping(faded.astype(np.float32), clean.astype(np.float32)) is None


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
    denoise("in.tif", Path("out.tif"), weights=Path("w.safetensors"))
    assert "clipped at black" in capsys.readouterr().out
    np.testing.assert_allclose(tifffile.imread("out.tif")[1, 5] / 65535, np.linspace(0, 0.5, 64), atol=3e-4)
    denoise("in.tif", Path("left.tif"), weights=Path("w.safetensors"), unclip=False)
    np.testing.assert_array_equal(tifffile.imread("left.tif"), means)
