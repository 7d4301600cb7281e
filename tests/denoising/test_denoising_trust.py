"""Maps of trust tell by how much the mean of a frame and its neighbours lowers the noise."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from self2align.alignment.aligned import Aligned
from self2align.denoising import neighbourhoods
from self2align.denoising.agreement import SecondLook
from self2align.denoising.fusion import Pilot, fuse
from self2align.noise.profile import NoiseProfile

SIGMA, SIDE, COUNT = 0.1, 48, 6


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[[Tensor], None]:
    """Frames that lie on each other, with a confidence that a test tells."""

    def tell(confidence: Tensor) -> None:
        def align_both(first: Tensor, *_: Any) -> tuple[Aligned, Aligned]:
            one = Aligned(first, torch.zeros(2, SIDE, SIDE), confidence, 1.0, 0.0)
            return one, one

        monkeypatch.setattr(neighbourhoods, "align_both", align_both)

    return tell


def _noise() -> Tensor:
    draw = np.random.default_rng(0).standard_normal((COUNT, 3, SIDE, SIDE), np.float32)
    return 0.5 + SIGMA * torch.from_numpy(draw)


def _pilot(shared: bool) -> Callable[[Tensor], Pilot]:
    def denoise(image: Tensor) -> Pilot:
        flat, variance = torch.full_like(image, 0.5), torch.full_like(image, SIGMA**2)
        return Pilot(flat, shared=variance) if shared else Pilot(flat, SecondLook(lambda one: 0 * one + 0.5, variance))

    return denoise


def _maps(frames: Tensor, denoise: Any, radius: int, noise: NoiseProfile | None = None) -> list[Tensor]:
    maps: list[Tensor] = []
    made = []
    for number, clean in enumerate(
        fuse(frames, denoise, lambda *_: None, radius=radius, exposure=False, noise=noise, trust=maps.append)  # type: ignore[arg-type]
    ):
        assert len(maps) == number + 1, "the map comes before its frame"
        made.append(clean)
    plain = fuse(frames, denoise, lambda *_: None, radius=radius, exposure=False, noise=noise)  # type: ignore[arg-type]
    assert all(torch.equal(one, other) for one, other in zip(made, plain, strict=True))
    return maps


@pytest.mark.parametrize("shared", [False, True])
def test_it_is_the_share_of_noise_that_the_mean_takes_off(known: Any, shared: bool) -> None:
    confidence = torch.zeros(SIDE, SIDE)
    confidence[:, SIDE // 2 :] = 1.0
    known(confidence)
    frames = _noise()
    maps = _maps(frames, _pilot(shared), 2)
    for number, counted in enumerate((3, 4, 5, 5, 4, 3)):  # with itself, neighbours up to two away
        found = maps[number]
        assert torch.equal(found[:, : SIDE // 2], torch.zeros(SIDE, SIDE // 2))
        torch.testing.assert_close(found[:, SIDE // 2 :], torch.full((SIDE, SIDE // 2), 1 - 1 / counted))
        mean = frames[max(0, number - 2) : number + 3].mean(0)[..., SIDE // 2 :]
        assert 1 - float(mean.var()) / SIGMA**2 == pytest.approx(1 - 1 / counted, abs=0.02)


def test_what_has_no_noise_is_left_alone_and_trusts_nobody(known: Any) -> None:
    known(torch.ones(SIDE, SIDE))
    for found in _maps(_noise(), lambda image: None, 1):
        assert torch.equal(found, torch.zeros(SIDE, SIDE))
