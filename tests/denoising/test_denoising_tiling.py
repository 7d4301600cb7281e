"""Tiles give what the whole image gives, for every network."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from self2align.denoising import tiling
from self2align.denoising.inference import core, denoise
from self2align.denoising.levels import frame_noise
from self2align.denoising.tiled import TiledDenoiser
from self2align.networks import NETWORKS
from self2align.networks.network import multiple_of
from self2align.networks.normalised import Normalised
from self2align.runtime.families import load
from tests.networks.small import small_network

CPU = torch.device("cpu")
UNBOUNDED = ("nafnet",)


def _network(name: str, channels: int = 1) -> nn.Module:
    """A network whose every layer has an effect, and normalizations that have seen images."""
    torch.manual_seed(3)
    network = small_network(name, channels)
    for parameter in network.parameters():
        if not parameter.abs().sum():
            nn.init.normal_(parameter, std=0.1)
    with torch.no_grad():
        network.train()
        network(torch.rand(4, channels, 32, 32))
    return network.eval()


class _Calmed(nn.Module):
    """Takes off half of what it sees and what a network makes of it: of a wild network's result nothing is used."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.multiple = network, multiple_of(network)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Return images, ``(N, C, H, W)``."""
        made: torch.Tensor = self.network(noisy)
        return 0.5 * noisy + 0.1 * made


def _noisy(channels: int, height: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((channels, height, width), dtype=np.float32)


def _denoiser(network: nn.Module, channels: int, pixels: int) -> TiledDenoiser:
    memory = int(pixels * tiling.bytes_per_pixel(core(network), channels) * tiling.WORKSPACE) + 1
    return TiledDenoiser(network, channels, device=CPU, memory=memory)


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - set(UNBOUNDED)))
def test_tiled_equals_whole(name: str) -> None:
    network = Normalised(_Calmed(_network(name)))
    image = _noisy(1, 149, 203)  # no multiple of anything
    whole = denoise(network, image, square=False, device=CPU)
    denoiser = _denoiser(network, 1, 100 * 100)
    assert len(denoiser.tiles_for(149, 203)) > 3
    assert np.abs(denoiser(image) - whole).max() < 1e-5
    assert np.abs(whole - image).max() > 1e-3, "the network does something"


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - set(UNBOUNDED)))
def test_a_smaller_halo_would_show(name: str) -> None:
    network = _network(name)
    multiple, reach = multiple_of(network), tiling.reach(network, 1)
    assert reach is not None
    # Beyond what is reached nothing matters; what is reached does: half of it is too little.
    halo = reach // 2 // multiple * multiple
    image = _noisy(1, 128, 128)
    plan = tiling.tiles(128, 128, multiple=multiple, halo=halo, pixels=100 * 100)
    tiled = tiling.run_tiles(network, image, plan, blend=False, device=CPU)
    assert np.abs(tiled - denoise(network, image, square=False, device=CPU)).max() > 1e-6


@pytest.mark.parametrize("name", ["dncnn", "memnet", "rednet"])
def test_the_reach_that_is_found_is_the_one_that_is_known(name: str) -> None:
    network = _network(name)
    assert tiling.reach(network, 1) == network.receptive_radius


def test_the_reach_of_a_unet_is_that_of_its_layers() -> None:
    # Two convolutions at full size on the way down and three on the way up; one and two at a half; one at the lowest,
    # a quarter. A pixel's own cell of 4 px comes on top, for where in the cell it lies.
    network = load(NETWORKS, "unet", "network")(1, width=4, depth=2)
    found = tiling.reach(network, 1)
    layers = (2 + 3) * 1 + (1 + 2) * 2 + 1 * 4
    assert found is not None
    assert layers <= found < layers + 4


def test_no_bound_is_found_where_there_is_none() -> None:
    assert tiling.reach(_network("nafnet"), 1) is None


