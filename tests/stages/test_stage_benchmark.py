"""The benchmark from a folder of images: kinds of images, methods that cannot run, and the tools costs and sweep."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from ruamel.yaml import YAML

from self2align.stages.benchmark import benchmark
from self2align.stages.benchmark_sets import benchmark_sets
from self2align.stages.tools.costs import costs
from self2align.stages.tools.sweep import sweep
from self2align.stores.frames import FrameStore

ROOT = Path(__file__).parents[2]
SETS, DATA = Path("data/benchmark_sets"), Path("data/benchmark")
METHODS = ROOT / "pipeline" / "methods"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of test images: a gray of 8 bits, a colour of 16, both a flat middle gray; and parameters."""
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "gray.png"), np.full((64, 48), 128, np.uint8))
    cv2.imwrite(str(tmp_path / "images" / "deep.png"), np.full((32, 40, 3), 128 * 257, np.uint16))
    params: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "profiles" / "default.yaml").read_text("utf-8"))
    params["benchmark_sets"] = {"mine": {"kind": "images", "path": str(tmp_path / "images"), "repeats": 2}}
    params["benchmark"]["sigma"] = 10.0
    params["benchmark"]["methods"] = {name: {"file": str(METHODS / f"{name}.py")} for name in ("noisy", "bm3d")}
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(params, file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    monkeypatch.setitem(sys.modules, "bm3d", None)
    return tmp_path


def _flat_psnr(sigma: float) -> float:
    # Far from black and white nothing is clipped; rounding to 8 bits adds a twelfth.
    return float(10 * np.log10(255**2 / (sigma**2 + 1 / 12)))


def test_gray_and_16_bit_images_are_measured_at_their_own_depth(project: Path) -> None:
    benchmark_sets("mine", SETS / "mine.zarr")
    store = FrameStore(SETS / "mine.zarr")
    kinds = {scene.name: store.codes(scene).dtype.name for scene in store.scenes}
    assert kinds == {"gray": "uint8", "deep": "uint16"}
    assert all(store.frames(scene).shape[1] == 3 for scene in store.scenes)
    benchmark("noisy", SETS, DATA / "noisy")
    with (DATA / "noisy" / "images.csv").open(encoding="utf-8") as file:
        rows = {row["image"]: float(row["psnr"]) for row in csv.DictReader(file)}
    assert rows == {"deep": pytest.approx(_flat_psnr(10), abs=0.4), "gray": pytest.approx(_flat_psnr(10), abs=0.4)}


def _cut_short(folder: Path) -> str:
    whole = (folder / "gray.png").read_bytes()
    (folder / "gray.png").write_bytes(whole[: len(whole) // 2])
    return r"images/gray\.png: found .*, expected a whole picture"


def _no_image(folder: Path) -> str:
    (folder / "deep.png").write_text("not a picture")
    return r"images/deep\.png: found .*, expected a whole picture"


@pytest.mark.parametrize("harm", [_cut_short, _no_image])
def test_a_broken_image_is_refused_by_name_and_leaves_nothing(project: Path, harm: Callable[[Path], str]) -> None:
    message = harm(project / "images")
    with pytest.raises(ValueError, match=message) as error:
        benchmark_sets("mine", SETS / "mine.zarr")
    assert "\n" not in str(error.value)
    assert not SETS.exists()


@pytest.mark.parametrize(("height", "width"), [(10, 40), (40, 10)])
def test_an_image_smaller_than_the_window_of_ssim_is_refused_by_name(project: Path, height: int, width: int) -> None:
    cv2.imwrite("images/tiny.png", np.full((height, width, 3), 128, np.uint8))
    benchmark_sets("mine", SETS / "mine.zarr")
    with pytest.raises(
        ValueError, match=rf"tiny: found {height} x {width} px, expected at least 11 px a side"
    ) as error:
        benchmark("noisy", SETS, DATA / "noisy")
    assert "\n" not in str(error.value)
    assert not DATA.exists()


def test_an_image_of_just_that_window_is_measured(project: Path) -> None:
    cv2.imwrite("images/small.png", np.full((11, 11, 3), 128, np.uint8))
    benchmark_sets("mine", SETS / "mine.zarr")
    benchmark("noisy", SETS, DATA / "noisy")
    assert json.loads((DATA / "noisy" / "metrics.json").read_text())["mine"]["images"] == 3


def test_without_its_package_a_method_is_skipped_and_the_output_says_how_to_run_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark_sets("mine", SETS / "mine.zarr")
    benchmark("bm3d", SETS, DATA / "bm3d")
    assert json.loads((DATA / "bm3d" / "metrics.json").read_text()) == {"skipped": "package bm3d is not installed"}
    assert (DATA / "bm3d" / "pictures").is_dir()
    shown = capsys.readouterr().out
    assert "benchmark@bm3d: package bm3d is not installed" in shown
    assert "pip install bm3d; dvc repro -s -f benchmark@bm3d; dvc repro" in shown


def test_costs_are_measured_beside_what_the_benchmark_found(project: Path) -> None:
    benchmark_sets("mine", SETS / "mine.zarr")
    benchmark("noisy", SETS, DATA / "noisy")
    costs(side=32, threads=1, limit=60)
    found = json.loads(Path("data/costs/costs.json").read_text(encoding="utf-8"))
    rows = found["methods"]
    assert rows["bm3d"] == {"skipped": "package bm3d is not installed"}
    assert rows["noisy"]["finished"]
    assert rows["noisy"]["psnr"] == {"mine": pytest.approx(_flat_psnr(10), abs=0.4)}
    assert "32 x 32 px, 3 channels" in found["conditions"]["Image"]
    text = Path("data/costs/costs.md").read_text(encoding="utf-8")
    assert "| bm3d | not run |" in text
    assert "- bm3d: not run: package bm3d is not installed" in text
    assert Path("data/costs/costs.html").stat().st_size > 1000


def test_a_sweep_measures_each_level_and_keeps_every_image(project: Path) -> None:
    benchmark_sets("mine", SETS / "mine.zarr")
    sweep(["noisy"], sigma=[5.0, 20.0], peak=[1000.0])
    with Path("data/sweep/images.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2  # levels, images; quick: one repeat
    means = {name: np.mean([float(row["psnr"]) for row in rows if row["noise"] == name]) for name in
             ("sigma 5", "sigma 20", "Poisson 1000")}  # fmt: skip
    photons = 255 * (128 / 255 / 1000) ** 0.5
    expected = {"sigma 5": 5.0, "sigma 20": 20.0, "Poisson 1000": photons}
    assert means == {name: pytest.approx(_flat_psnr(sigma), abs=0.4) for name, sigma in expected.items()}
    assert "| noisy | " in Path("data/sweep/sweep.md").read_text(encoding="utf-8")
    assert not list(Path(".self2align").glob("*/*"))
    with pytest.raises(ValueError, match=r"method: found 'nlm', expected one of benchmark\.methods: bm3d, noisy"):
        sweep(["nlm"])
