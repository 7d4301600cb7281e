"""Fusing frames of known motion and known noise."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from self2align.alignment.loading import make_aligner
from self2align.denoising.agreement import SecondLook
from self2align.denoising.averaging import mean_of
from self2align.denoising.fusion import Pilot, frame_noise_variance, fuse
from self2align.denoising.neighbourhoods import windows
from self2align.denoising.wiener import STRIP, opponent, wiener

SIGMA = 0.1


def _decibel(image: Tensor, clean: Tensor) -> float:
    return float(-10 * torch.log10(((image - clean) ** 2).mean()))


def _blurred(image: Tensor) -> Tensor:
    return functional.avg_pool2d(functional.pad(image[None], (2,) * 4, mode="reflect"), 5, 1)[0]


def _pilot(image: Tensor) -> Pilot:
    return Pilot(_blurred(image), SecondLook(_blurred, torch.full_like(image, SIGMA**2)))


@pytest.fixture
def clip(texture: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """Six clean frames of a picture that moves by (2, 1) px a frame, (T, 3, 96, 120), and noisy ones."""
    clean = torch.from_numpy(np.stack([texture[:, 8 + t : 104 + t, 20 + 2 * t : 140 + 2 * t] for t in range(6)]))
    noise = np.random.default_rng(3).standard_normal(clean.shape).astype(np.float32)
    return clean, clean + SIGMA * torch.from_numpy(noise)


def test_the_mean_of_perfect_neighbours_has_the_share_of_noise_that_it_tells() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((5, 3, 64, 64)).astype(np.float32))
    trust = torch.ones(64, 64)
    trust[:32] = 0.0
    mean = mean_of(noise[0], ((one, trust) for one in noise[1:]))
    for values in (mean.share, mean.own):
        torch.testing.assert_close(values[32:], torch.full((32, 64), 1 / 5))
        assert torch.equal(values[:32], torch.ones(32, 64))
    assert float(mean.image[:, 32:].var()) == pytest.approx(1 / 5, rel=0.05)
    assert torch.equal(mean.image[:, :32], noise[0, :, :32])


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_without_noise_the_filter_gives_the_image_back(channels: int, texture: NDArray[np.float32]) -> None:
    image = torch.from_numpy(texture[:channels, :70, :90])
    found = wiener(image, _blurred(image), torch.zeros_like(image))
    torch.testing.assert_close(found, image, rtol=0, atol=1e-5)


def test_a_perfect_first_estimate_takes_most_of_the_noise_away(clip: tuple[Tensor, Tensor]) -> None:
    clean, noisy = clip
    variance = torch.full_like(clean[0], SIGMA**2)
    assert _decibel(wiener(noisy[0], clean[0], variance), clean[0]) > _decibel(noisy[0], clean[0]) + 12


def test_rows_filtered_at_a_time_leave_no_seam(texture: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    image = torch.from_numpy(texture)
    assert image.shape[1] > STRIP
    variance = torch.rand(image.shape, generator=torch.Generator().manual_seed(1)) * SIGMA**2
    whole = wiener(image, _blurred(image), variance)
    monkeypatch.setattr("self2align.denoising.wiener.STRIP", 16)
    torch.testing.assert_close(wiener(image, _blurred(image), variance), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_change_of_colours_keeps_white_noise_white(channels: int) -> None:
    rows = opponent(channels)
    torch.testing.assert_close(rows @ rows.T, torch.eye(channels), rtol=0, atol=1e-6)


def test_noise_that_grows_with_brightness_is_found_in_each_class() -> None:
    # A ramp with the variance of photons: 0.01 x.
    clean = torch.linspace(0.1, 0.9, 240).expand(3, 240, 240)
    draw = torch.from_numpy(np.random.default_rng(1).standard_normal(clean.shape).astype(np.float32))
    noisy = clean + draw * (0.01 * clean).sqrt()
    found = frame_noise_variance(noisy, clean)
    for start in range(0, 240, 30):
        part = np.s_[..., start : start + 30]
        assert float(found[part].mean()) == pytest.approx(0.01 * float(clean[part].mean()), rel=0.15)


def test_every_frame_comes_once_with_its_neighbours_and_no_more_are_held() -> None:
    drawn = []

    def frames() -> Iterator[Tensor]:
        for number in range(5):
            drawn.append(number)
            yield torch.tensor(number)

    seen = [(at, sorted(held), len(drawn)) for at, held in windows(frames(), 1)]
    assert seen == [(0, [0, 1], 2), (1, [0, 1, 2], 3), (2, [1, 2, 3], 4), (3, [2, 3, 4], 5), (4, [3, 4], 5)]
    assert [sorted(held) for _, held in windows(iter(()), 2)] == []


def test_neighbours_add_what_one_frame_does_not_show(clip: tuple[Tensor, Tensor]) -> None:
    clean, noisy = clip
    aligner = make_aligner("dis", 3, {})
    results = {
        radius: torch.stack(list(fuse(noisy, _pilot, aligner, radius=radius, exposure=False))) for radius in (0, 1, 2)
    }
    quality = {
        radius: _decibel(found[2:4, :, 8:-8, 8:-8], clean[2:4, :, 8:-8, 8:-8]) for radius, found in results.items()
    }
    assert quality[1] > quality[0] + 1.0
    assert quality[2] > quality[1] + 0.3


def test_a_frame_depends_on_its_neighbours_alone(clip: tuple[Tensor, Tensor]) -> None:
    _, noisy = clip
    aligner = make_aligner("dis", 3, {})
    whole = list(fuse(noisy, _pilot, aligner, radius=1, exposure=True))
    later = list(fuse(noisy[2:], _pilot, aligner, radius=1, exposure=True))
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], later[1:], strict=True))


def test_another_scene_after_a_cut_adds_nothing(clip: tuple[Tensor, Tensor]) -> None:
    _, noisy = clip
    aligner = make_aligner("dis", 3, {})
    other = torch.rand(noisy[0].shape, generator=torch.Generator().manual_seed(2))
    alone = next(fuse(noisy[:1], _pilot, aligner, radius=1, exposure=False))
    cut = next(fuse([noisy[0], other], _pilot, aligner, radius=1, exposure=False))
    assert _decibel(cut, alone) > 40


def test_neighbours_on_one_side_do_no_harm_where_the_light_changes(texture: NDArray[np.float32]) -> None:
    # The scene changes evenly, as in a dissolve: no gain and offset of a whole frame undo that. The denoiser is good.
    half = torch.from_numpy(texture[:, 8:104, 20:140])
    clean = torch.stack([half[:1] * (t / 10) + half[1:2] * (1 - t / 10) for t in range(6)])
    noise = torch.from_numpy(np.random.default_rng(4).standard_normal(clean.shape).astype(np.float32))
    noisy = clean + 0.02 * noise

    def good(frame: int) -> Callable[[Tensor], Tensor]:
        return lambda image: clean[frame] + 0.3 * (image - clean[frame])

    def edges(guarded: bool) -> list[float]:
        known = iter(range(6))

        def pilot(image: Tensor) -> Pilot:
            denoise = good(next(known))
            look = SecondLook(denoise, torch.full_like(image, 0.02**2))
            return Pilot(denoise(image), look if guarded else None)

        found = list(fuse(noisy, pilot, make_aligner("dis", 1, {}), radius=2, exposure=True))
        return [_decibel(found[at], clean[at]) for at in (0, 5)]

    single = [_decibel(good(at)(noisy[at]), clean[at]) for at in (0, 5)]
    assert all(found < alone - 1.0 for found, alone in zip(edges(False), single, strict=True))
    assert all(found > alone - 0.05 for found, alone in zip(edges(True), single, strict=True))


@pytest.mark.parametrize("order", [(0, 1, 2, 2, 3, 4, 5), (0, 0, 0, 1, 2, 3, 3, 4, 4, 5, 5)])
def test_copies_count_as_one_observation(clip: tuple[Tensor, Tensor], order: tuple[int, ...]) -> None:
    _, noisy = clip
    aligner = make_aligner("dis", 3, {})
    whole = list(fuse(noisy, _pilot, aligner, radius=2, exposure=True))
    repeated = list(fuse(noisy[list(order)], _pilot, aligner, radius=2, exposure=True))
    for frame, found in zip(order, repeated, strict=True):
        if frame in (0, 1, 2) or order.count(5) == 1:  # beyond four frames nothing is looked for
            assert torch.equal(found, whole[frame])


def test_a_block_that_is_copied_is_no_second_observation(clip: tuple[Tensor, Tensor]) -> None:
    clean, noisy = clip
    still = noisy[0].clone()
    second = clean[0] + SIGMA * torch.randn(still.shape, generator=torch.Generator().manual_seed(5))
    second[:, :48] = still[:, :48]
    aligner = make_aligner("dis", 3, {})
    found, alone = (
        next(fuse(frames, lambda frame: Pilot(clean[0]), aligner, radius=1, exposure=False))
        for frames in ([still, second], [still])
    )
    assert torch.equal(found[:, :24], alone[:, :24])
    assert _decibel(found[:, 64:], clean[0][:, 64:]) > _decibel(alone[:, 64:], clean[0][:, 64:])
