import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.evaluation import video_benchmark, video_protocol
from self2align.evaluation.block_errors import read_blocks
from self2align.evaluation.video_benchmark import means_of, measure_video, plan_sequences
from self2align.evaluation.video_protocol import NoisyFrames, Sequence, VideoRow, VideoSet, standard_noise
from self2align.runtime.progress import silent
from self2align.stores.codes import Coding
from self2align.stores.frames import FrameStore, Part, SceneRecord, write_frames

ROOT = Path(__file__).parents[2]
NOISY = VideoRow("noisy", ROOT / "pipeline" / "methods" / "noisy.py")
LENGTHS = {"a": 4, "b": 2}


def gray(name: str, count: int) -> NDArray[np.uint8]:
    """Frames of a middle gray with faint texture, so that no noise is clipped."""
    return np.random.default_rng(ord(name)).integers(120, 136, (count, 3, 48, 64), dtype=np.uint8)


def fetch(part: Part, start: int, stop: int) -> NDArray[Any]:
    return gray(part.record.name, part.record.count)[start:stop]


@pytest.fixture
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VideoSet:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    parts = [
        Part(SceneRecord("set", name, (), "", 0, count, 48, 64), Coding("uint8", 1 / 255), 3, name)
        for name, count in LENGTHS.items()
    ]
    (tmp_path / "scratch").mkdir()
    write_frames(tmp_path / "set.zarr", parts, fetch, {}, tmp_path / "scratch", lambda a, b: None)
    return VideoSet("set", tmp_path / "set.zarr")


def test_figures_are_means_over_frames_and_then_over_sequences(videos: VideoSet) -> None:
    means = measure_video(NOISY, [videos], sigmas=[5.0, 10.0], seed=0, out=Path("out"), bars=silent)
    assert list(means["set"]) == ["5", "10"]
    for sigma, figures in means["set"].items():
        assert (figures["sequences"], figures["frames"]) == (2, 6)
        assert figures["psnr"] == pytest.approx(20 * np.log10(255 / float(sigma)), abs=0.1)
    assert json.loads(Path("out/metrics.json").read_text()) == means
    blocks = read_blocks(Path("out/blocks.safetensors"))
    assert {name: one.shape for name, one in blocks.items()} == {
        f"set/{name}/{sigma}": (count, 3, 4) for name, count in LENGTHS.items() for sigma in (5, 10)
    }
    assert np.mean(blocks["set/a/10"]) == pytest.approx(100.0, rel=0.05)


def test_sequences_count_alike_however_long_they_are() -> None:
    planned = [Sequence("s", name, 25.0) for name in "ab"]
    row = {"ssim": 0.5, "frames": 85, "psnr": 30.0, "flicker": 4.0}
    means = means_of(planned, [row, {**row, "frames": 5, "psnr": 34.0, "flicker": None}])
    assert means["s"]["25"] == {"sequences": 2, "frames": 90, "psnr": 32.0, "ssim": 0.5, "flicker": 4.0}


def test_noise_follows_from_seed_set_sequence_and_frame_and_has_the_digest_that_is_told(videos: VideoSet) -> None:
    store = FrameStore(videos.store)
    noisy = {sigma: NoisyFrames(store, store.scene("set/a"), Sequence("set", "a", sigma), 7) for sigma in (10.0, 20.0)}
    ten, twenty = (np.stack(list(iter(one))) for one in noisy.values())
    clean = gray("a", 4).astype(np.float32) / np.float32(255)
    np.testing.assert_allclose(twenty - clean, 2 * (ten - clean), atol=1e-6)
    draws = np.stack([standard_noise(7, "set", "a", number, clean.shape[1:]) for number in range(4)])
    np.testing.assert_allclose(ten - clean, 10 / 255 * draws, atol=1e-6)
    for one in noisy.values():
        assert one.noise_digest.hexdigest() == hashlib.sha256(draws.tobytes()).hexdigest()
        assert one.frames_digest.hexdigest() == hashlib.sha256(gray("a", 4).tobytes()).hexdigest()
    others = [(8, "set", "a", 0), (7, "sets", "a", 0), (7, "set", "b", 0), (7, "set", "a", 1)]
    for seed, test_set, name, frame in others:
        other = standard_noise(seed, test_set, name, frame, clean.shape[1:])
        assert abs(np.corrcoef(other.ravel(), draws[0].ravel())[0, 1]) < 0.05


def test_frames_are_streamed(videos: VideoSet) -> None:
    """No more clean frames wait than a method looks ahead."""
    store = FrameStore(videos.store)
    noisy = NoisyFrames(store, store.scene("set/a"), Sequence("set", "a", 25.0), 0)
    frames: Iterator[Any] = iter(noisy)
    next(frames)
    assert len(noisy.clean) == 1


def test_the_outputs_are_the_same_bytes_on_two_workers_and_after_a_stop(
    videos: VideoSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(out: str) -> dict[str, bytes]:
        measure_video(NOISY, [videos], sigmas=[5.0, 10.0], seed=0, out=Path(out), bars=silent)
        return {path.name: path.read_bytes() for path in Path(out).iterdir()}

    whole = run("one")
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "2")
    assert run("two") == whole
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    before, done = video_protocol.standard_noise, []

    def stopped(*keys: Any) -> Any:
        done.append(keys[1:4])
        if len(done) == 10:  # in the third of four: "set/a" is done at both levels
            raise KeyboardInterrupt
        return before(*keys)

    monkeypatch.setattr(video_protocol, "standard_noise", stopped)
    with pytest.raises(KeyboardInterrupt):
        run("three")
    assert not Path("three").exists()
    assert len(list(Path(".self2align").glob("*/*.json"))) == 2
    assert run("three") == whole
    assert done[10:] == 2 * [("set", "b", 0), ("set", "b", 1)]


def test_a_sequence_too_small_to_align_is_refused_by_name(videos: VideoSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_benchmark, "LEAST", 49)
    with pytest.raises(ValueError, match=r"set\.zarr: a: found 48 x 64 px, expected at least 49 px a side"):
        plan_sequences([videos], [25.0])


def test_a_missing_file_is_named_by_its_key() -> None:
    row = VideoRow("ours", NOISY.file, 2, Path("none.safetensors"))
    with pytest.raises(ValueError, match=r"benchmark_video\.methods\.ours\.aligner: found no none\.safetensors"):
        row.check_files()
