"""The benchmark of camera footage: settings are searched, noise is told, clips are cut and scored as they should be."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from time import sleep
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.images.png import encode_png

ROOT = Path(__file__).parents[2]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return how a module of benchmarks/ is imported: its scripts import each other by plain names."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")

    def load(name: str) -> ModuleType:
        return import_module(name)

    return load


def test_the_best_settings_are_found_and_none_is_tried_twice(benchmark: Any) -> None:
    tried = []

    def score(settings: dict[str, Any]) -> float:
        tried.append(tuple(settings.values()))
        bent = settings["b"] - 3 - (settings["a"] - 5) / 4  # the best b moves with a
        return float((settings["kind"] == "good") - (settings["a"] - 5) ** 2 - bent**2)

    lattice = {"a": (1, 2, 3, 4, 5, 6), "b": (1, 2, 3, 4), "kind": ("plain", "good")}
    found = benchmark("climbing").climb(lattice, {"a": 1.4, "b": 99, "kind": "of another clip"}, score)
    assert found == {"a": 5, "b": 3, "kind": "good"}
    assert (1, 4, "plain") in tried[:2]  # the nearest that there are
    assert len(tried) == len(set(tried)) < 6 * 4 * 2 / 2


def test_bm3d_is_told_the_spectrum_of_the_noise(benchmark: Any) -> None:
    spectrum_of = benchmark("told_bm3d").spectrum_of
    white = 3 * np.random.default_rng(0).standard_normal((40, 64, 64))
    height, width = shape = (32, 48)
    assert spectrum_of(white, shape) == pytest.approx(np.full(shape, 9.0 * height * width), rel=0.15)
    # The mean of two neighbours in a row: its power falls with the column's frequency alone, as cos^2.
    pairs = (white + np.roll(white, 1, 2)) / 2
    across = spectrum_of(pairs, shape).mean(0) / (9.0 * height * width)
    # With the triangular window the neighbour's covariance counts 15/16.
    expected = (1 + 15 / 16 * np.cos(2 * np.pi * np.arange(width) / width)) / 2
    assert across == pytest.approx(expected, abs=0.02)
    # Power adds up to the variance, which is half.
    assert spectrum_of(pairs, shape).mean() / (height * width) == pytest.approx(4.5, rel=0.01)


def test_blotches_of_independent_noise_are_its_deviation_in_means_of_64(benchmark: Any) -> None:
    clips = benchmark("camera_clips")
    noise = 10 * np.random.default_rng(0).standard_normal((3, 256, 256))
    clean = np.full((3, 256, 256), 128, np.uint8)
    result = np.rint(clean + noise).astype(np.uint8)
    assert clips.blotches(result, clean) == pytest.approx(10 * 2**0.5 / 8, rel=0.05)
    # What red and green share shows no colour, nor does noise that 8 px average away.
    gray = np.repeat(result[:1], 3, 0)
    assert clips.blotches(gray, clean) == 0
    board = np.where(np.indices((256, 256)).sum(0) % 2, 138, 118).astype(np.uint8)
    assert clips.blotches(np.stack([board, clean[1], clean[2]]), clean) == 0


def _write(path: Path, frames: NDArray[np.uint8]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "10"}
        stream.codec_context.colorspace = 1  # BT.709, where the size alone would say BT.601
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))


def test_frames_are_cut_out_of_a_video_without_loss(benchmark: Any, tmp_path: Path) -> None:
    clips = benchmark("camera_clips")
    frames = np.random.default_rng(0).integers(0, 256, (6, 64, 96, 3), np.uint8)
    _write(tmp_path / "clip.mp4", frames)
    clips.cut_clip(tmp_path / "clip.mp4", tmp_path / "cuts" / "clip.mkv", [1, 2, 5])
    whole, cut = clips.read_clip(tmp_path / "clip.mp4"), clips.read_clip(tmp_path / "cuts" / "clip.mkv")
    assert np.array_equal(cut, whole[[1, 2, 5]])
    assert not np.array_equal(cut[0], cut[1])
    assert np.array_equal(clips.read_clip(tmp_path / "clip.mp4", [4]), whole[[4]])


def test_a_cut_that_was_killed_half_way_is_made_again(benchmark: Any, tmp_path: Path) -> None:
    noise, clips = benchmark("camera_noise"), benchmark("camera_clips")
    folder = tmp_path / "clips" / "dog_mid_raw"
    folder.mkdir(parents=True)
    for number, frame in enumerate(np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), np.uint8)):
        (folder / f"{number}.png").write_bytes(encode_png(frame, []))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clips, "read_clip", killed)  # the pictures are there, but not yet compared
        with pytest.raises(KeyboardInterrupt):
            noise.cut_of(tmp_path, folder.name, [1, 2])
    assert not (tmp_path / "cuts" / "1-2" / folder.name).exists()
    cut = noise.cut_of(tmp_path, folder.name, [1, 2])
    assert np.array_equal(clips.read_clip(cut), clips.read_clip(folder)[1:3])


def test_processes_that_want_the_same_cut_make_it_once(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise, made = benchmark("camera_noise"), []

    def cut_clip(path: Path, out: Path, frames: Any) -> None:
        made.append(out)
        out.parent.mkdir(parents=True)
        sleep(0.2)
        out.mkdir()

    (tmp_path / "clips" / "dog_mid_raw").mkdir(parents=True)
    monkeypatch.setattr(noise, "cut_clip", cut_clip)
    with ThreadPoolExecutor(2) as pool:
        cuts = list(pool.map(lambda _: noise.cut_of(tmp_path, "dog_mid_raw", [1]), range(2)))
    assert len(made) == 1
    assert cuts[0] == cuts[1]
    assert cuts[0].is_dir()


def test_measurements_are_kept_and_means_are_over_the_same_frames(benchmark: Any, tmp_path: Path) -> None:
    score, tables = benchmark("camera_clips").Score, benchmark("camera_tables")
    path = tmp_path / "rows.csv"
    tables.Rows(path).add("dog_mid_raw", "all", {("window", 4): score(30, 0.9, 1), ("window", 20): score(32, 0.9, 3)})
    tables.Rows(path).add("dog_mid_raw", "one", {("window", 20): score(31, 0.9, 2)}, 2.5, {"s": 3})
    rows = tables.Rows(path)
    assert rows.methods == ["all", "one"]
    assert ("dog_mid_raw", "one") in rows
    assert ("dog_mid_crf18.mp4", "one") not in rows
    assert rows.mean("dog_mid_raw", "all", "window", "psnr", [4, 20]) == 31
    assert rows.mean("dog_mid_raw", "one", "window", "psnr", [4, 20]) is None
    assert rows.mean("dog_mid_raw", "all", "frame", "psnr", [4, 20]) is None
    sources = dict.fromkeys(rows.methods, rows)
    lines = tables.table_of(sources, ["dog_mid_raw"], "window", "psnr", [20], ["one"], "all")
    assert lines[-1] == "| dog, mid, raw | **32.00** | 31.00 | +1.00 |"
    # Fewer blotches are better.
    lines = tables.table_of(sources, ["dog_mid_raw"], "window", "blotches", [20], ["one"], "all")
    assert lines[-1] == "| dog, mid, raw | 3.00 | **2.00** | -1.00 |"
    # What lacks a frame is left out, rather than compared over others.
    lines = tables.table_of(sources, ["dog_mid_raw"], "window", "psnr", [4, 20], ["one"], "all")
    assert lines[-1] == "| dog, mid, raw | **31.00** |  |"
