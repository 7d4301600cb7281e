"""docs/extending.md is true: the two steps of each family, done as written in a copy, give a member that works.

The copy has one change per family and no other. Each member is then used through params.yaml, by the stages.
"""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from self2align.images.files import write_png
from tests.test_end_to_end import tiny_params

ROOT = Path(__file__).parents[1]
FAMILIES = (
    "source",
    "noise model",
    "aligner",
    "alignment loss",
    "sampler",
    "network",
    "objective",
    "kind of file",
    "method",
)
RUN = [sys.executable, "-P", "stages/run.py"]
SETS = "data/benchmark_sets"
NOISY, PAIRS = "data/synthesize/noisy.zarr", "data/generate_pairs/pairs.zarr"


@dataclass(frozen=True)
class Recipe:
    """Two steps: a file with its content, and a line of a registry with its file."""

    file: Path
    content: str
    registry: Path
    name: str
    line: str


def _recipe(family: str) -> Recipe:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    sections = {text.partition("\n")[0].strip().lower(): text for text in re.split(r"^## ", page, flags=re.M)[1:]}
    text = sections[family]
    steps = re.findall(r"^\d\. ", text, re.M)
    assert steps == ["1. ", "2. "], f"{family}: two steps"
    content, line = (dedent(block) for block in re.findall(r"```python\n(.*?)```", text, re.S))
    file = re.search(r"Write `(pipeline/[\w/]+\.py)`", text)
    registry = re.search(r"Add to `(\w+)` in `(pipeline/[\w/]+\.py)`", text)
    assert file is not None
    assert registry is not None
    assert len(line.strip().splitlines()) == 1
    return Recipe(Path(file[1]), content, Path(registry[2]), registry[1], line.strip())


def _follow(folder: Path, recipe: Recipe) -> None:
    """Do the two steps of a recipe."""
    assert not (folder / recipe.file).exists()
    (folder / recipe.file).write_text(recipe.content, encoding="utf-8")
    registry = folder / recipe.registry
    text = registry.read_text(encoding="utf-8")
    head = f"{recipe.name} = {{\n"
    assert text.count(head) == 1
    registry.write_text(text.replace(head, f"{head}    {recipe.line}\n"), encoding="utf-8")


