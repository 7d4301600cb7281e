"""False colour: what demosaicking guesses goes, what stands out of the noise stays."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from self2align.alignment.dis import Dis
from self2align.denoising.false_colour import MOST, without_false_colour
from self2align.denoising.frames import WithNeighbours
from self2align.denoising.tiled import TiledDenoiser
from self2align.networks.normalised import Normalised
from self2align.noise.camera import Camera, frame_draw

Image = NDArray[np.float32]
LUMA = np.array([0.2126, 0.7152, 0.0722])


def _gray_texture(side: int = 96) -> Image:
    y, x = np.mgrid[:side, :side]
    fine = 0.5 + 0.3 * np.sin(2.4 * x + 0.3 * y) * np.sin(0.2 * x - 2.2 * y)
    return np.broadcast_to(fine.astype(np.float32), (3, side, side)).copy()


def test_colours_that_demosaicking_made_of_gray_go_and_luma_stays() -> None:
    """Fine gray texture under a Bayer filter, without noise: all colour is false."""
    clean = _gray_texture()
    seen = Camera(peak=1e12, read=0.0).sample(clean, frame_draw(0, "clip", 0))
    made = without_false_colour(seen, 1.0)
    before, after = (np.square(one[0] - one[2]).mean() for one in (seen, made))
    assert before > 1e-3
    assert after < before / 3
    assert np.square(made - clean).mean() < 0.8 * np.square(seen - clean).mean()
    np.testing.assert_allclose(np.tensordot(LUMA, made, 1), np.tensordot(LUMA, seen, 1), atol=1e-3)


def test_gray_stays_gray() -> None:
    gray = _gray_texture()
    np.testing.assert_allclose(without_false_colour(gray, 0.1), gray, atol=2e-4)


def test_a_thin_coloured_line_loses_no_more_than_noise() -> None:
    image = np.full((3, 32, 32), 0.2, np.float32)
    image[0, :, 16] = 0.9
    sigma = 0.02
    made = without_false_colour(image, sigma)
    changed = np.abs(made - image)
    assert changed[:, :, :14].max() < 1e-3
    assert made[0, 16, 16] - made[1, 16, 16] > 0.7 - 2 * MOST * sigma * 1.6
    assert changed.max() <= MOST * sigma * 1.9


class _Same(torch.nn.Module):
    multiple = 1

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return noisy


@pytest.mark.parametrize(
    ("blind", "whites", "changes"),
    [
        (True, {"video": 1.0}, True),
        (True, {"uint8": 255.0}, True),
        (True, {"uint16": 4095.0}, False),
        (True, {}, False),
        (False, {"uint8": 255.0}, False),
    ],
)
def test_only_weights_of_camera_footage_take_false_colour_off(
    blind: bool, whites: dict[str, float], changes: bool
) -> None:
    network = Normalised(_Same())
    denoiser = TiledDenoiser(
        network, 3, device=torch.device("cpu"), memory=2**28, exact=False, blind=blind, whites=whites
    )
    noisy = np.random.default_rng(0).uniform(0.3, 0.7, (3, 64, 64)).astype(np.float32)
    assert (np.abs(denoiser(noisy, sigma=0.05) - noisy).max() > 0.05) == changes
    one = denoiser(noisy[:1], sigma=0.05)
    np.testing.assert_allclose(one, noisy[:1], atol=1e-5)  # gray has no colour


def test_a_map_of_the_noise_tells_how_much_colour_may_change_at_each_pixel() -> None:
    network = Normalised(_Same())
    denoiser = TiledDenoiser(
        network, 3, device=torch.device("cpu"), memory=2**28, exact=False, blind=True, whites={"uint8": 255.0}
    )
    noisy = np.random.default_rng(0).uniform(0.3, 0.7, (3, 64, 64)).astype(np.float32)
    sigma = np.zeros((64, 64), np.float32)
    sigma[:, 32:48], sigma[:, 48:] = 0.01, 0.05
    changed = np.abs(denoiser(noisy, sigma=sigma) - noisy)
    assert not changed[:, :, :32].any()
    assert 0.01 < changed[:, :, 32:48].max() <= MOST * 0.01 * 1.9
    assert changed[:, :, 48:].max() > 0.05


@pytest.mark.parametrize(("blur", "changes"), [(0.0, False), (1.2, True)])
def test_noise_that_is_found_to_be_white_leaves_colours_alone(blur: float, changes: bool) -> None:
    """Nothing was demosaicked where the noise of neighbouring pixels is independent."""
    noise = np.random.default_rng(0).normal(0, 1, (3, 256, 256))
    noise = gaussian_filter(noise, (0, blur, blur)) if blur else noise
    noisy = (0.5 + 0.05 * noise / noise.std()).astype(np.float32)
    denoiser = TiledDenoiser(
        Normalised(_Same()),
        3,
        device=torch.device("cpu"),
        memory=2**28,
        exact=False,
        blind=True,
        whites={"video": 1.0},
    )
    assert (np.abs(denoiser(noisy) - noisy).max() > 0.002) == changes


def test_what_neighbours_bring_back_goes_too() -> None:
    """Every frame has the same false colour: the mean of noisy frames restores it, as neighbours agree on it."""
    texture = _gray_texture()
    false = 0.08 * np.sin(2.6 * np.arange(96, dtype=np.float32))
    seen = texture + np.stack([np.broadcast_to(sign * false, (96, 96)) for sign in (1, 0, -1)])
    rng = np.random.default_rng(0)
    frames = [(seen + rng.normal(0, 0.01, seen.shape)).astype(np.float32) for _ in range(7)]
    denoiser = TiledDenoiser(
        Normalised(_Same()),
        3,
        device=torch.device("cpu"),
        memory=2**28,
        exact=False,
        blind=True,
        whites={"video": 1.0},
    )
    fuse = WithNeighbours(denoiser, Dis(3), 2)
    fused, stack = (list(fuse(iter(frames), sigma=0.01, colours=colours))[3] for colours in (True, False))
    single = denoiser(frames[3], sigma=0.01)
    before, alone, after, channels = (np.square(one[0] - one[2]).mean() for one in (frames[3], single, fused, stack))
    assert alone < before / 2
    assert after < 1.05 * alone
    assert channels > 0.9 * before  # what differs between channels that are no colours stays
