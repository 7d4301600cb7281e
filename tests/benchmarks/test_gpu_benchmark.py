"""The benchmark of the GPU path: on a device that is not the CPU, small on a CPU, and with cards that fail."""

import csv
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer import Exit

from self2align.alignment import ALIGNERS, LOSSES
from self2align.denoising.denoiser import Denoiser
from self2align.networks import NETWORKS
from self2align.objectives import OBJECTIVES
from self2align.params.loading import load
from self2align.runtime.tables import read_json
from self2align.samplers import SAMPLERS
from self2align.stores.weights import load_header, load_weights
from tests.pretend import pretended_device

ROOT = Path(__file__).parents[2]
COMPARED = (
    "aligner",
    "alignment loss",
    "denoised",
    "network",
    "objective",
    "pairs",
    "sampler",
    "score",
    "tiles",
    "training",
    "warp",
)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules of the benchmark, which import each other by plain names."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return import_module("gpu")


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """A device whose tensors may not meet those of the CPU; it has no mixed precision."""
    known = torch.autocast

    def autocast(kind: str, *options: Any, **more: Any) -> Any:
        return nullcontext() if kind == "meta" else known(kind, *options, **more)

    monkeypatch.setattr(torch, "autocast", autocast)
    with pretended_device() as where:
        yield where


def test_a_tensor_of_the_pretended_device_meets_none_of_the_cpu(pretended: torch.device) -> None:
    there = torch.arange(6.0).view(2, 3).to(pretended)
    assert (there.device.type, float(there.sum())) == ("meta", 15.0)
    assert torch.equal((there[:, [0, 2]] * 2).cpu(), torch.tensor([[0.0, 4.0], [6.0, 10.0]]))
    with pytest.raises(RuntimeError, match="expected all tensors to be on the same device"):
        there + torch.ones(2, 3)
    with pytest.raises(RuntimeError, match="numpy"):
        there.numpy()
    layer = nn.Linear(3, 1).to(pretended)
    torch.autograd.backward(layer(there).square().sum())
    assert layer.weight.grad is not None
    assert layer.weight.grad.device.type == "meta"


@pytest.mark.parametrize("part", COMPARED)
def test_every_path_computes_the_same_away_from_the_cpu(gpu: Any, pretended: torch.device, part: str) -> None:
    wrong = {}
    for check in gpu.gpu_checks.checks(small=True):
        if check.part == part:
            found = gpu.gpu_checks.difference(check, pretended)
            if not found <= check.limit:
                wrong[check.name] = found
    assert not wrong


def test_the_families_are_compared_whole(gpu: Any) -> None:
    names: dict[str, set[str]] = {}
    for check in gpu.gpu_checks.checks(small=True):
        names.setdefault(check.part, set()).add(check.name)
    assert set(names) == {*COMPARED, "network, bfloat16"}
    families = {"network": NETWORKS, "objective": OBJECTIVES, "aligner": ALIGNERS, "sampler": SAMPLERS}
    assert {part: names[part] for part in families} == {part: set(family) for part, family in families.items()}
    assert {name.split(",")[0] for name in names["alignment loss"]} == set(LOSSES) - {"none"}
    full = {check.name for check in gpu.gpu_checks.checks() if check.part == "network, bfloat16"}
    assert full == set(NETWORKS)


def test_a_difference_is_relative_and_what_is_not_finite_on_one_side_is_none(gpu: Any) -> None:
    def found(other: torch.Tensor, **options: Any) -> float:
        def run(where: torch.device, dtype: torch.dtype) -> list[torch.Tensor]:
            return [torch.tensor([2.0, -4.0, 0.0], dtype=torch.float64) if dtype == torch.float64 else other]

        return float(
            gpu.gpu_checks.difference(gpu.gpu_checks.Check("a", "b", run, 0.1, **options), torch.device("cpu"))
        )

    assert found(torch.tensor([2.0, -4.0, 1.0])) == pytest.approx(1 / 4)
    assert found(torch.tensor([2.0, -4.0, 1.0]), mean=True) == pytest.approx(1 / 6)
    assert found(torch.tensor([2.0, -4.0, torch.nan])) == float("inf")
    assert found(torch.tensor([2.0, -4.0])) == float("inf")


