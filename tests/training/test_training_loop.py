from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from self2align.networks.unet import UNet
from self2align.noise.drawing import NoiseDrawing
from self2align.noise.profile import NoiseProfile
from self2align.objectives.n2n import n2n
from self2align.runtime.workers import exact_threads
from self2align.stores.codes import Coding
from self2align.stores.weights import load_weights, save_weights
from self2align.training.feed import FrameFeed
from self2align.training.holding import hold
from self2align.training.loop import Trained, train
from self2align.training.settings import TrainingSettings

SETTINGS = TrainingSettings(
    steps=24,
    batch=4,
    crop=32,
    learning_rate=2e-3,
    schedule="cosine",
    decay=0.5,
    decay_every=10,
    warmup=2,
    clip=1.0,
    checkpoint_every=5,
    log_every=4,
    validate_every=8,
    precision="float32",
    threads=1,
)


def _feed() -> FrameFeed:
    draw = np.random.default_rng(0)
    clean = np.repeat(draw.random((3, 3, 8, 8), np.float32), 8, 2).repeat(8, 3)
    scene = {name: clean + 0.1 * draw.standard_normal(clean.shape, np.float32) for name in ("one", "two")}
    names = {"first": ("one", 0), "second": ("two", 0)}
    return FrameFeed([scene], [Coding("float32", 1.0)], names, crop=32, batch=4, seed=0, purpose="test")


def _train(checkpoint: Path, steps: int = 24, stop: int | None = None, **more: Any) -> tuple[UNet, Trained]:
    torch.manual_seed(0)
    network = UNet(3, width=8, depth=2)

    def watch(done: int, loss: float, curve: object) -> None:
        if done == stop:
            raise KeyboardInterrupt

    settings = replace(SETTINGS, steps=steps, **more)
    with exact_threads(1):
        trained = train(
            network,
            n2n,
            _feed(),
            settings,
            bfloat16=False,
            device=torch.device("cpu"),
            seed=0,
            purpose="test",
            checkpoint=checkpoint,
            validation=[_feed()(10_000)],
            watch=watch,
        )
    return network, trained


def test_an_interrupted_training_ends_in_the_same_bytes(tmp_path: Path) -> None:
    whole, first = _train(tmp_path / "never")
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "checkpoint", stop=13)
    resumed, second = _train(tmp_path / "checkpoint")
    assert second.resumed == 10
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    assert first.curve == second.curve


def test_training_lowers_the_loss_and_scores_held_out_batches(tmp_path: Path) -> None:
    _, trained = _train(tmp_path / "c", steps=60)
    curve = trained.curve
    assert curve[-1]["loss"] < 0.8 * curve[0]["loss"]
    assert [row["step"] for row in curve if "validation" in row] == [8, 16, 24, 32, 40, 48, 56, 60]


def test_a_loss_that_is_not_finite_stops_with_a_clear_message(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"found a loss of (nan|inf) at step \d+ of 24, expected a finite one"):
        _train(tmp_path / "c", learning_rate=1e20, clip=0.0, warmup=0)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [("constant", 70, 1.0), ("step", 9, 1.0), ("step", 10, 0.8), ("step", 35, 0.8**3), ("cosine", 50, 0.5)],
)
def test_schedules_are_closed_forms(schedule: str, step: int, expected: float) -> None:
    settings = replace(SETTINGS, steps=100, learning_rate=1.0, schedule=schedule, decay=0.8, warmup=0)
    assert settings.rate(step) == pytest.approx(expected)


def test_warm_up_is_linear() -> None:
    settings = replace(SETTINGS, learning_rate=1.0, schedule="constant", warmup=4)
    assert [settings.rate(step) for step in range(6)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])


def test_weights_are_the_same_bytes_and_carry_their_header(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(3.0), "a": torch.ones(2, 2)}
    for name in ("x", "y"):
        save_weights(tmp_path / name, tensors, {"kind": "denoiser", "z": 1, "a": [1, 2]})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    found, header = load_weights(tmp_path / "x")
    assert header == {"kind": "denoiser", "z": 1, "a": [1, 2]}
    assert torch.equal(found["b"], tensors["b"])


@pytest.mark.parametrize("content", [b"", b"short", b"\x80\x04K\x01." * 9, b"\xff" * 64])
def test_a_file_without_weights_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.safetensors: found \d+ bytes that are no safetensors file"):
        load_weights(tmp_path / "w.safetensors")


def test_arrays_beyond_the_budget_are_mapped_with_the_same_content(tmp_path: Path) -> None:
    rows = np.arange(60, dtype=np.int32).reshape(10, 6)
    memory, mapped = (
        hold(str(budget), (rows[at : at + 4] for at in range(0, 10, 4)), rows.shape, rows.dtype, tmp_path, budget)
        for budget in (10_000, 10)
    )
    assert not isinstance(memory, np.memmap)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(memory, mapped)


def test_crops_of_noise_turn_with_the_crops_of_their_frames() -> None:
    # Frames rise to the right; their noise is nearly constant along x. Wherever a crop has been turned, the noise has.
    place = np.arange(-7, 8)
    along = np.zeros((1, 1, 15, 15))
    along[0, 0, 7] = np.exp(-0.5 * (place / 3) ** 2)
    profile = NoiseProfile(np.array([0.0, 1.0]), np.full((1, 2), 1e-4), along)
    frames = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32), (3, 1, 64, 64))
    names = {"target": ("frames", 0), "source": ("frames", 1)}
    scenes, codings = [{"frames": frames}], [Coding("float32", 1.0)]
    plain, noisy = (
        FrameFeed(scenes, codings, names, crop=32, batch=8, seed=0, purpose="test", noise=noise)(3)
        for noise in (None, [NoiseDrawing(profile, 32, 32)])
    )
    assert plain.keys() == {"target", "source"}
    torch.testing.assert_close(plain, {name: noisy[name] for name in plain}, rtol=0, atol=0)
    assert not torch.equal(noisy["target_noise"], noisy["source_noise"])
    turned = 0
    for frame, noise in zip(noisy["target"][:, 0], noisy["target_noise"][:, 0], strict=True):
        across = bool(frame.diff(dim=0).abs().sum() > frame.diff(dim=1).abs().sum())
        smooth = noise.T if across else noise
        assert float(smooth.diff(dim=1).square().mean()) < 0.2 * float(smooth.diff(dim=0).square().mean())
        assert float(noise.std()) == pytest.approx(0.01, rel=0.3)
        turned += across
    assert 0 < turned < 8


def test_only_crops_of_scenes_whose_pixels_share_noise_have_a_draw_of_it() -> None:
    # The scenes differ in brightness, and one of them has noise that pixels share.
    scenes = [{"frames": np.full((3, 1, 48, 48), level, np.float32)} for level in (0.25, 0.75)]
    drawn = NoiseDrawing(NoiseProfile.white(1, 0.0, 0.01), 32, 32)
    names, codings = {"target": ("frames", 0), "source": ("frames", 1)}, [Coding("float32", 1.0)] * 2
    feed = FrameFeed(scenes, codings, names, crop=32, batch=16, seed=0, purpose="test", noise=[None, drawn])
    batch = feed(0)
    white = batch["target"][:, 0, 0, 0] == 0.25
    assert 0 < int(white.sum()) < 16
    assert torch.equal(batch["white"] == 1, white)
    for name in ("target_noise", "source_noise"):
        assert torch.equal((batch[name] == 0).flatten(1).all(1), white)
