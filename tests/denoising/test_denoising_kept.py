"""Values that are no picture stay as they are, and what is around them does not change."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from self2align.alignment.loading import make_aligner
from self2align.denoising.denoiser import Denoiser
from self2align.denoising.frames import Kept, OneByOne, WithNeighbours
from self2align.denoising.tiled import TiledDenoiser
from self2align.networks.normalised import Normalised
from self2align.networks.unet import UNet

Values = NDArray[Any]
SIGMA = 0.05


@pytest.fixture
def denoiser() -> TiledDenoiser:
    """A network of random weights, so that every pixel within its reach depends on the others."""
    torch.manual_seed(1)
    unet = UNet(1, width=4, depth=1).eval()
    torch.nn.init.normal_(unet.last.weight, std=0.05)
    return TiledDenoiser(Normalised(unet), 1, device=torch.device("cpu"), memory=2**28, exact=False)


@pytest.fixture
def noisy(texture: NDArray[np.float32]) -> NDArray[np.float32]:
    """A gray frame, (1, 96, 128)."""
    draw = np.random.default_rng(0).standard_normal((1, 96, 128)).astype(np.float32)
    return texture[:1, :96, :128] + np.float32(SIGMA) * draw


ODD = [np.nan, np.inf, -np.inf, 1e7, -1e7]


@pytest.mark.parametrize("value", ODD)
def test_an_odd_pixel_stays_and_changes_nothing_around(
    denoiser: TiledDenoiser, noisy: NDArray[np.float32], value: float
) -> None:
    odd = noisy.copy()
    odd[0, 40, 50] = value
    kept = Kept(OneByOne(denoiser))
    found = next(kept(iter([odd])))
    usual = next(Kept(OneByOne(denoiser))(iter([noisy])))
    assert np.abs(usual - noisy).std() > 0.05 * SIGMA  # the network does change the frame
    np.testing.assert_array_equal(found[0, 40, 50], np.float32(value))
    others = np.ones(noisy.shape, bool)
    others[0, 40, 50] = False
    # The filled pixel differs from the noisy one by its noise.
    assert np.abs(found - usual)[others].max() < 2 * SIGMA
    assert np.abs(found - usual)[others].std() < 0.02 * SIGMA
    assert kept.note.startswith("left as they are in 1 frame, and kept from what is around: 1 values ")


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_border_without_data_stays_and_the_rest_is_denoised(
    denoiser: TiledDenoiser, noisy: NDArray[np.float32], value: float
) -> None:
    border = noisy.copy()
    border[0, :, :40] = value
    found = next(Kept(OneByOne(denoiser))(iter([border])))
    usual = next(Kept(OneByOne(denoiser))(iter([noisy])))
    np.testing.assert_array_equal(found[0, :, :40], border[0, :, :40])
    assert np.isfinite(found[0, :, 40:]).all()
    assert np.abs(found - usual)[0, :, 70:].mean() < 0.2 * SIGMA


def test_frames_without_any_value_stay(denoiser: TiledDenoiser) -> None:
    nothing = np.full((1, 40, 40), np.nan, np.float32)
    np.testing.assert_array_equal(next(Kept(OneByOne(denoiser))(iter([nothing]))), nothing)


def test_what_a_neighbour_lacks_does_not_come_into_a_frame(
    denoiser: TiledDenoiser, texture: NDArray[np.float32]
) -> None:
    draw = np.random.default_rng(4)
    clean = np.stack([texture[:1, t : 96 + t, 2 * t : 128 + 2 * t] for t in range(3)])
    frames = (clean + SIGMA * draw.standard_normal(clean.shape)).astype(np.float32)
    odd = frames.copy()
    odd[1, 0, :, :40] = np.nan
    odd[1, 0, 60, 90] = 1e7
    aligner = make_aligner("dis", 1, {})
    whole = list(Kept(WithNeighbours(denoiser, aligner, 1))(iter(frames)))
    found = list(Kept(WithNeighbours(denoiser, aligner, 1))(iter(odd)))
    np.testing.assert_array_equal(found[1][0, :, :40], odd[1, 0, :, :40])
    assert found[1][0, 60, 90] == np.float32(1e7)
    for at in (0, 2):
        assert np.isfinite(found[at]).all()
        assert np.abs(found[at] - whole[at])[0, :, 60:].mean() < 0.1 * SIGMA
        assert np.abs(found[at] - clean[at]).max() < 10 * SIGMA


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint32", "int32"])
def test_one_pixel_of_ten_million_leaves_the_rest_as_it_was(
    denoiser: TiledDenoiser, noisy: NDArray[np.float32], dtype: str
) -> None:
    frame = np.rint(1000 + 500 * noisy[0]).astype(dtype)
    odd = frame.copy()
    odd[40, 50] = 10_000_001
    usual, found = (Denoiser(denoiser)(one).astype(np.float64) for one in (frame, odd))
    assert found[40, 50] == 10_000_001
    found[40, 50] = usual[40, 50]
    assert np.abs(found - usual).max() < 2 * SIGMA * 500
    assert np.abs(usual - frame).max() > 5  # the network does change the frame


def test_arrays_keep_what_is_not_finite(denoiser: TiledDenoiser, noisy: NDArray[np.float32]) -> None:
    frames = np.stack([100 * noisy[0], 100 * noisy[0]]).astype(np.float64)
    frames[1, :3], frames[0, 9, 9], frames[0, 20, 9] = np.nan, np.inf, -np.inf
    found = Denoiser(denoiser)(frames, axes="TYX")
    np.testing.assert_array_equal(np.isnan(found), np.isnan(frames))
    assert found[0, 9, 9] == np.inf
    assert found[0, 20, 9] == -np.inf
