"""The level that a network finds itself: as much as it takes off."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from self2align.denoising.consistent import LEAST, WINDOW, consistent_level
from self2align.denoising.tiled import TiledDenoiser
from self2align.networks.normalised import Normalised
from self2align.networks.unet import UNet
from self2align.noise.profile import NoiseProfile
from self2align.stores.weights import save_weights

Image = NDArray[np.float32]


def _noisy(sigma: float, side: int = 96) -> tuple[Image, Image]:
    place = np.linspace(0, 1, side, dtype=np.float32)
    clean = np.broadcast_to(place, (3, side, side)).copy()
    noise = np.random.default_rng(0).normal(0, sigma, clean.shape).astype(np.float32)
    return clean + noise, clean


@pytest.mark.parametrize("start", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_the_level_is_that_of_the_noise_whatever_it_starts_from(sigma: float, start: float) -> None:
    noisy, clean = _noisy(sigma)

    def run(image: Image, level: float) -> Image:
        # It takes off more, the more it is told, but a quarter as much in the logarithm.
        return clean + (image - clean) * np.float32(1 - (level / sigma) ** 0.25)

    assert consistent_level(noisy, 1.0, run, start) == pytest.approx(sigma, rel=0.1)


def test_what_is_clean_has_the_least_level() -> None:
    _, clean = _noisy(0.1)
    assert consistent_level(clean, 2.0, lambda image, level: image) == 2 * LEAST


def test_of_large_frames_windows_are_looked_at_in_place_of_all() -> None:
    seen: list[tuple[int, ...]] = []

    def run(image: Image, level: float) -> Image:
        seen.append(image.shape)
        return image - np.float32(0.03)

    level = consistent_level(np.zeros((3, 700, 1000), np.float32), 1.0, run, 0.1)
    assert level == pytest.approx(0.03, rel=1e-4)
    assert set(seen) == {(3, WINDOW, WINDOW)}
    assert len(seen) == 4


def _blotched(sigma: float, side: int = 256) -> Image:
    white = np.random.default_rng(0).normal(0, 1, (3, side, side)).astype(np.float32)
    blotches = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.5) for plane in white])
    noisy: Image = (0.5 + sigma * blotches / blotches.std()).astype(np.float32)
    return noisy


class _Flat(torch.nn.Module):
    """Returns nothing: what is left of an image is its local mean."""

    multiple = 1

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return 0 * noisy


@pytest.mark.parametrize(("blind", "found"), [(True, 1.0), (False, 0.2)])
def test_a_network_that_was_told_wrong_levels_tells_that_of_noise_that_pixels_share(blind: bool, found: float) -> None:
    noisy = _blotched(0.05)
    denoiser = TiledDenoiser(Normalised(_Flat()), 3, device=torch.device("cpu"), memory=2**28, exact=False, blind=blind)
    assert denoiser.noise_of(noisy, None).sigma / 0.05 == pytest.approx(found, abs=0.15)


def test_a_network_is_told_twice_the_level_that_it_found_but_what_a_user_tells_as_it_is() -> None:
    denoiser = TiledDenoiser(Normalised(_Flat()), 3, device=torch.device("cpu"), memory=2**28, exact=False, blind=True)
    noisy = _blotched(0.05)
    found, told = denoiser.noise_of(noisy, None), denoiser.noise_of(noisy, 0.07)
    batch = torch.from_numpy(noisy)[None]
    assert found.sigma == pytest.approx(0.05, rel=0.15)
    assert float(found.level(batch).mean()) == pytest.approx(2 * found.sigma)
    assert float(told.level(batch).mean()) == pytest.approx(0.07)


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (
            NoiseProfile.white(1, 0.0, 0.01).record(),
            r"w\.safetensors: noise_profile: found noise of 1 channels, expected 3",
        ),
        ({"levels": [0.0]}, r"w\.safetensors: noise_profile: found no"),
    ],
    ids=["channels", "broken"],
)
def test_weights_whose_noise_is_none_of_theirs_are_refused(
    tmp_path: Path, profile: dict[str, Any], message: str
) -> None:
    header = {"kind": "denoiser", "network": "unet", "arguments": {"width": 4, "depth": 1}, "channels": 3}
    save_weights(
        tmp_path / "w.safetensors", UNet(3, width=4, depth=1).state_dict(), {**header, "noise_profile": profile}
    )
    with pytest.raises(ValueError, match=message):
        TiledDenoiser.load(tmp_path / "w.safetensors", device=torch.device("cpu"), memory=2**28)
