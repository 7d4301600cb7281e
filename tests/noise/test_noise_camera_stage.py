"""The stage synthesize with a camera: stored as 8 bits, one exposure a scene, one sensor a source."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from self2align.images.files import write_png
from self2align.noise.camera import EIGHT_BITS, Camera
from self2align.noise.model import FrameDraw, NoiseSettings
from self2align.noise.scenes import scene_noise
from self2align.noise.synthesis import scene_model, second_draw
from self2align.runtime.seeding import generator
from self2align.stages.generate_pairs import generate_pairs
from self2align.stages.ingest import ingest
from self2align.stages.synthesize import synthesize
from self2align.stages.train_ian import train_ian
from self2align.stores.frames import FrameStore
from self2align.stores.pairs import PairStore
from tests.test_end_to_end import tiny_params

NOISY, PAIRS = Path("data/synthesize/noisy.zarr"), Path("data/generate_pairs/pairs.zarr")
DIS = Path("data/train_ian/dis.safetensors")


@pytest.fixture
def project(tmp_path: Path, texture: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A working folder with three moving scenes, and parameters with a camera."""
    levels = (texture * 255).round().astype(np.uint8).transpose(1, 2, 0)
    for scene in range(3):
        for frame in range(3):
            y, x = 20 + 8 * scene + 2 * frame, 40 - 3 * frame
            write_png(tmp_path / "footage" / f"s{scene}" / f"{frame}.png", levels[y : y + 96, x : x + 112])
    params = tiny_params(tmp_path / "footage", tmp_path / "photographs")
    params["synthesize"] = {"model": "camera", "sigma": 5.0, "sigma_max": None, "peak": 100.0, "peak_max": 1000.0}
    params["synthesize"]["camera"] = {"dsnu": 2.0, "rows": 1.0, "demosaic": "bilinear"}
    params["generate_pairs"]["aligner"] = "dis"
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(params, file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    for source in ("train", "held_out"):
        ingest(source, Path("data/ingest") / f"{source}.zarr")
    synthesize(Path("data/ingest"), NOISY)
    return params


def test_frames_of_a_camera_are_stored_and_handed_on(project: dict[str, Any]) -> None:
    store = FrameStore(NOISY)
    noise = NoiseSettings.recorded(store.attributes)
    assert noise == NoiseSettings(**project["synthesize"])
    peaks = {}
    for scene in store.scenes:
        assert store.coding(scene) == EIGHT_BITS
        model = scene_model(noise, 0, scene.title)
        assert isinstance(model, Camera)
        peaks[scene.title] = model.peak
        clean_store = FrameStore(Path("data/ingest") / f"{scene.source}.zarr")
        clean = clean_store.frames(clean_store.scene(scene.title))
        # The last frame first: a draw depends on the place of the frame alone.
        draw = FrameDraw(generator(0, "synthesize", scene.title, 2), (0, "sensor", scene.source))
        np.testing.assert_array_equal(store.frames(scene, 2, 3)[0], model.sample(clean[2], draw))
        assert not np.array_equal(second_draw(clean, EIGHT_BITS, scene.title, noise=noise, seed=0), store.codes(scene))
        found = scene_noise(store, scene)  # measured, as that of real footage
        assert found.line != model.line
        assert 0.5 * found.gain + found.read > 0
    assert len(set(peaks.values())) == 3
    assert min(peaks.values()) >= 100
    assert max(peaks.values()) <= 1000
    train_ian("dis", NOISY, DIS)
    generate_pairs(NOISY, DIS, PAIRS)
    pairs = PairStore(PAIRS)
    assert NoiseSettings.recorded(pairs.attributes) == noise
    assert pairs.coding("target") == EIGHT_BITS