def _copy(folder: Path) -> None:
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def _stage(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*RUN, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _change(folder: Path, changes: dict[str, Any]) -> None:
    """Change values of params.yaml, by their full names."""
    yaml, path = YAML(typ="safe", pure=True), folder / "params.yaml"
    params = yaml.load(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = params
        for section in sections:
            place = place[section]
        place[last] = value
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(params, file)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, texture: NDArray[np.float32]) -> Path:
    """A copy of the code without additions, with parameters and all stores up to the pairs."""
    folder = tmp_path_factory.mktemp("recipes") / "copy"
    _copy(folder)
    levels = (texture * 255).round().astype(np.uint8).transpose(1, 2, 0)
    for scene in range(2):
        for frame in range(3):
            y, x = 20 + 8 * scene + 2 * frame, 40 - 3 * frame
            write_png(folder / "footage" / f"s{scene}" / f"{frame}.png", levels[y : y + 96, x : x + 112])
    write_png(folder / "photographs" / "one.png", levels[:64, :96])
    params = tiny_params(folder / "footage", folder / "photographs")
    params["ingest"]["sources"] = {"train": {"kind": "folder", "path": "footage", "roles": ["align", "pairs"]}}
    params["generate_pairs"] |= {"aligner": "dis", "offsets": [1], "targets_per_scene": 2}
    params["train_denoiser"]["training"] |= {"steps": 2, "checkpoint_every": 2, "log_every": 1, "validate_every": 2}
    params["train_ablation"]["runs"], params["train_baselines"]["runs"] = {}, {}
    params["benchmark"]["methods"] = {"noisy": {"file": "pipeline/methods/noisy.py"}}
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(params, file)
    _stage(folder, "ingest", "--source", "train", "--out", "data/ingest/train.zarr")
    _stage(folder, "synthesize", "--frames", "data/ingest", "--out", NOISY)
    _stage(folder, "train_ian", "--aligner", "dis", "--noisy", NOISY, "--out", "data/train_ian/dis.safetensors")
    _stage(folder, "generate_pairs", "--noisy", NOISY, "--aligner", "data/train_ian/dis.safetensors", "--out", PAIRS)
    return folder


@pytest.fixture
def project(pairs: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy to which one recipe was applied; the family is the test's parameter."""
    folder = tmp_path / "project"
    shutil.copytree(pairs, folder)
    _follow(folder, _recipe(request.param))
    return folder


def _for(family: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("project", [family], indirect=True, ids=[family])


def _train(project: Path) -> dict[str, Any]:
    out = "data/train_denoiser/denoiser.safetensors"
    _stage(project, "train_denoiser", "--pairs", PAIRS, "--out", out)
    figures: dict[str, Any] = json.loads((project / "data/train_denoiser/metrics.json").read_text(encoding="utf-8"))
    return figures


def test_every_family_has_a_recipe() -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    sections = [line[3:].strip().lower() for line in page.splitlines() if line.startswith("## ")]
    assert sections == [*FAMILIES, "a new stage"]


@_for("source")
def test_a_new_source_is_ingested(project: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 60000, (3, 480, 640), dtype=np.uint16)
    (project / "dumps").mkdir()
    frames.tofile(project / "dumps" / "one.raw")
    _change(project, {"ingest.sources": {"dumps": {"kind": "raw", "path": "dumps", "roles": ["pairs"]}}})
    shown = _stage(project, "ingest", "--source", "dumps", "--out", "data/ingest/dumps.zarr")
    assert "1 scene, 0 left out" in shown
    assert "480 x 640" in shown


@_for("noise model")
def test_a_new_noise_model_is_added_to_frames_and_to_the_benchmark(project: Path) -> None:
    _change(project, {"synthesize.model": "multiplicative", "synthesize.sigma": 50.0})
    assert "Multiplicative noise, sigma 50" in _stage(project, "synthesize", "--frames", "data/ingest", "--out", NOISY)
    _stage(project, "benchmark_sets", "--name", "photographs", "--out", f"{SETS}/photographs.zarr")
    command = [
        "benchmark",
        "--method",
        "noisy",
        "--benchmark-sets",
        "data/benchmark_sets",
        "--out",
        "data/benchmark/noisy",
    ]
    _stage(project, *command)
    figures = json.loads((project / "data/benchmark/noisy/metrics.json").read_text(encoding="utf-8"))
    assert 10 < figures["photographs"]["psnr"] < 30, "noise was added"


@_for("aligner")
def test_a_new_aligner_makes_the_pairs(project: Path) -> None:
    entry = {"kind": "global_shift", "arguments": {"window": False}, "loss": "none", "training": None}
    _change(project, {"train_ian.aligners.global_shift": entry, "generate_pairs.aligner": "global_shift"})
    weights = "data/train_ian/global_shift.safetensors"
    _stage(project, "train_ian", "--aligner", "global_shift", "--noisy", NOISY, "--out", weights)
    _stage(project, "generate_pairs", "--noisy", NOISY, "--aligner", weights, "--out", PAIRS)
    figures = json.loads((project / "data/generate_pairs/metrics.json").read_text(encoding="utf-8"))
    assert figures["pairs"] > 0
    assert figures["ssim_filtered"]["mean"] > 0.5, "the frames move by one shift, which it finds"


@_for("alignment loss")
def test_a_new_alignment_loss_trains_an_aligner(project: Path) -> None:
    _change(project, {"train_ian.aligners.ian.loss": "absolute"})
    shown = _stage(
        project, "train_ian", "--aligner", "ian", "--noisy", NOISY, "--out", "data/train_ian/ian.safetensors"
    )
    assert "4 steps, loss" in shown


@_for("sampler")
def test_a_new_sampler_decides_what_is_kept(project: Path) -> None:
    before = _train(project)["keep_probability"]["mean"]
    _change(project, {"sampler.strategy": "squared"})
    assert 0 < _train(project)["keep_probability"]["mean"] < before


@_for("network")
def test_a_new_network_is_trained(project: Path) -> None:
    _change(project, {"train_denoiser.network": "plain", "train_denoiser.arguments": {"width": 8}})
    assert _train(project)["parameters"] == 8 * 28 + 8 * 73 + 3 * 73


@_for("objective")
def test_a_new_objective_is_trained(project: Path) -> None:
    _change(project, {"train_denoiser.objective": "absolute_prediction", "sampler.strategy": "none"})
    assert _train(project)["loss"] > 0


@_for("kind of file")
def test_a_new_kind_of_file_is_denoised(project: Path) -> None:
    _train(project)
    frame = np.random.default_rng(0).random((3, 40, 56)).astype(np.float32)
    np.save(project / "frame.npy", frame)
    # `denoise` is no stage: the copy's own code runs as the installed code would.
    script = "import runpy, sys; sys.argv = ['run.py']; runpy.run_path('stages/run.py', run_name='here')\n"
    script += (
        "from self2align.stages.cli import main; sys.argv = ['self2align', 'denoise', 'frame.npy', 'clean.npy']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    clean = np.load(project / "clean.npy")
    assert (clean.shape, clean.dtype) == (frame.shape, frame.dtype)


@_for("method")
def test_a_new_method_is_measured(project: Path) -> None:
    row = {"file": "pipeline/methods/median.py", "arguments": {"size": 3}}
    _change(project, {"benchmark.methods": {"median": row}})
    _stage(project, "benchmark_sets", "--name", "photographs", "--out", f"{SETS}/photographs.zarr")
    command = [
        "benchmark",
        "--method",
        "median",
        "--benchmark-sets",
        "data/benchmark_sets",
        "--out",
        "data/benchmark/median",
    ]
    _stage(project, *command)
    figures = json.loads((project / "data/benchmark/median/metrics.json").read_text(encoding="utf-8"))
    assert figures["photographs"]["psnr"] > 23, "noise was removed"
