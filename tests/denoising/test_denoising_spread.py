"""Noise that pixels and channels share: how it spreads over coefficients, and who judges there."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from self2align.alignment.loading import make_aligner
from self2align.denoising.agreement import Verdict, confirm
from self2align.denoising.frames import WithNeighbours
from self2align.denoising.fusion import Pilot, fuse, halves
from self2align.denoising.neighbourhoods import rank
from self2align.denoising.spread import known_spread, measured_spread
from self2align.denoising.wiener import BLOCK, bank, opponent, wiener
from self2align.noise.profile import NoiseProfile
from tests.media.running import Run

SIGMA = 0.1


def _blurred_noise(channels: int) -> NoiseProfile:
    """White noise after the mean of 3 x 3 px; half of its variance is common to all channels."""
    taps = np.convolve(np.ones(3), np.ones(3)) / 3
    between = np.where(np.eye(channels, dtype=bool), 1.0, 0.5)
    covariance = between[..., None, None] * np.outer(taps, taps)
    return NoiseProfile(np.array([0.0, 1.0]), np.full((channels, 2), SIGMA**2), covariance)


def _noise(shape: tuple[int, int, int, int], seed: int) -> Tensor:
    return SIGMA * _blurred_noise(shape[1]).draw(shape, torch.Generator().manual_seed(seed))


def _decibel(image: Tensor, clean: Tensor) -> float:
    return float(-10 * torch.log10(((image - clean) ** 2).mean()))


@pytest.mark.parametrize("channels", [1, 3])
def test_white_noise_is_the_same_in_each_coefficient(channels: int) -> None:
    found = known_spread(NoiseProfile.white(channels, 0.01, 0.02))
    torch.testing.assert_close(found, torch.ones(channels, BLOCK**2), rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_spread_of_known_noise_is_that_of_drawn_noise(channels: int) -> None:
    noise = _noise((1, channels, 640, 640), 1)
    planes = torch.einsum("oc,nchw->onhw", opponent(channels), noise)
    drawn = functional.conv2d(planes, bank(), stride=BLOCK).square().mean((2, 3)) / SIGMA**2
    known = known_spread(_blurred_noise(channels))
    torch.testing.assert_close(drawn, known, rtol=0.12, atol=0.01)
    # The mean of a block: 9 of 1 in the limit of large blocks; brightness has twice, differences half of the variance.
    assert known[0, 0] > 6 * (2 if channels == 3 else 1)


def test_the_spread_is_measured_where_neighbours_are_trusted(texture: NDArray[np.float32]) -> None:
    clean = torch.from_numpy(texture)
    first, second = clean + _noise((2, *clean.shape), 2)
    trust = torch.ones(clean.shape[1:])
    second[:, :72] += clean[:, :72].flip(1)  # misaligned
    trust[:72] = 0.0
    variance = torch.full_like(clean, SIGMA**2)
    found = measured_spread(first, [(second, trust)], variance)
    assert found is not None
    ratio = (found / known_spread(_blurred_noise(3)))[:, [0, 1, BLOCK, BLOCK + 1]]
    assert float(ratio.mean()) == pytest.approx(1, abs=0.1)
    assert measured_spread(first, [(second, 0 * trust)], variance) is None
    assert measured_spread(first, [], variance) is None


def test_noise_that_is_filtered_as_it_spreads_leaves_less(texture: NDArray[np.float32]) -> None:
    clean = torch.from_numpy(texture)
    noisy = clean + _noise((1, *clean.shape), 3)[0]
    variance = torch.full_like(clean, SIGMA**2)
    white, right = (wiener(noisy, clean, variance, spread) for spread in (None, known_spread(_blurred_noise(3))))
    smooth = wiener(noisy, clean, variance, known_spread(_blurred_noise(3)), clean)
    assert _decibel(right, clean) > _decibel(white, clean) + 0.4
    assert _decibel(smooth, clean) > _decibel(right, clean) + 5


def test_neighbours_tell_the_truth_from_an_estimate_that_holds_the_noise_of_the_frame() -> None:
    clean = torch.full((3, 96, 96), 0.5)
    frame, *judges = clean + _noise((3, *clean.shape), 4)
    trusted = [(judge, torch.ones(96, 96)) for judge in judges]
    to_noise = confirm(clean, frame, [Verdict(frame - clean, trusted)])
    to_truth = confirm(frame, clean, [Verdict(clean - frame, trusted)])
    assert float((to_noise - clean).square().mean()) < 0.02 * SIGMA**2
    assert float((to_truth - clean).square().mean()) < 0.2 * SIGMA**2
    assert torch.equal(confirm(clean, frame, [Verdict(frame - clean, [(judges[0], torch.zeros(96, 96))])]), clean)
    assert torch.equal(confirm(clean, frame, []), clean)


@pytest.mark.parametrize(("step", "share"), [(0.5 / 255, 0.0), (3 / 255, 1 - 1.5**2 / 2 / 3**2)])
def test_of_little_differences_the_part_that_frames_have_of_their_own_is_left_out(step: float, share: float) -> None:
    single = torch.full((3, 96, 96), 0.5)
    fused = single + step
    found = confirm(single, fused, [Verdict(fused - single, [(fused, torch.ones(96, 96))])])
    torch.testing.assert_close((found - single) / step, torch.full_like(single, share), rtol=0, atol=1e-3)


def _pilot(image: Tensor) -> Pilot:
    blurred = functional.avg_pool2d(functional.pad(image[None], (3,) * 4, mode="reflect"), 7, 1)[0]
    return Pilot(blurred, shared=torch.full_like(image, SIGMA**2))


@pytest.mark.parametrize("known", [False, True])
def test_neighbours_add_what_one_frame_does_not_show(texture: NDArray[np.float32], known: bool) -> None:
    clean = torch.from_numpy(np.stack([texture[:, 8 + t : 104 + t, 20 + 2 * t : 140 + 2 * t] for t in range(5)]))
    noisy = clean + _noise((5, *clean.shape[1:]), 5)
    profile = _blurred_noise(3) if known else None
    aligner = make_aligner("dis", 3, {})
    found = list(fuse(noisy, _pilot, aligner, radius=2, exposure=False, noise=profile))
    single = _pilot(noisy[2]).image
    assert _decibel(found[2], clean[2]) > _decibel(single, clean[2]) + 0.2


def test_a_frame_after_a_cut_stays_the_single_estimate(texture: NDArray[np.float32]) -> None:
    clean = torch.from_numpy(texture[:, :96, :120])
    frames = torch.stack([clean, torch.rand(clean.shape, generator=torch.Generator().manual_seed(2))])
    frames = frames + _noise((2, *clean.shape), 6)
    found = next(fuse(frames, _pilot, make_aligner("dis", 3, {}), radius=1, exposure=False))
    assert _decibel(found, _pilot(frames[0]).image) > 40


def test_even_motion_cancels_in_each_half_of_the_neighbours() -> None:
    others = [2, 3, 4, 6, 7, 8]  # 5 is the frame
    ranks = {other: rank(other, others, 5) for other in others}
    assert ranks == {2: 2, 3: 1, 4: 0, 6: 0, 7: 1, 8: 2}
    nothing = torch.zeros(1)
    even, odd = halves([(ranks[other], torch.tensor(other - 5), nothing) for other in others])
    assert [[int(away) for _, away, _ in half] for half in (even, odd)] == [[-3, -1, 1, 3], [-2, 2]]
    sides = halves([(0, torch.tensor(away), nothing) for away in (-1, 1)])
    assert [[int(away) for _, away, _ in half] for half in sides] == [[-1], [1]]


@pytest.mark.parametrize(("profile", "white"), [(None, True), (NoiseProfile.white(3, 0, 1), True), (3, False)])
def test_weights_say_that_pixels_share_noise(
    profile: NoiseProfile | int | None, white: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    denoiser = Run(3).denoiser
    denoiser.profile = known = _blurred_noise(profile) if isinstance(profile, int) else profile
    seen: list[tuple[Pilot | None, NoiseProfile | None]] = []

    def fused(
        frames: Iterator[Tensor], alone: Callable[[Tensor], Pilot | None], *_: object, **told: Any
    ) -> list[Tensor]:
        seen.append((alone(next(iter(frames))), told["noise"]))
        return []

    monkeypatch.setattr("self2align.denoising.frames.fuse", fused)
    list(WithNeighbours(denoiser, make_aligner("dis", 3, {}), 1)(iter([np.zeros((3, 32, 32), np.float32)]), sigma=0.1))
    ((pilot, noise),) = seen
    assert pilot is not None
    assert (pilot.shared is None, pilot.look is not None, noise is None) == (white, white, white)
    assert white or noise is known