def test_operations_are_counted_and_the_longest_part_bounds(gpu: Any) -> None:
    speed = gpu.gpu_speed
    layer, image = nn.Conv2d(4, 8, 3, padding=1, bias=False), torch.zeros(2, 4, 16, 16)
    with torch.no_grad():
        step = speed.count(lambda: layer(image).flatten(1).relu_())
    made = 2 * 8 * 16 * 16
    assert step.flops == 2 * made * 4 * 9
    assert step.launches == 2  # flatten looks at the same values
    # Read and written: image, weights and result; then the result in place.
    assert step.bytes == 4 * (image.numel() + layer.weight.numel() + 2 * made)
    card = speed.Card(flops=1e9, bandwidth=1e9, launch=1e-3)
    assert speed.bound(speed.Step(4e9, 2e9, 100), card, 1.0, 0.5)[0] == "FLOPs"
    assert speed.bound(speed.Step(1e9, 2e9, 100), card, 1.0, 0.5)[0] == "bytes"
    assert speed.bound(speed.Step(1e6, 2e6, 100), card, 0.05, 0.0)[0] == "launches"
    assert speed.bound(speed.Step(1e6, 2e6, 100), card, 1.0, 0.5) == (
        "cutting crops",
        {"FLOPs": 1e-3, "bytes": 2e-3, "launches": 0.1, "cutting crops": 1.0, "drawing noise": 0.5},
    )


@pytest.mark.parametrize(("holds", "expected"), [(128, 128), (40, 32), (8, 8)])
def test_a_batch_is_halved_until_the_memory_holds_it(gpu: Any, holds: int, expected: int) -> None:
    def run(batch: int) -> None:
        if batch > holds:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1.00 GiB")

    assert gpu.gpu_speed.fitting_batch(run, 128) == expected


def test_a_card_with_too_little_memory_gets_one_line_with_a_way_on(gpu: Any) -> None:
    def run(batch: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1.00 GiB")

    with pytest.raises(ValueError, match=r"memory: found too little on the GPU for 8 crops .*SELF2ALIGN_DEVICE=cpu"):
        gpu.gpu_speed.fitting_batch(run, 32)


@pytest.mark.parametrize(("apple", "found"), [(True, "an Apple GPU"), (False, "no CUDA device")])
def test_a_machine_without_cuda_is_told_what_is_there(
    gpu: Any, monkeypatch: pytest.MonkeyPatch, apple: bool, found: str
) -> None:
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)
    with pytest.raises(ValueError, match=f"GPU: found {found}.*--dry"):
        gpu.computing_device(dry=False)
    assert gpu.computing_device(dry=True).type == "cpu"


def test_rows_stay_for_the_same_code_and_are_dropped_for_another(gpu: Any, tmp_path: Path) -> None:
    path, late, time = tmp_path / "results.json", gpu.Clock.of(-1.0), gpu.Clock.of(1.0)
    record = gpu.Record.open(path, {"code": "one"})
    assert record.measure("work", "a", late, lambda: pytest.fail("there is no time left")) is None
    assert record.measure("work", "a", time, lambda: {"frames a second": 2.0}) == {"frames a second": 2.0}

    def too_large() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert "too little memory" in record.measure("work", "b", time, too_large)["skipped"]
    again = gpu.Record.open(path, {"code": "one"})
    assert again.measure("work", "a", late, lambda: pytest.fail("it was measured")) == {"frames a second": 2.0}
    assert gpu.Record.open(path, {"code": "other"}).rows == {}


