"""dvc.yaml against the code: DVC follows no imports, so an unlisted module that changes leaves a stage "up to date"."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from self2align.alignment import ALIGNERS
from self2align.methods import METHODS
from self2align.networks import NETWORKS
from self2align.objectives import OBJECTIVES
from self2align.params.schema import Params
from self2align.runtime.families import load
from self2align.sources import SOURCES

ROOT = Path(__file__).parent.parent
PIPELINE = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
# Registries are no dependencies, so that adding a member to a family reruns nothing; the version is one.
VERSION = Path("pipeline/__init__.py")


def _body(stage: str) -> dict[str, Any]:
    definition: dict[str, Any] = PIPELINE[stage]
    body: dict[str, Any] = definition.get("do", definition)
    return body


def _imports(path: Path) -> set[Path]:
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    found = set()
    for name in names:
        if name.split(".")[0] in ("pipeline", "stages"):
            base = Path(*name.split("."))
            found |= {path for path in (base.with_suffix(".py"), base / "__init__.py") if (ROOT / path).is_file()}
    return found


def _loaded(start: set[Path]) -> set[Path]:
    seen: set[Path] = set()
    todo = set(start)
    while todo:
        path = todo.pop()
        seen.add(path)
        todo |= _imports(path) - seen
    return {path for path in seen if path.name != "__init__.py" or path == VERSION}


ALIGNED = [name for name in OBJECTIVES if load(OBJECTIVES, name, "objective").aligned]
BASELINES = [name for name in OBJECTIVES if name not in ALIGNED]
FAMILIES: dict[str, dict[str, Iterable[str]]] = {
    "${item.kind}": {"ingest": SOURCES, "benchmark_sets": SOURCES, "train_ian": ALIGNERS},
    "${train_denoiser.network}": dict.fromkeys(PIPELINE, NETWORKS),
    "${train_denoiser.objective}": dict.fromkeys(PIPELINE, OBJECTIVES),
    "${item.objective}": {"train_ablation": ALIGNED, "train_baselines": BASELINES},
}


def _members(stage: str) -> list[Path]:
    """All members of the families that a stage may be told to load, by its ``${...}`` dependencies."""
    return [
        Path(dep.replace(key, name))
        for dep in _body(stage)["deps"]
        for key, families in FAMILIES.items()
        if key in dep
        for name in families[stage]
    ]


@pytest.mark.parametrize("stage", PIPELINE)
def test_every_module_that_a_stage_loads_is_among_its_dependencies(stage: str) -> None:
    listed = set(_body(stage)["deps"])
    loaded = _loaded({Path(f"stages/{stage}.py")})
    for member in _members(stage):
        loaded |= _loaded({member}) - {member}
    assert not sorted({path.as_posix() for path in loaded} - listed), f"missing from the deps of {stage} in dvc.yaml"


@pytest.mark.parametrize("method", METHODS)
def test_a_method_loads_no_module_but_its_own_that_the_benchmark_does_not_list(method: str) -> None:
    member = Path(*METHODS[method].split(":")[0].split(".")).with_suffix(".py")
    assert not sorted(_loaded({member}) - {member} - {Path(dep) for dep in _body("benchmark")["deps"]})


@pytest.mark.parametrize("stage", PIPELINE)
def test_stage_file_section_and_folder_have_one_name(stage: str) -> None:
    body = _body(stage)
    assert (ROOT / "stages" / f"{stage}.py").is_file()
    assert stage in Params.model_fields
    assert re.match(rf"self2align {stage} ", body["cmd"])
    outputs = [*body.get("outs", []), *body.get("metrics", []), *body.get("plots", [])]
    for output in outputs:
        path = output if isinstance(output, str) else next(iter(output))
        assert path.startswith(f"data/{stage}")


def test_every_section_of_the_parameters_is_used() -> None:
    used = {param.split(".")[0] for stage in PIPELINE for param in _body(stage)["params"]}
    assert used == set(Params.model_fields)


@pytest.mark.parametrize("stage", ["train_ian", "generate_pairs", "train_denoiser"])
def test_nothing_that_trains_the_denoiser_reads_a_clean_frame(stage: str) -> None:
    deps = _body(stage)["deps"]
    assert not [dep for dep in deps if dep.startswith(("data/ingest", "data/benchmark_sets"))]
    assert "data/ingest" not in _body(stage)["cmd"]


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_parameter_that_a_stage_reads_is_among_its_params(stage: str) -> None:
    listed = {param.split(".")[0] for param in _body(stage)["params"]}
    read: set[str] = set()
    for path in _loaded({Path(f"stages/{stage}.py")}):
        if path.parts[0] == "stages":
            text = (ROOT / path).read_text(encoding="utf-8")
            read |= set(re.findall(r"\b(?:chosen|params)\.(\w+)", text)) & set(Params.model_fields)
    assert read <= listed, f"{stage} reads {sorted(read - listed)}"


def test_a_stage_that_reads_an_aligner_learns_of_its_code_by_its_file() -> None:
    text = (ROOT / "stages" / "train_ian.py").read_text(encoding="utf-8")
    assert "source_digest" in text
    for stage in ("generate_pairs", "evaluate_alignment"):
        assert any(dep.startswith("data/train_ian") for dep in _body(stage)["deps"])
