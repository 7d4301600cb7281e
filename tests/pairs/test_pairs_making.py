"""A store of pairs from footage with frames that are no evidence: what is left out, trusted and measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.alignment.loading import make_aligner, save_aligner
from self2align.noise.model import NoiseSettings
from self2align.noise.profile import NoiseProfile
from self2align.noise.scenes import MEASURED
from self2align.pairs import scenes as judging
from self2align.pairs.making import PairSettings, PairsMade, make_pairs
from self2align.pairs.scenes import recorded_frames
from self2align.runtime.spacing import evenly_spaced
from self2align.stores.codes import Coding
from self2align.stores.frames import FrameStore, Part, SceneRecord, write_frames
from self2align.stores.pairs import PairStore

Frames = NDArray[np.float32]
SIGMA = 0.08
COUNT, SIDE = 16, 96
FLAT = tuple(evenly_spaced(COUNT, MEASURED).tolist())  # all frames on which noise is first measured
COPY, OF_BLOCKS = 6, 10
SETTINGS = PairSettings((1,), COUNT, 1, SIDE, 8, exposure=False, kernel="bilinear")


@pytest.fixture
def work(tmp_path: Path, texture: Frames, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store of noisy frames, of which some are flat, one is coded anew, and one repeats blocks."""
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    monkeypatch.setenv("SELF2ALIGN_SCRATCH", str(tmp_path / "scratch"))
    rng = np.random.default_rng(1)
    clean = np.stack([texture[:, 8 + t : 8 + t + SIDE, 10 + 2 * t : 10 + 2 * t + SIDE] for t in range(COUNT)])
    frames = (clean + rng.normal(0, SIGMA, clean.shape)).astype(np.float32)
    frames[COPY] = frames[COPY - 1] + rng.normal(0, 0.2 * SIGMA, clean.shape[1:])
    frames[OF_BLOCKS, :, :48, :48] = frames[OF_BLOCKS - 1, :, :48, :48]
    frames[list(FLAT)] = 0.5

    def fetch(part: Part, start: int, stop: int) -> NDArray[Any]:
        return frames[start:stop]

    record = SceneRecord("film", "one", ("pairs",), "", 0, COUNT, SIDE, SIDE)
    attributes = {"noise": NoiseSettings("none", 0.0, None, 1.0).record(), "seed": 0}
    (tmp_path / "writing").mkdir()
    part = Part(record, Coding("float32", 1.0), 3, "")
    write_frames(tmp_path / "noisy.zarr", [part], fetch, attributes, tmp_path / "writing", lambda done, total: None)
    save_aligner(
        tmp_path / "dis.safetensors", make_aligner("dis", 3, {}), {"aligner": "dis", "channels": 3, "arguments": {}}
    )
    return tmp_path


def _made(work: Path, **more: Any) -> PairsMade:
    noisy, aligner, out = work / "noisy.zarr", work / "dis.safetensors", work / "pairs.zarr"
    return make_pairs(noisy=noisy, aligner=aligner, out=out, settings=SETTINGS, parameters={}, seed=0, **more)


@pytest.mark.gpu
def test_pairs_are_made_of_frames_with_noise_of_their_own(work: Path) -> None:
    made = _made(work)
    store = PairStore(work / "pairs.zarr")
    # With flat frames among those that are measured the noise is none, and a frame that was coded anew no copy.
    assert store.attributes["left_out"] == {"film/one": {"copy": [COPY], "flat": list(FLAT)}}
    assert f"of {COUNT} frames 1 are the frame before again, 5 are of one value" in made.notes[0]
    used = {*store.columns["target_frame"].tolist(), *store.columns["source_frame"].tolist()}
    assert used == set(range(COUNT)) - {COPY, *FLAT}
    assert store.columns["noise_read"] == pytest.approx(SIGMA**2, rel=0.1)
    assert recorded_frames(work / "pairs.zarr", FrameStore(work / "noisy.zarr").scenes) == [tuple(sorted(used))]


@pytest.mark.gpu
def test_blocks_that_repeat_the_other_frame_are_not_trusted(work: Path) -> None:
    _made(work)
    store = PairStore(work / "pairs.zarr")
    confidence = store.values("confidence", 0, store.count)
    pairs = np.stack([store.columns["target_frame"], store.columns["source_frame"]], 1)
    repeated = (np.sort(pairs, 1) == (OF_BLOCKS - 1, OF_BLOCKS)).all(1)
    assert repeated.sum() == 2
    assert not confidence[repeated][:, :32, :32].any()
    assert confidence[repeated][:, 64:, 64:].mean() > 0.3
    assert confidence[~repeated][:, :32, :32].mean() > 0.3


def test_a_killed_run_judges_no_scene_again(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    judge_scene = judging.judge_scene

    def counted(noisy: Path, scene: SceneRecord, profile: NoiseProfile | None) -> judging.Judged:
        judged.append(scene.title)
        return judge_scene(noisy, scene, profile)

    def killed(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(judging, "judge_scene", counted)
    with monkeypatch.context() as broken:
        broken.setattr("self2align.pairs.making.write_pairs", killed)
        with pytest.raises(KeyboardInterrupt):
            _made(work)
    again = _made(work)
    assert judged == ["film/one"]
    assert again.frames_left_out.keys() == {"film/one"}
