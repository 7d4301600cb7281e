"""Each network has its paper's parameters and receptive field, and works with any channels and objective."""

import pytest
import torch
from torch import nn

from self2align.networks import NETWORKS
from self2align.networks.dncnn import DnCNN
from self2align.networks.memnet import MemNet
from self2align.networks.nafnet import NAFNet
from self2align.networks.network import build_network, multiple_of
from self2align.networks.normalised import LEVEL, Normalised
from self2align.networks.rednet import RedNet
from self2align.networks.sgn import SGN
from self2align.objectives import OBJECTIVES
from self2align.runtime.families import load
from tests.networks.small import small_network


def _parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _convolutions(network: nn.Module) -> int:
    layers = (m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)))
    return sum(m.weight.numel() for m in layers)


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_states_the_multiple_that_its_input_needs(name: str) -> None:
    network = small_network(name, 2).eval()
    multiple = multiple_of(network)
    assert multiple >= 1
    for factors in ((4, 4), (4, 7), (5, 6)):
        noisy = torch.rand(1, 2, *(factor * multiple for factor in factors))
        assert network(noisy).shape == noisy.shape


def test_a_network_without_multiple_gets_one_clear_line() -> None:
    with pytest.raises(ValueError, match="Conv2d: found no attribute 'multiple', expected") as error:
        multiple_of(nn.Conv2d(1, 1, 1))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_number_of_channels_and_every_weight_learns(name: str, channels: int) -> None:
    torch.manual_seed(0)
    network = small_network(name, channels)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    noisy = torch.rand(2, channels, 32, 48)
    # Some networks start as the identity with a zero last layer, which changes in the first step.
    for _ in range(3):
        optimizer.zero_grad()
        torch.autograd.backward((network(noisy) ** 2).mean())
        optimizer.step()
    assert network(noisy).shape == noisy.shape
    still = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert not still


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains_every_network(name: str, objective: str) -> None:
    torch.manual_seed(0)
    network, chosen = small_network(name, 2), load(OBJECTIVES, objective, "objective")
    names = ("target", "source", "warped", "first", "second", "clean")
    images = {key: torch.rand(2, 2, 32, 32) for key in names}
    batch = images | {"transfer": torch.zeros(2, 2, 32, 32), "confidence": torch.ones(2, 32, 32)}
    batch |= dict.fromkeys(("keep", "gain"), torch.ones(2)) | {"offset": torch.zeros(2), "progress": torch.tensor(0.5)}
    if chosen.neighbours:
        batch |= {key: torch.stack([batch[key]] * 2, 1) for key in ("warped", "confidence")}
    if chosen.levelled:
        network = Normalised(network)
        batch |= {"level": torch.full((2, 1, 1, 1), LEVEL), "weight": torch.ones(2, 1, 1, 1), "white": torch.ones(2)}
    loss = chosen.loss(network, batch, torch.Generator().manual_seed(0))
    torch.autograd.backward(loss)
    assert torch.isfinite(loss)
    assert any(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
def test_training_starts_near_the_identity(name: str) -> None:
    # Adam does not recover in a short training from outputs far beyond white.
    torch.manual_seed(0)
    noisy = torch.rand(2, 3, 64, 64)
    assert float((build_network(name, 3, {})(noisy) - noisy).std()) < 0.5


def test_dncnn_has_the_papers_parameters() -> None:
    # 0.56 M: 17 convolutions without bias, 15 of them normalized.
    assert _parameters(DnCNN(1)) == 9 * 64 + 15 * (9 * 64 * 64 + 2 * 64) + 9 * 64


def test_rednet_has_the_papers_layers() -> None:
    # Fifteen convolutions, fifteen transposed: 28 of 64 to 64 features, the first and the last of one channel.
    assert _parameters(RedNet(1)) == 28 * (9 * 64 * 64 + 64) + (9 * 64 + 64) + (9 * 64 + 1)


def test_memnet_has_the_papers_677_thousand_weights() -> None:
    assert _convolutions(MemNet(1)) == 676_992


@pytest.mark.parametrize(
    ("encoder", "middle", "decoder", "millions"),
    [([1, 1, 1, 28], 1, [1, 1, 1, 1], 17.11), ([2, 2, 4, 8], 12, [2, 2, 2, 2], 29.16)],
)
def test_nafnet_has_the_papers_parameters(encoder: list[int], middle: int, decoder: list[int], millions: float) -> None:
    with torch.device("meta"):
        network = NAFNet(3, width=32, encoder=encoder, middle=middle, decoder=decoder)
    assert _parameters(network) / 1e6 == pytest.approx(millions, abs=0.005)


def test_sgn_works_at_four_sizes_and_guides_upwards() -> None:
    network = SGN(3, width=32, levels=3)
    shapes = {name: tuple(p.shape[:2]) for name, p in network.named_parameters()}
    assert [shapes[f"enter.{n}.0.weight"] for n in range(4)] == [(256, 192), (128, 48), (64, 12), (32, 3)]
    # A quarter of the guide's features reach each position of the next size.
    assert [shapes[f"join.{n}.0.weight"] for n in (1, 2, 3)] == [(128, 128 + 64), (64, 64 + 32), (32, 32 + 16)]


@pytest.mark.parametrize(
    ("network", "radius"),
    [
        (DnCNN(1, width=8), 17),  # 35 px, the paper's
        (RedNet(1, width=8), 30),  # 61 px
        (MemNet(1, width=8, blocks=2, recursions=3), 14),
    ],
)
def test_the_receptive_field_is_the_stated_one(network: nn.Module, radius: int) -> None:
    assert network.receptive_radius == radius
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.1, 0.2)  # nothing cancels, no unit is dead
    size = 2 * radius + 21
    noisy = torch.rand(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    output = network.double().eval()(noisy)
    torch.autograd.backward(output[0, 0, size // 2, size // 2])
    assert noisy.grad is not None
    rows = noisy.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (size // 2 - radius, size // 2 + radius)


def test_nafnet_refuses_different_numbers_of_sizes() -> None:
    with pytest.raises(ValueError, match="encoder, decoder: found 2 and 3 sizes"):
        NAFNet(3, encoder=[1, 1], decoder=[1, 1, 1])