def test_a_limit_that_is_passed_is_told_and_ends_in_failure(
    gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(where: torch.device, dtype: torch.dtype) -> None:
        raise RuntimeError("no kernel for this")

    def good(where: torch.device, dtype: torch.dtype) -> list[torch.Tensor]:
        return [torch.ones(2, dtype=dtype)]

    def far(where: torch.device, dtype: torch.dtype) -> list[torch.Tensor]:
        return [torch.ones(2) * (1 if dtype == torch.float64 else 1.5)]

    made = [gpu.gpu_checks.Check("warp", run.__name__, run, 0.1) for run in (good, far, broken)]
    monkeypatch.setattr(gpu.gpu_checks, "checks", lambda small: made)
    with pytest.raises(Exit) as ended:
        gpu.main(out=tmp_path, minutes=1.0, dry=True, only=["compare"])
    assert ended.value.exit_code == 1
    told = (tmp_path / "report.md").read_text(encoding="utf-8").split("## Limits passed")[1].split("\n- ")[1:]
    assert [line.strip() for line in told] == [
        "warp: far: found a difference of 0.5, expected at most 0.1",
        "warp: broken: RuntimeError: no kernel for this",
    ]


@pytest.mark.parametrize(("body", "code"), [("assert True", 0), ("assert False", 1)])
def test_the_marked_tests_are_run_and_a_failure_is_told(gpu: Any, tmp_path: Path, body: str, code: int) -> None:
    text = f"import pytest\n@pytest.mark.gpu\ndef test_one():\n    {body}\ndef test_other():\n    assert False\n"
    (tmp_path / "test_it.py").write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu\n", encoding="utf-8")
    record = gpu.Record.open(tmp_path / "results.json", {})
    gpu.tests(record, gpu.Clock.of(1.0), tmp_path)
    row = record.rows["tests"]["marked gpu"]
    assert (row["code"], row.get("failed", "").endswith("::test_one")) == (code, bool(code))
    assert bool(gpu.faults(record)) == bool(code)


def test_a_dry_run_measures_and_trains_and_a_second_goes_on(
    gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: Callable[..., None] = gpu.main
    options = {"out": tmp_path, "dry": True, "pairs": None, "profile": ROOT / "profiles" / "gpu.yaml", "memory": 1}
    run(minutes=5.0, only=["train", "work", "quality"], steps=None, **options)
    rows = read_json(tmp_path / "results.json")["rows"]
    assert set(rows) == {"train", "work", "quality"}
    assert rows["train"]["as trained"]["crops a second"] > 0
    assert rows["quality"]["trained"]["finished"]
    weights = tmp_path / "denoiser.safetensors"
    assert load_header(weights)["training"]["steps"] == rows["quality"]["plan"]["steps"] == 16
    with weights.with_suffix(".csv").open(encoding="utf-8") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["4", "8", "12", "16"]

    # Nothing is measured again.
    for name in ("measure_card", "alignment", "denoising"):
        monkeypatch.setattr(gpu.gpu_speed, name, lambda *_: pytest.fail("it was measured before"))
    monkeypatch.setattr(gpu.gpu_training, "train", lambda *_: pytest.fail("it was trained before"))
    run(minutes=5.0, only=["train", "work", "quality"], steps=None, **options)
    monkeypatch.undo()

    # A training that is stopped leaves usable weights, and ends in the same bytes when it goes on.
    monkeypatch.setenv("SELF2ALIGN_SCRATCH", str(tmp_path / "unfinished"))
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    chosen, settings = gpu.small(load(ROOT / "profiles" / "gpu.yaml"))
    train, out = gpu.gpu_training.train, tmp_path / "stopped.safetensors"
    pairs = tmp_path / "sample" / "pairs.zarr"
    found = train(pairs, out, chosen, settings, gpu.Clock.of(0.0), 0.0)
    assert (found["finished"], found["steps"], out.exists()) == (False, 4, False)
    frame = np.random.default_rng(0).random((3, 32, 48)).astype(np.float32)
    assert Denoiser.load(found["weights"], device="cpu")(frame, sigma=0.1).shape == frame.shape
    assert train(pairs, out, chosen, settings, gpu.Clock.of(5.0), 0.0)["finished"]
    assert not Path(found["weights"]).exists()
    one, other = (load_weights(path)[0] for path in (weights, out))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_steps_are_those_that_fit_the_time(gpu: Any) -> None:
    _, settings = gpu.small(load(ROOT / "profiles" / "gpu.yaml"))
    settings = replace(settings, training=replace(settings.training, steps=1000))
    steps = gpu.gpu_training.affordable_steps
    assert steps(settings, 0.1, 10.0) == 96  # of 100, whole rows of the curve
    assert steps(settings, 0.1, 1000.0) == 1000
    assert steps(settings, 0.1, 0.0) == 8


def test_the_profile_for_a_gpu_differs_from_quality_in_what_was_chosen_by_arithmetic() -> None:
    one, other = (load(ROOT / "profiles" / f"{name}.yaml") for name in ("quality", "gpu"))
    kept = {"arguments": {}, "training": one.train_denoiser.training}
    assert other.model_copy(update={"train_denoiser": other.train_denoiser.model_copy(update=kept)}) == one
    changed = asdict(one.train_denoiser.training.settings()) | {"batch": 32}
    assert asdict(other.train_denoiser.training.settings()) == changed
    assert other.train_denoiser.arguments == {"width": 128}
