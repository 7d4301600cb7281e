import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.families import load
from pipeline.objectives import OBJECTIVES

SIGMA = 25 / 255


class Scaled(nn.Module):
    """A network with a known error: the clean image times a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.clean = torch.zeros(0)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return self.factor * self.clean.expand_as(noisy)


def _batch(clean: torch.Tensor, seed: int, count: int = 16) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    many = clean.expand(count, -1, -1, -1)
    noise = [SIGMA * torch.randn(many.shape, generator=draw) for _ in range(2)]
    height, width = clean.shape[-2:]
    transfer = torch.zeros(count, 2, height, width)
    transfer[:, 0] = 3.0  # the source is the clean picture, moved three px to the right
    confidence = torch.ones(count, height, width)
    confidence[..., -3:] = 0
    source = torch.roll(many + noise[0], 3, -1)
    return {
        "target": many + noise[1],
        "warped": many + noise[0],
        "source": source,
        "first": many + noise[0],
        "second": many + noise[1],
        "transfer": transfer,
        "confidence": confidence,
        "keep": torch.ones(count),
        "gain": torch.ones(count),
        "offset": torch.zeros(count),
    }


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_the_expectation_is_the_true_error_plus_the_noise_variance(name: str, texture: NDArray[np.float32]) -> None:
    objective = load(OBJECTIVES, name, "objective")
    clean = torch.from_numpy(texture)[None, :, :96, :96]
    for factor in (1.0, 0.9, 0.7):
        network = Scaled(factor)
        network.clean = torch.roll(clean, 3, -1) if "source" in objective.needs else clean
        found = float(objective.loss(network, _batch(clean, 5), torch.Generator()))
        error = (((factor - 1) * clean) ** 2).mean()
        if "source" in objective.needs:
            error = (((factor - 1) * clean) ** 2)[..., :-3].mean()
        assert found == pytest.approx(float(error) + SIGMA**2, rel=0.01)


def test_the_warped_prediction_ignores_what_is_not_trusted(texture: NDArray[np.float32]) -> None:
    objective = load(OBJECTIVES, "warped_prediction", "objective")
    clean = torch.from_numpy(texture)[None, :, :64, :64]
    network = Scaled(1.0)
    network.clean = torch.roll(clean, 3, -1)
    batch = _batch(clean, 1, 4)
    batch["confidence"][:, :20] = 0
    plain = float(objective.loss(network, batch, torch.Generator()))
    batch["target"][:, :, :20] = 9.0
    assert float(objective.loss(network, batch, torch.Generator())) == pytest.approx(plain)


def test_the_warped_prediction_follows_the_exposure(texture: NDArray[np.float32]) -> None:
    objective = load(OBJECTIVES, "warped_prediction", "objective")
    clean = torch.from_numpy(texture)[None, :, :64, :64]
    network = Scaled(1.0)
    network.clean = torch.roll(clean, 3, -1)
    batch = _batch(clean, 1, 8)
    batch["target"] = batch["target"] + (0.2 * clean + 0.1)
    batch["gain"], batch["offset"] = torch.full((8,), 1.2), torch.full((8,), 0.1)
    assert float(objective.loss(network, batch, torch.Generator())) == pytest.approx(SIGMA**2, rel=0.02)


@pytest.mark.parametrize("name", ["self2align", "warped_prediction"])
def test_the_sampler_acts_on_the_networks_input(name: str, texture: NDArray[np.float32]) -> None:
    seen: list[torch.Tensor] = []

    class Watching(nn.Module):
        def forward(self, noisy: torch.Tensor) -> torch.Tensor:
            seen.append(noisy)
            return noisy

    batch = _batch(torch.from_numpy(texture)[None, :, :96, :96], 1, 4)
    batch["keep"] = torch.tensor([0.0, 0.25, 0.5, 1.0])
    load(OBJECTIVES, name, "objective").loss(Watching(), batch, torch.Generator().manual_seed(0))
    kept = (seen[0] != 0).float().mean((1, 2, 3))
    assert kept.tolist() == pytest.approx([0, 0.25, 0.5, 1], abs=0.03)
