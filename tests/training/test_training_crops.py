"""Which crops an objective is given, and which the last layer is solved on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from self2align.noise.model import NoiseSettings
from self2align.objectives import OBJECTIVES
from self2align.params.loading import load
from self2align.runtime.families import load as load_member
from self2align.runtime.progress import silent
from self2align.stores.codes import Coding
from self2align.training.crops import Crops
from self2align.training.denoiser import measure_clipping
from self2align.training.solving import last_layer_solver

ROOT = Path(__file__).parents[2]


class Recorder(nn.Module):
    """Records the shapes of its inputs."""

    multiple = 1

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, image: Tensor) -> Tensor:
        """Return the input."""
        self.seen.append(tuple(image.shape))
        return image


def test_an_objective_that_halves_its_crops_gets_larger_ones() -> None:
    """At 32 px the lowest level of the U-Net is one pixel: too little to learn from."""
    settings = load(ROOT / "profiles" / "default.yaml").train_denoiser.settings()
    batch, crop = settings.training.batch, settings.training.crop
    held = {"target": np.random.default_rng(0).random((6, 3, 128, 128), np.float32)}
    coding = Coding(dtype="float32", scale=1.0, offset=0.0)
    crops = Crops(held, {"target": coding}, {}, np.zeros(6, np.int8), 0, None, {}, 0)
    seen = {}
    for name in ("noise2void", "neighbor2neighbor"):
        objective = load_member(OBJECTIVES, name, "objective")
        drawn = crops.training_feed(settings, objective.downscale)(0)
        network = Recorder()
        objective.loss(network, {**drawn, "progress": torch.tensor(0.5)}, torch.Generator())
        seen[name] = network.seen
    assert seen["noise2void"] == [(batch, 3, crop, crop)]
    whole, half = seen["neighbor2neighbor"]
    assert whole == (batch // 4, 3, 2 * crop, 2 * crop), "the same number of pixels"
    assert half == (batch // 4, 3, crop, crop), "as large as under other objectives"


class Shrunk(nn.Module):
    """Subtracts a share of the image."""

    multiple = 1

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(3, 3, 1)
        for weights in self.last.parameters():
            nn.init.zeros_(weights)

    def forward(self, image: Tensor) -> Tensor:
        """Return the image minus the output of the layer."""
        off: Tensor = self.last(image)
        return image - off


@pytest.mark.parametrize("validation", [True, False])
def test_the_last_layer_is_solved_on_training_crops(validation: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("self2align.training.solving.LAST_LAYER_BATCHES", 12)
    monkeypatch.setattr("self2align.training.solving.LAST_LAYER_TESTS", 4)
    params = load(ROOT / "profiles" / "default.yaml")
    noise = NoiseSettings("gaussian", 25.0, None, 30.0)
    sigma, power = noise.sigma / 255, 0.01
    draw = np.random.default_rng(1)
    held = {"target": 0.5 + np.sqrt(power + sigma**2) * draw.standard_normal((40, 3, 128, 128)).astype(np.float32)}
    roles = np.zeros(40, np.int8)
    if validation:
        # Frames without signal: a layer solved on them would subtract everything.
        roles[30:] = 1
        held["target"][30:] = 0.5 + sigma * draw.standard_normal((10, 3, 128, 128)).astype(np.float32)
    coding = Coding(dtype="float32", scale=1.0, offset=0.0)
    columns = {"noise_gain": np.zeros(40, np.float32), "noise_read": np.full(40, sigma**2, np.float32)}
    crops = Crops(held, {"target": coding}, columns, roles, 0, None, {}, params.seed)
    network = Shrunk()
    figures, notes = last_layer_solver(network, crops, params.train_denoiser.settings(), 1, noise, silent)()
    assert "last layer solved and kept" in notes[0]
    off = sigma**2 / (power + sigma**2)
    assert network.last.weight[0, 0].item() == pytest.approx(off, abs=0.02)
    assert abs(network.last.weight[0, 1].item()) < 0.02
    assert figures["last_layer"]["kept"]
    assert figures["last_layer"]["trained_psnr"] == pytest.approx(-10 * np.log10(sigma**2), abs=0.2)


class Blurred(nn.Module):
    """The mean of 15 x 15 px."""

    multiple = 1

    def forward(self, noisy: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(nn.functional.pad(noisy, (7, 7, 7, 7), mode="reflect"), 15, 1)


@pytest.mark.parametrize("name", ["target", "first"])
def test_clipping_is_measured_on_whatever_crops_are_noisy(name: str) -> None:
    """Objectives on clean frames or on two draws have other noisy crops than those on neighbours."""
    draw, sigma = np.random.default_rng(0), 0.05
    true = np.linspace(-0.05, 0.4, 96, dtype=np.float32).clip(0) + np.zeros((16, 3, 96, 1), np.float32)
    noisy = (true + sigma * draw.standard_normal((16, 3, 96, 96))).clip(0, 1).astype(np.float32)
    columns = {"noise_gain": np.zeros(16, np.float32), "noise_read": np.full(16, sigma**2, np.float32)}
    held = {name: noisy, "clean": true}
    coding = Coding(dtype="float32", scale=1.0)
    crops = Crops(held, dict.fromkeys(held, coding), columns, np.zeros(16, np.int8), 0, None, {}, 0)
    found = measure_clipping(Blurred(), crops)
    assert found is not None
    assert found.low
    assert found.read == pytest.approx(sigma**2, rel=0.1)
