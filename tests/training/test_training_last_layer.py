"""Stein's identity gives the error against clean images without them, and so the best last layer."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from self2align.networks import NETWORKS
from self2align.training.last_layer import LastLayer, last_layer, solve_last_layer
from tests.networks.small import small_network

SIGMA = 25 / 255
SPREAD = 0.1  # of the signal
POWER = SPREAD**2


class Ends(nn.Module):
    """A last layer that is the output (0), is added to the image (1) or subtracted from it (-1)."""

    multiple = 1

    def __init__(self, sign: int, before: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.sign, self.before, self.last = sign, before, last

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise."""
        last: Tensor = self.last(self.before(noisy))
        return noisy + self.sign * last if self.sign else last


def _signal(count: int, seed: int) -> Tensor:
    white: Tensor = torch.randn(count, 1, 64, 64, generator=torch.Generator().manual_seed(seed))
    return 0.5 + SPREAD * white


def _noisy(clean: Tensor, seed: int) -> Tensor:
    noise: Tensor = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    noisy: Tensor = clean + SIGMA * noise
    return noisy


@pytest.mark.parametrize("sign", [0, 1, -1])
def test_for_white_signals_the_last_layer_becomes_wieners_filter(sign: int) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(1, 1, 3, padding=1)
    network = Ends(sign, nn.Identity(), convolution).eval()
    last = last_layer(network, 1)
    assert (last.layer, last.sign) == (convolution, sign or 1)
    batches = torch.chunk(_noisy(_signal(64, 1), 2), 8)
    found = solve_last_layer(network, last, batches, [_noisy(_signal(16, 3), 4)], SIGMA, 0)
    kept = POWER / (POWER + SIGMA**2)
    wanted = torch.zeros(3, 3)
    wanted[1, 1] = {0: kept, 1: kept - 1, -1: 1 - kept}[sign]
    # Estimated from a quarter of a million pixels.
    assert torch.allclose(convolution.weight[0, 0], wanted, atol=0.008)
    grey = network(torch.full((1, 1, 32, 32), 0.5)).detach()
    assert float(grey[..., 8:-8, 8:-8].mean()) == pytest.approx(0.5, abs=2e-3)
    assert found.better
    assert found.after == pytest.approx(POWER * (1 - kept), rel=0.05)


def _pictures(texture: NDArray[np.float32]) -> Tensor:
    """Return crops of a picture with three different color channels, ``(N, 3, 64, 64)``."""
    gray = torch.from_numpy(texture)[0]
    colours = torch.stack([gray, gray.flip(0), 0.5 * gray + 0.25 * gray.flip(1)])
    rows = [part for band in torch.split(colours, 64, 1) for part in torch.split(band, 64, 2)]
    return torch.stack([part for part in rows if part.shape[-2:] == (64, 64)])


@pytest.mark.parametrize("end", [nn.Conv2d, nn.ConvTranspose2d])
def test_the_estimate_equals_the_error_on_other_frames(end: type[nn.Module], texture: NDArray[np.float32]) -> None:
    torch.manual_seed(1)
    clean = _pictures(texture)
    before = nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.LeakyReLU(0.1), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
    network = Ends(-1, before, end(8, 3, 3, padding=1)).eval()
    noisy = _noisy(clean, 3)

    def error() -> float:
        with torch.no_grad():
            difference = (network(noisy[1::2]) - clean[1::2])[..., 8:-8, 8:-8]
        return float((difference**2).mean())

    at_first = error()
    found = solve_last_layer(network, last_layer(network, 3), [noisy[::2]], [noisy[1::2]], SIGMA, 0)
    assert found.before == pytest.approx(at_first, rel=0.05)
    assert found.after == pytest.approx(error(), rel=0.05)
    assert error() < 0.8 * at_first


def test_a_layer_that_overfits_the_noise_is_not_kept() -> None:
    """Thousands of weights from one small crop: better there, worse on all other frames."""
    torch.manual_seed(2)
    network = Ends(-1, nn.Sequential(nn.Conv2d(1, 200, 5, padding=2), nn.ReLU()), nn.Conv2d(200, 1, 3, padding=1))
    last = last_layer(network, 1)
    nn.init.zeros_(last.layer.weight)
    before = last.weights()
    found = solve_last_layer(
        network, last, [_noisy(_signal(1, 1), 2)[..., :32, :32]], [_noisy(_signal(8, 3), 4)], SIGMA, 0
    )
    assert not found.better
    assert torch.equal(last.weights(), before)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_ends_in_a_layer_that_can_be_solved(name: str) -> None:
    network = small_network(name, 3)
    found = last_layer(network, 3)
    assert network.training, "the mode stays the same"
    inputs = found.layer.in_channels
    found.put(torch.randn(found.weights().shape, generator=torch.Generator().manual_seed(0)).double())
    seen = torch.rand(2, inputs, 9, 8)
    with torch.no_grad():
        made = torch.einsum("kc,nkhw->nchw", found.weights().float(), found.features(seen))
        assert torch.allclose(made, found.layer(seen), atol=1e-4)


def test_a_transposed_convolution_is_treated_as_the_equal_convolution() -> None:
    torch.manual_seed(2)
    turned, plain = nn.ConvTranspose2d(2, 3, 3, padding=1), nn.Conv2d(2, 3, 3, padding=1)
    image = torch.rand(1, 2, 16, 16)
    with torch.no_grad():
        LastLayer(plain, 1).put(LastLayer(turned, 1).weights())
        assert torch.allclose(plain(image), turned(image), atol=1e-6)


class Layers(nn.Sequential):
    """Layers as a network."""

    multiple = 1


OTHERS = [
    Layers(nn.Conv2d(1, 1, 3, padding=1), nn.Sigmoid()),
    Layers(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")),
    Layers(nn.Conv2d(1, 1, 3)),
]


@pytest.mark.parametrize("network", OTHERS)
def test_a_network_with_another_end_is_refused(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "multiple", 1, raising=False)
    with pytest.raises(ValueError, match="does not end in a convolution that is its output"):
        last_layer(network, 1)
