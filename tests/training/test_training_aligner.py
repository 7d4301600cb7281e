"""Training an aligner: where it starts, and the noise that it is told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from self2align.alignment.loading import save_aligner
from self2align.alignment.refined_dis import RefinedDis
from self2align.noise.drawing import NoiseDrawing
from self2align.noise.model import NoiseSettings
from self2align.noise.profile import NoiseProfile
from self2align.runtime.progress import silent
from self2align.stores.codes import Coding
from self2align.stores.frames import Part, SceneRecord, write_frames
from self2align.stores.weights import load_weights
from self2align.training.aligner import TrainedAligner, hold_drawings, shared_noise, train_aligner
from self2align.training.settings import TrainingSettings

SETTINGS = TrainingSettings(
    steps=2,
    batch=1,
    crop=64,
    learning_rate=1e-3,
    schedule="cosine",
    decay=0.5,
    decay_every=10,
    warmup=0,
    clip=1.0,
    checkpoint_every=5,
    log_every=1,
    validate_every=5,
    precision="float32",
    threads=1,
)
WHITE = NoiseProfile.white(3, 0.0, 0.01)
SHARED = NoiseProfile(
    WHITE.levels, WHITE.variances, np.eye(3)[:, :, None, None] * np.outer((0.5, 1, 0.5), (0.5, 1, 0.5))
)


@pytest.fixture
def work(tmp_path: Path, texture: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    monkeypatch.setenv("SELF2ALIGN_SCRATCH", str(tmp_path / "scratch"))
    noise = np.random.default_rng(0).normal(0, 0.1, (4, 3, 80, 96)).astype(np.float32)
    frames = np.stack([texture[:, :80, 2 * t : 2 * t + 96] for t in range(4)]) + noise

    def fetch(part: Part, start: int, stop: int) -> NDArray[Any]:
        return frames[start:stop]

    record = SceneRecord("film", "one", ("align",), "", 0, 4, 80, 96)
    attributes = {"noise": NoiseSettings("none", 0.0, None, 1.0).record(), "seed": 0}
    (tmp_path / "writing").mkdir()
    part = Part(record, Coding("float32", 1.0), 3, "")
    write_frames(tmp_path / "noisy.zarr", [part], fetch, attributes, tmp_path / "writing", lambda done, total: None)
    torch.manual_seed(1)
    start = RefinedDis(1)
    save_aligner(tmp_path / "start.safetensors", start, {"aligner": "refined_dis", "channels": 1, "arguments": {}})
    return tmp_path


def _trained(work: Path, name: str, training: TrainingSettings | None = SETTINGS, **more: Any) -> TrainedAligner:
    return train_aligner(
        "ours",
        noisy=work / "noisy.zarr",
        out=work / f"{name}.safetensors",
        kind="refined_dis",
        arguments={},
        loss=None if training is None else "split",
        training=training,
        seed=0,
        bars=silent,
        **more,
    )


def test_starting_weights_serve_as_they_are_for_any_number_of_channels(work: Path) -> None:
    made = _trained(work, "kept", None, init=work / "start.safetensors")
    (known, _), (found, header) = (load_weights(work / f"{name}.safetensors") for name in ("start", "kept"))
    torch.testing.assert_close(found, known, rtol=0, atol=0)
    assert header["channels"] == 3
    assert len(header["init"]) == 64
    assert "as they are" in made.notes[0]
    with pytest.raises(ValueError, match=r"ours\.init: found no .*none\.safetensors, expected one of .*start"):
        _trained(work, "none", None, init=work / "none.safetensors")


def test_the_noise_that_pixels_share_decides_the_training_and_is_recorded(work: Path) -> None:
    _trained(work, "plain")
    _trained(work, "white", profiles={"film/one": WHITE})
    _trained(work, "shared", profiles={"film/one": SHARED})
    plain, white, shared = (load_weights(work / f"{name}.safetensors") for name in ("plain", "white", "shared"))
    torch.testing.assert_close(white[0], plain[0], rtol=0, atol=0)
    assert white[1] == plain[1]
    assert plain[1]["noise"] is None
    assert shared[1]["noise"] == {"scenes": 1, "deviation": [0.1, 0.1], "neighbour": [0.5, 0.5], "reach": 1}
    assert any(not torch.equal(value, plain[0][name]) for name, value in shared[0].items())
    with pytest.raises(ValueError, match=r"noise of film/one: found no profile, expected one for each of 1 scenes"):
        _trained(work, "missing", profiles={"film/two": SHARED})


def test_noise_is_shared_scene_by_scene() -> None:
    profiles = {"a": WHITE, "b": SHARED, "c": WHITE}
    assert shared_noise(["a", "b", "c"], profiles) == [None, SHARED, None]
    assert shared_noise(["a", "c"], profiles) is None


def test_spectra_beyond_the_budget_are_mapped_and_draw_the_same(tmp_path: Path) -> None:
    image = np.full((3, 32, 32), 0.5, np.float32)
    size = NoiseDrawing(SHARED, 32, 32).root.nbytes
    held = hold_drawings([SHARED, None, SHARED], 32, tmp_path, size)
    assert held[1] is None
    drawings = [one for one in held if one is not None]
    assert [isinstance(one.root, np.memmap) for one in drawings] == [False, True]
    first, second = (one(image, np.random.default_rng(0)) for one in drawings)
    np.testing.assert_array_equal(first, second)


def test_what_is_mapped_leaves_the_budget_for_what_fits(tmp_path: Path) -> None:
    """A spectrum beyond the budget takes no memory, so the smaller ones after it are held there."""
    blur = np.outer((0.5, 1, 0.5), (0.5, 1, 0.5))
    white = NoiseProfile.white(6, 0.0, 0.01)
    wide = NoiseProfile(white.levels, white.variances, np.eye(6)[:, :, None, None] * blur)
    large, small = (NoiseDrawing(one, 32, 32).root.nbytes for one in (wide, SHARED))
    assert large > 2 * small
    held = hold_drawings([wide, SHARED, SHARED], 32, tmp_path, 2 * small)
    assert [isinstance(one.root, np.memmap) for one in held if one is not None] == [True, False, False]
