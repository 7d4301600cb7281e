"""Means of frames and their neighbours, denoised in one pass: the network is told the noise that is left in them."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from self2align.alignment.loading import make_aligner
from self2align.denoising.frames import OneByOne, WithNeighbours, choose_denoise
from self2align.denoising.tiled import TiledDenoiser
from self2align.networks.normalised import LEVEL, Normalised
from self2align.networks.unet import UNet

Frame = NDArray[np.float32]
SIGMA = 0.1


class _Seen(torch.nn.Module):
    """Keeps what it sees, and gives it back."""

    multiple = 1

    def __init__(self) -> None:
        super().__init__()
        self.images: list[torch.Tensor] = []

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        self.images.append(noisy)
        return noisy


def _denoiser(network: torch.nn.Module, *, exact: bool = True) -> TiledDenoiser:
    return TiledDenoiser(Normalised(network), 1, device=torch.device("cpu"), memory=2**28, exact=exact)


def _still(texture: Frame, count: int = 5) -> list[Frame]:
    draws = np.random.default_rng(0).standard_normal((count, 1, 96, 128)).astype(np.float32)
    return [texture[:1, :96, :128] + np.float32(SIGMA) * draw for draw in draws]


def test_the_noise_that_is_left_is_that_of_the_mean(texture: Frame) -> None:
    """A network that changes nothing gives the mean: of five frames a fifth of the variance, where all are trusted."""
    frames, maps = _still(texture), list[Frame]()
    seen = _Seen()
    denoise = WithNeighbours(_denoiser(seen), make_aligner("dis", 1, {}), 2, maps.append, one_pass=True)
    found = list(denoise(iter(frames), sigma=SIGMA))[2]
    error = found - texture[:1, :96, :128]
    left = 1 - maps[2]
    assert left.min() >= 0.2 - 1e-6
    assert np.mean(left) < 0.5
    assert np.mean(error**2) == pytest.approx(SIGMA**2 * np.mean(left), rel=0.15)
    # One pass for each frame. The mirrored margin has been cut off from none of them.
    assert len(seen.images) == len(frames)


def test_the_network_sees_noise_of_its_level_whatever_is_left() -> None:
    flat = np.full((3, 128, 128), 0.5, np.float32)  # no detail to misalign
    seen = _Seen()
    with_neighbours = WithNeighbours(_denoiser(seen), make_aligner("dis", 1, {}), 2, one_pass=True)
    list(with_neighbours(iter(_still(flat)), sigma=SIGMA))
    levels = [float(image.std()) for image in seen.images]
    assert levels == pytest.approx([LEVEL] * len(levels), rel=0.12)


def test_without_a_neighbour_it_is_the_single_frame(texture: Frame) -> None:
    torch.manual_seed(0)
    unet = UNet(1, width=4, depth=1).eval()
    torch.nn.init.normal_(unet.last.weight, std=0.05)
    denoiser = _denoiser(unet, exact=False)
    frame = _still(texture)[0]
    alone = next(OneByOne(denoiser)(iter([frame]), sigma=SIGMA))
    found = next(WithNeighbours(denoiser, make_aligner("dis", 1, {}), 2, one_pass=True)(iter([frame]), sigma=SIGMA))
    np.testing.assert_allclose(found, alone, atol=1e-6)
    other = _still(1 - texture[:, ::-1])[0]  # a cut
    cut = next(
        WithNeighbours(denoiser, make_aligner("dis", 1, {}), 1, one_pass=True)(iter([frame, other]), sigma=SIGMA)
    )
    assert np.sqrt(np.mean((cut - alone) ** 2)) < 0.1 * SIGMA


def test_where_no_noise_was_told_the_frame_stays(texture: Frame) -> None:
    sigma = np.full((96, 128), SIGMA, np.float32)
    sigma[:, :64] = 0
    frames = _still(texture)
    denoise = WithNeighbours(_denoiser(_Seen()), make_aligner("dis", 1, {}), 2, one_pass=True)
    found = list(denoise(iter(frames), sigma=sigma))[2]
    np.testing.assert_array_equal(found[:, :, :64], frames[2][:, :, :64])
    assert np.abs(found - frames[2])[:, :, 64:].mean() > 0.2 * SIGMA


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="one pass: found temporal 0"):
        choose_denoise(_denoiser(_Seen()), one_pass=True)
    plain = TiledDenoiser(_Seen(), 1, device=torch.device("cpu"), memory=2**28)
    with pytest.raises(ValueError, match="one pass: found a network of one level"):
        choose_denoise(plain, radius=1, one_pass=True)
