"""Pairs of footage that mixes types: YUV video, pictures of 8 and of 16 bits."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.alignment.loading import make_aligner, save_aligner
from self2align.noise.model import NoiseSettings
from self2align.pairs.making import PairSettings, PairsMade, make_pairs
from self2align.stores.codes import VIDEO, Coding
from self2align.stores.frames import FrameStore, Part, SceneRecord, write_frames
from self2align.stores.pairs import PairStore
from self2align.training.baselines import baseline_crops
from self2align.training.settings import CropSettings

BYTES, WORDS, FLOATS = Coding("uint8", 1 / 255), Coding("uint16", 1 / 65535), Coding("float32", 1.0)
SIZE, COUNT = (64, 80), 3


def _frames(texture: NDArray[np.float32], part: Part, start: int, stop: int) -> NDArray[Any]:
    """Return noisy frames that move by (3, 2) px; of video from -1.4 to 2.5."""
    draw = np.random.default_rng(len(part.handle))
    height, width = SIZE
    moved = np.stack([texture[:, 2 * t : height + 2 * t, 3 * t : width + 3 * t] for t in range(COUNT)])
    values = moved + 0.03 * draw.standard_normal(moved.shape)
    return part.coding.encode(4 * values - 1.4 if part.coding == VIDEO else values)[start:stop]


def _store(path: Path, texture: NDArray[np.float32], codings: list[Coding]) -> FrameStore:
    parts = []
    for number, coding in enumerate(codings):
        record = SceneRecord(f"s{number}", "a", ("pairs",), "", 0, COUNT, *SIZE)
        parts.append(Part(record, coding, 3, "x" * number))
    noise = NoiseSettings("none", 0.0, None, 30.0)
    scratch = path.with_suffix(".work")
    scratch.mkdir()
    attributes = {"noise": noise.record(), "seed": 0}
    write_frames(path, parts, partial(_frames, texture), attributes, scratch, lambda done, total: None)
    return FrameStore(path)


def _made(folder: Path, store: FrameStore) -> PairsMade:
    header = {"aligner": "dis", "channels": 3, "arguments": {}}
    save_aligner(folder / "dis.safetensors", make_aligner("dis", 3, {}), header)
    return make_pairs(
        noisy=store.path,
        aligner=folder / "dis.safetensors",
        out=folder / "pairs.zarr",
        settings=PairSettings((1,), 3, 2, 32, 8, exposure=False, kernel="sinc"),
        parameters={},
        seed=0,
    )


@pytest.mark.parametrize(
    ("codings", "held"),
    [
        ([BYTES], BYTES),
        ([VIDEO], VIDEO),
        ([BYTES, VIDEO], VIDEO),
        ([WORDS, BYTES], WORDS),
        ([VIDEO, WORDS, BYTES], FLOATS),
    ],
)
def test_values_of_mixed_sources_survive(
    tmp_path: Path,
    texture: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
    codings: list[Coding],
    held: Coding,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    store = _store(tmp_path / "noisy.zarr", texture, codings)
    made = _made(tmp_path, store)
    assert made.scenes == len(codings)
    pairs = PairStore(tmp_path / "pairs.zarr")
    assert pairs.coding("target") == pairs.coding("source") == held
    assert set(pairs.columns["scene"].tolist()) == set(range(len(codings)))
    lowest = []
    for row in range(pairs.count):
        scene, frame, top, left = (int(pairs.columns[key][row]) for key in ("scene", "target_frame", "top", "left"))
        record = store.scenes[scene]
        truth = store.frames(record, frame, frame + 1)[0, :, top : top + 32, left : left + 32]
        within = held.scale / 2 if held.dtype.startswith("u") else 0.0
        np.testing.assert_allclose(pairs.values("target", row, row + 1)[0], truth, rtol=2e-7, atol=within + 2e-7)
        if codings[scene] == VIDEO:
            lowest.append(float(pairs.values("warped", row, row + 1).min()))
        np.testing.assert_array_equal(
            codings[scene].recode(np.asarray(pairs.array("target")[row]), held),
            store.codes(record, frame, frame + 1)[0, :, top : top + 32, left : left + 32],
        )
    assert not lowest or min(lowest) < -0.6, "warped frames keep what lies below black"


def test_baselines_take_mixed_sources(
    tmp_path: Path, texture: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    store = _store(tmp_path / "noisy.zarr", texture, [BYTES, VIDEO])
    _made(tmp_path, store)
    settings = CropSettings(crop=32, offsets=(1,), targets_per_scene=3, crops_per_target=1)
    held, codings, _, roles = baseline_crops(
        store, tmp_path, tmp_path / "pairs.zarr", settings, 0, ("target",), tmp_path
    )
    assert codings == {"target": VIDEO}
    assert held["target"].shape == (len(roles), 3, 32, 32)
    values = VIDEO.decode(held["target"])
    assert values[:3].min() >= 0 > -0.6 > values[3:].min()
