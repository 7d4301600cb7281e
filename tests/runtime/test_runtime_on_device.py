"""What holds on the device in use: marked gpu, so that it is run again where there is one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from self2align.denoising.tiled import TiledDenoiser
from self2align.networks.normalised import Normalised
from self2align.networks.unet import UNet
from self2align.objectives.n2n import n2n
from self2align.runtime.devices import device, place
from self2align.training.feed import Batch, prefetched
from self2align.training.loop import Trained, train
from tests.training.test_training_loop import SETTINGS

pytestmark = pytest.mark.gpu


def _draw(step: int) -> Batch:
    draw = torch.Generator().manual_seed(step)
    clean = torch.rand(4, 3, 4, 4, generator=draw).repeat_interleave(8, 2).repeat_interleave(8, 3)
    return {name: clean + 0.1 * torch.randn(clean.shape, generator=draw) for name in ("first", "second")}


def test_batches_reach_the_device_in_order_and_unchanged() -> None:
    found = list(prefetched(_draw, 3, 9, device()))
    assert len(found) == 6
    for step, batch in enumerate(found, 3):
        assert {value.device.type for value in batch.values()} == {device().type}
        assert all(torch.equal(value.cpu(), _draw(step)[name]) for name, value in batch.items())


def test_tiles_show_no_seam() -> None:
    torch.manual_seed(0)
    network = UNet(3, width=8, depth=2)
    torch.nn.init.normal_(network.last.weight, std=0.1)
    image = np.random.default_rng(0).random((3, 192, 160)).astype(np.float32)
    placed = place(Normalised(network), device()).eval()
    whole, tiled = (TiledDenoiser(placed, 3, device=device(), memory=memory) for memory in (2**30, 2**22))
    assert len(tiled.tiles_for(192, 160)) > 1
    assert np.abs(whole(image, sigma=0.1) - tiled(image, sigma=0.1)).max() < 1e-4


def _trained(checkpoint: Path, bfloat16: bool, stop: int | None = None) -> Trained:
    def watch(done: int, loss: float, curve: object) -> None:
        if done == stop:
            raise KeyboardInterrupt

    torch.manual_seed(0)
    return train(
        UNet(3, width=8, depth=2),
        n2n,
        _draw,
        replace(SETTINGS, steps=40),
        bfloat16=bfloat16,
        device=device(),
        seed=0,
        purpose="test",
        checkpoint=checkpoint,
        validation=[_draw(1000)],
        watch=watch,
    )


def test_a_training_goes_on_from_its_checkpoint_and_learns(tmp_path: Path) -> None:
    whole = _trained(tmp_path / "whole", bfloat16=False)
    with pytest.raises(KeyboardInterrupt):
        _trained(tmp_path / "stopped", bfloat16=False, stop=23)
    resumed = _trained(tmp_path / "stopped", bfloat16=False)
    assert resumed.resumed == 20
    assert resumed.curve[-1]["loss"] == pytest.approx(whole.curve[-1]["loss"], rel=0.02)
    assert whole.curve[-1]["validation"] < 0.95 * whole.curve[1]["validation"]


def test_bfloat16_trains_as_float32_does(tmp_path: Path) -> None:
    exact, coarse = (_trained(tmp_path / str(half), half).curve[-1]["validation"] for half in (False, True))
    assert coarse == pytest.approx(exact, rel=0.1)