def test_tiles_of_a_network_without_bound_are_blended_smoothly() -> None:
    network = Normalised(_network("nafnet"))
    image = _noisy(1, 192, 320)
    whole = denoise(network, image, square=False, device=CPU)
    assert np.array_equal(_denoiser(network, 1, 256 * 384)(image), whole), "one tile is the whole"
    denoiser = _denoiser(network, 1, 192 * 192)
    assert len(denoiser.tiles_for(192, 320)) > 1
    apart = denoiser(image) - whole
    assert np.abs(apart).max() < 0.05 * np.abs(whole - image).max()
    # From one column to the next the difference grows no more at borders than anywhere.
    steps = np.abs(np.diff(apart.mean(axis=(0, 1))))
    assert steps.max() < 20 * steps.mean()


@pytest.mark.parametrize("halo", [0, 8, 64])
def test_cores_cover_once_and_windows_fit(halo: int) -> None:
    plan = tiling.tiles(256, 328, multiple=8, halo=halo, pixels=200 * 200)
    covered = np.zeros((256, 328), int)
    for tile in plan:
        covered[tile.core] += 1
        rows, columns = tile.window
        assert (rows.stop - rows.start) * (columns.stop - columns.start) <= 200 * 200
        for window, kept, end in zip(tile.window, tile.core, (256, 328), strict=True):
            assert window.start == max(0, kept.start - halo)
            assert window.stop == min(end, kept.stop + halo)
            assert window.start % 8 == window.stop % 8 == 0
    assert (covered == 1).all()


def test_an_image_that_fits_is_one_tile() -> None:
    (tile,) = tiling.tiles(64, 96, multiple=32, halo=32, pixels=64 * 96)
    assert tile.window == tile.core == (slice(0, 64), slice(0, 96))


def test_a_huge_image_is_planned_at_once() -> None:
    plan = tiling.tiles(30_001, 40_003, multiple=1, halo=17, pixels=1_000_000)
    seen = sum((t.window[0].stop - t.window[0].start) * (t.window[1].stop - t.window[1].start) for t in plan)
    assert seen < 1.1 * 30_001 * 40_003


def test_too_little_memory_is_told_with_how_much_is_needed() -> None:
    network = load(NETWORKS, "unet", "network")(1, width=32, depth=2)
    denoiser = TiledDenoiser(network, 1, device=CPU, memory=2**20)
    with pytest.raises(ValueError, match=r"memory: found 1 MiB, expected at least (\d+) MiB for this network") as told:
        denoiser.tiles_for(1024, 1024)
    needed = int(str(told.value).split("at least ")[1].split()[0])
    assert TiledDenoiser(network, 1, device=CPU, memory=needed * 2**20).tiles_for(1024, 1024)


class Layers(nn.Sequential):
    """Layers as a network."""

    multiple = 1


def test_bytes_of_a_pixel_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of one convolution: the image, and as many features as it has.
    one = nn.Conv2d(3, 5, 3, padding=1)
    monkeypatch.setattr(one, "multiple", 1, raising=False)
    assert tiling.bytes_per_pixel(one, 3) == 4 * (3 + 5)
    # A layer's input is gone when the next one's output is there.
    chain = nn.Sequential(*(nn.Conv2d(2, 2, 1) for _ in range(9)))
    monkeypatch.setattr(chain, "multiple", 1, raising=False)
    assert tiling.bytes_per_pixel(chain, 2) <= 4 * 2 * 4


def test_each_channel_alone_through_a_network_of_one() -> None:
    network = Normalised(_network("dncnn"))
    image = _noisy(3, 40, 50)
    whole = TiledDenoiser(network, 1, device=CPU, memory=2**28)(image)
    for channel in range(3):
        expected = denoise(network, image[channel : channel + 1], square=False, device=CPU)
        np.testing.assert_allclose(whole[channel], expected[0], atol=1e-6)


def test_gray_through_a_network_of_three_is_the_mean_of_its_colours() -> None:
    network = Normalised(_network("dncnn", 3))
    image = _noisy(1, 40, 50)
    denoiser = TiledDenoiser(network, 3, device=CPU, memory=2**28)
    expected = denoiser(image.repeat(3, axis=0), noise=frame_noise(image), copies=3).mean(axis=0)
    np.testing.assert_allclose(denoiser(image)[0], expected, atol=1e-6)


def test_progress_counts_tiles_of_all_channels() -> None:
    network = _network("dncnn")
    told: list[tuple[int, int]] = []
    _denoiser(network, 1, 60 * 60)(_noisy(2, 64, 64), lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == len(told) > 2
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
