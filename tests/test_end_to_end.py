"""The whole pipeline on a tiny scene with known motion: offline, in seconds."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from self2align.images.files import write_png
from self2align.params.loading import load
from self2align.stages.benchmark import benchmark
from self2align.stages.benchmark_sets import benchmark_sets
from self2align.stages.benchmark_video import benchmark_video
from self2align.stages.benchmark_videos import benchmark_videos
from self2align.stages.evaluate_alignment import evaluate_alignment
from self2align.stages.evaluate_denoiser import evaluate_denoiser
from self2align.stages.generate_pairs import generate_pairs
from self2align.stages.ingest import ingest
from self2align.stages.report import report
from self2align.stages.synthesize import synthesize
from self2align.stages.tools.inspect import inspect
from self2align.stages.train_ablation import train_ablation
from self2align.stages.train_baselines import train_baselines
from self2align.stages.train_denoiser import train_denoiser
from self2align.stages.train_ian import train_ian
from self2align.stores.frames import FrameStore
from self2align.stores.pairs import PairStore
from self2align.stores.weights import load_header
from self2align.training.baselines import baseline_crops

ROOT = Path(__file__).parent.parent
DATA = Path("data")
NOISY, PAIRS = DATA / "synthesize" / "noisy.zarr", DATA / "generate_pairs" / "pairs.zarr"
DENOISER = DATA / "train_denoiser" / "denoiser.safetensors"
ABLATION = {"objective": "self2align", "strategy": "confidence_map"}
BASELINES = ("n2n", "n2c", "neighbor2neighbor")


def tiny_params(footage: Path, photographs: Path) -> dict[str, Any]:
    """The default profile, made small."""
    params: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "profiles" / "default.yaml").read_text("utf-8"))
    source = {"kind": "folder", "path": str(footage), "roles": ["align", "pairs"], "glob": ["s[01]"]}
    params["ingest"]["sources"] = {
        "train": source,
        "held_out": {**source, "glob": ["s2"], "roles": ["validation", "test"]},
    }
    params["benchmark_sets"] = {"photographs": {"kind": "images", "path": str(photographs)}}
    training = {"steps": 200, "batch": 4, "crop": 24, "threads": 1, "precision": "float32", "checkpoint_every": 10}
    training |= {"log_every": 10, "validate_every": 20, "warmup": 10, "learning_rate": 0.003}
    params["train_denoiser"]["training"] |= training
    params["train_denoiser"]["arguments"] = {"width": 8, "depth": 2}
    for aligner in ("ian", "refined_dis"):
        params["train_ian"]["aligners"][aligner]["training"] |= {**training, "crop": 64, "steps": 4}
    small = {"crop": 48, "margin": 8, "targets_per_scene": 3, "crops_per_target": 2, "offsets": [1, 2]}
    params["generate_pairs"] |= small
    params["train_ablation"]["runs"] = {"map": {**params["sampler"], **ABLATION}}
    params["train_baselines"]["runs"] = {name: {"objective": name} for name in BASELINES}
    methods = ROOT / "pipeline" / "methods"
    params["benchmark"]["methods"] = {
        "noisy": {"file": str(methods / "noisy.py")},
        "nlm": {"file": str(methods / "nlm.py"), "arguments": {"patch_distance": 4}},
        "n2n": {"file": "data/train_baselines/n2n.safetensors"},
        "ours": {"file": str(DENOISER)},
    }
    params["benchmark_videos"] = {"moving": {"kind": "folder", "path": str(footage), "glob": ["s2"]}}
    params["benchmark_video"]["methods"] = {
        "noisy": {"file": str(methods / "noisy.py")},
        "single": {"file": str(DENOISER)},
        "fused": {"file": str(DENOISER), "temporal": 1, "aligner": "refined_dis"},
    }
    params["report"] = {"crop": 32, "images": 1}
    return params


@pytest.fixture
def project(tmp_path: Path, texture: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three scenes of a picture that moves by (3, -2) px a frame, one test image, and parameters."""
    levels = (texture * 255).round().astype(np.uint8).transpose(1, 2, 0)
    for scene in range(3):
        for frame in range(5):
            y, x = 20 + 8 * scene + 2 * frame, 40 - 3 * frame
            write_png(tmp_path / "footage" / f"s{scene}" / f"{frame}.png", levels[y : y + 96, x : x + 112])
    write_png(tmp_path / "photographs" / "one.png", levels[:64, :96])
    params = tiny_params(tmp_path / "footage", tmp_path / "photographs")
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(params, file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    return tmp_path


def _until_pairs() -> None:
    for source in ("train", "held_out"):
        ingest(source, DATA / "ingest" / f"{source}.zarr")
    synthesize(DATA / "ingest", NOISY)
    train_ian("refined_dis", NOISY, DATA / "train_ian" / "refined_dis.safetensors")
    generate_pairs(NOISY, DATA / "train_ian" / "refined_dis.safetensors", PAIRS)


def _the_rest() -> None:
    for aligner in ("dis", "ian"):
        train_ian(aligner, NOISY, DATA / "train_ian" / f"{aligner}.safetensors")
    evaluate_alignment(NOISY, DATA / "ingest", DATA / "train_ian", DATA / "evaluate_alignment")
    benchmark_sets("photographs", DATA / "benchmark_sets" / "photographs.zarr")
    benchmark_videos("moving", DATA / "benchmark_videos" / "moving.zarr")
    train_denoiser(PAIRS, DENOISER)
    train_ablation("map", PAIRS, DATA / "train_ablation" / "map.safetensors")
    for name in BASELINES:
        train_baselines(name, NOISY, DATA / "ingest", PAIRS, DATA / "train_baselines" / f"{name}.safetensors")
    evaluate_denoiser(
        noisy=NOISY,
        frames=DATA / "ingest",
        denoiser=DENOISER,
        ablation=DATA / "train_ablation",
        baselines=DATA / "train_baselines",
        out=DATA / "evaluate_denoiser",
    )
    for method in ("noisy", "nlm", "n2n", "ours"):
        benchmark(method, DATA / "benchmark_sets", DATA / "benchmark" / method)
    for method in ("noisy", "single", "fused"):
        benchmark_video(method, DATA / "benchmark_videos", DATA / "train_ian", DATA / "benchmark_video" / method)
    report(
        benchmark_sets=DATA / "benchmark_sets",
        benchmark=DATA / "benchmark",
        benchmark_video=DATA / "benchmark_video",
        alignment=DATA / "evaluate_alignment",
        pairs=DATA / "generate_pairs",
        denoiser=DATA / "train_denoiser",
        ablation=DATA / "train_ablation",
        baselines=DATA / "train_baselines",
        held_out=DATA / "evaluate_denoiser" / "metrics.json",
        out=DATA / "report",
    )


def _bytes(folder: Path) -> dict[str, bytes]:
    skipped = ("timing.json", "measures.png")  # they tell how long it took
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(skipped)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_pipeline_runs_and_repeats_to_the_byte(project: Path) -> None:
    _until_pairs()
    store = PairStore(PAIRS)
    assert store.count == 3 * (2 + 4 + 2) * 2  # scenes, neighbours of frames 0, 2 and 4, crops
    # The content moves by (-3, +2) px from one frame to the next.
    gaps = store.columns["source_frame"] - store.columns["target_frame"]
    for gap in (-2, -1, 1, 2):
        fields = np.asarray(store.array("transfer")[:])[gaps == gap]
        trusted = store.values("confidence", 0, store.count)[gaps == gap] > 0.5
        assert trusted.mean() > 0.6
        found = [np.median(fields[:, c][trusted]) for c in (0, 1)]
        assert found == pytest.approx((3.0 * gap, -2.0 * gap), abs=0.2)
    groups, targets = store.groups(), np.asarray(store.array("target")[:])
    assert groups.shape == (3 * 3 * 2, 4)
    assert sorted(groups[groups >= 0]) == list(range(store.count))
    for members in groups:
        here = members[members >= 0]
        assert (targets[here] == targets[here[0]]).all()
        assert len(set(gaps[here])) == len(here)
    crops = load(Path("params.yaml")).generate_pairs.crops()
    held, _, _, roles = baseline_crops(FrameStore(NOISY), DATA / "ingest", PAIRS, crops, 0, ["first"], Path())
    assert (held["first"] == targets[groups[:, 0]]).all(), "a baseline draws the crops that we draw, in the same order"
    assert (roles == store.columns["role"][groups[:, 0]]).all()
    assert store.columns["ssim_filtered"].mean() > 0.9
    _the_rest()
    metrics = json.loads((DATA / "evaluate_alignment" / "metrics.json").read_text())
    for aligner in ("dis", "refined_dis"):
        assert metrics[aligner]["psnr"] > metrics["unaligned"]["psnr"] + 5
        assert abs(metrics[aligner]["noise_correlation"]) < 0.03
    noisy, ours = (
        json.loads((DATA / "benchmark" / method / "metrics.json").read_text())["photographs"]["psnr"]
        for method in ("noisy", "ours")
    )
    assert noisy == pytest.approx(20.3, abs=0.5)
    assert ours > noisy + 2
    noisy, single, fused = (
        json.loads((DATA / "benchmark_video" / method / "metrics.json").read_text())["moving"]["25"]
        for method in ("noisy", "single", "fused")
    )
    assert noisy["psnr"] == pytest.approx(20.3, abs=0.5)
    assert single["psnr"] > noisy["psnr"] + 2
    assert fused["psnr"] > single["psnr"] + 0.2
    assert fused["flicker"] < single["flicker"] < noisy["flicker"]
    held_out = json.loads((DATA / "evaluate_denoiser" / "metrics.json").read_text())
    assert set(held_out) == {"noisy", "denoiser", "map", *BASELINES}
    assert held_out["denoiser"]["psnr"] > held_out["noisy"]["psnr"] + 2
    page = (DATA / "report" / "report.md").read_text(encoding="utf-8")
    assert "ours" in page
    assert "moving, sigma 25, 1 sequence of 5 frames" in page
    inspect(PAIRS, Path("sheet.png"))
    assert Path("sheet.png").stat().st_size > 1000
    first = _bytes(DATA)
    shutil.rmtree(DATA)
    _until_pairs()
    _the_rest()
    second = _bytes(DATA)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    assert not list(Path(".self2align").glob("*/*")), "finished work leaves nothing in the scratch folder"


@pytest.mark.gpu
def test_real_noisy_footage_passes_untouched_and_what_needs_clean_frames_says_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _edit("synthesize", model="none")
    _until_pairs()
    clean, noisy = FrameStore(DATA / "ingest" / "train.zarr"), FrameStore(NOISY)
    np.testing.assert_array_equal(clean.codes(clean.scenes[0]), noisy.codes(noisy.scene("train/s0")))
    assert noisy.codes(noisy.scene("train/s0")).dtype == np.uint8
    _the_rest()
    shown = capsys.readouterr().out
    assert "evaluate_alignment: the footage has no clean frames" in shown
    assert "n2n: the footage has no clean frames" in shown
    assert "evaluate_denoiser: the footage has no clean frames" in shown
    assert "neighbor2neighbor: the footage" not in shown, "it needs none"
    assert "benchmark@ours: there is no model of the footage's own noise" in shown
    assert DENOISER.stat().st_size > 1000


def _params() -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe", pure=True).load(Path("params.yaml").read_text(encoding="utf-8"))
    return content


def _edit(section: str, **values: Any) -> None:
    params = _params()
    params[section] |= values
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(params, file)


def _break_image(project: Path) -> str:
    path = project / "footage" / "s0" / "2.png"
    path.write_bytes(path.read_bytes()[:400])
    return r"s0/2\.png: "


def _two_sizes(project: Path) -> str:
    write_png(project / "footage" / "s0" / "2.png", np.zeros((50, 60, 3), np.uint8))
    return r"s0.*(96 x 112|112 x 96).*(50 x 60|60 x 50)|s0.*(50 x 60|60 x 50).*(96 x 112|112 x 96)"


def _empty(project: Path) -> str:
    shutil.rmtree(project / "footage")
    (project / "footage").mkdir()
    return r"footage: found no"


def _all_black(project: Path) -> str:
    for scene in ("s0", "s1"):
        for path in (project / "footage" / scene).iterdir():
            write_png(path, np.zeros((96, 112, 3), np.uint8))
    return r"found no usable scene for 'train' \(2 left out; the first: s0, black"


def _single_frames(project: Path) -> str:
    for scene in ("s0", "s1"):
        for path in sorted((project / "footage" / scene).iterdir())[1:]:
            path.unlink()
    return r"found no usable scene for 'train' \(2 left out; the first: s0, one frame"


@pytest.mark.parametrize("harm", [_break_image, _two_sizes, _empty, _all_black, _single_frames])
def test_bad_footage_gets_one_clear_line_and_leaves_nothing(project: Path, harm: Callable[[Path], str]) -> None:
    message = harm(project)
    with pytest.raises(ValueError, match=message) as error:
        ingest("train", DATA / "ingest" / "train.zarr")
    assert "\n" not in str(error.value)
    assert not (DATA / "ingest").exists()


def test_scenes_of_one_frame_and_black_scenes_are_left_out_by_name(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted((project / "footage" / "s0").iterdir())[1:]:
        path.unlink()
    ingest("train", DATA / "ingest" / "train.zarr")
    shown = capsys.readouterr().out
    assert "left out s0: one frame" in shown
    assert "1 scene, 1 left out" in shown
    store = FrameStore(DATA / "ingest" / "train.zarr")
    assert [scene.name for scene in store.scenes] == ["s1"]
    assert [item["scene"] for item in store.attributes["skipped"]] == ["s0"]


def test_offsets_beyond_every_scene_get_one_clear_line_and_leave_nothing(project: Path) -> None:
    _edit("generate_pairs", offsets=[50])
    with pytest.raises(ValueError, match=r"generate_pairs\.offsets: found \[50\], but the longest scene .* 5 frames"):
        _until_pairs()
    assert not PAIRS.exists()


def test_sources_that_are_gone_leave_no_trace(project: Path) -> None:
    for source in ("train", "held_out"):
        ingest(source, DATA / "ingest" / f"{source}.zarr")
    shutil.copytree(DATA / "ingest" / "train.zarr", DATA / "ingest" / "former.zarr")
    synthesize(DATA / "ingest", NOISY)
    assert sorted(path.name for path in (DATA / "ingest").iterdir()) == ["held_out.zarr", "train.zarr"]


def test_training_killed_at_any_moment_ends_in_the_same_bytes(project: Path) -> None:
    _until_pairs()
    train_denoiser(PAIRS, Path("whole") / "denoiser.safetensors")
    expected = Path("whole/denoiser.safetensors").read_bytes()
    command = [sys.executable, "-c", "from self2align.stages.cli import main; main()", "train_denoiser"]
    command += ["--pairs", str(PAIRS), "--out", str(DENOISER)]
    process = subprocess.Popen(command, env={**os.environ}, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(Path(".self2align").glob("*/checkpoint.safetensors")):
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended before its first checkpoint"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not DENOISER.exists()
    train_denoiser(PAIRS, DENOISER)
    assert DENOISER.read_bytes() == expected


@pytest.mark.gpu
def test_a_training_goes_on_from_weights_of_its_own_kind(project: Path) -> None:
    _until_pairs()
    _edit("train_denoiser", objective="aligned_neighbours")  # whose loss varies less from step to step
    train_denoiser(PAIRS, DENOISER)
    _edit("train_denoiser", init="mine")
    with pytest.raises(ValueError, match=r"init: found no starts/mine\.safetensors, expected one of null"):
        train_denoiser(PAIRS, Path("second") / "denoiser.safetensors")
    Path("starts").mkdir()
    shutil.copy(DENOISER, Path("starts") / "mine.safetensors")
    short = {"steps": 10, "warmup": 0, "learning_rate": 1e-4}
    _edit("train_denoiser", training=_params()["train_denoiser"]["training"] | short)
    train_denoiser(PAIRS, Path("second") / "denoiser.safetensors")
    losses = [
        [float(row.split(",")[1]) for row in path.read_text(encoding="utf-8").splitlines()[1:]]
        for path in (DENOISER.with_suffix(".csv"), Path("second/denoiser.csv"))
    ]
    # It begins where the first ended. (Losses end at the variance of the noise, not at zero.)
    assert abs(losses[1][0] - losses[0][-1]) < 0.2 * (losses[0][0] - losses[0][-1])
    header = load_header(Path("second/denoiser.safetensors"))
    assert header["inputs"]["init"] == hashlib.sha256(DENOISER.read_bytes()).hexdigest()
    _edit("train_denoiser", arguments={"width": 12, "depth": 2})
    with pytest.raises(ValueError, match=r"mine\.safetensors: found arguments .*'width': 8.*, expected .*'width': 12"):
        train_denoiser(PAIRS, Path("third") / "denoiser.safetensors")
    assert not Path("third").exists()
