"""dvc.yaml against the code: DVC follows no imports, so a module that is no dependency leaves a stage "up to date"."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from self2align.alignment import ALIGNERS, LOSSES
from self2align.methods import METHODS
from self2align.networks import NETWORKS
from self2align.noise import NOISE
from self2align.objectives import OBJECTIVES
from self2align.params.schema import Params
from self2align.runtime.families import load
from self2align.runtime.provenance import imported_modules, module_file
from self2align.samplers import SAMPLERS
from self2align.sources import SOURCES

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
PIPELINE = YAML(typ="safe", pure=True).load(TEXT)["stages"]


def _body(stage: str) -> dict[str, Any]:
    definition: dict[str, Any] = PIPELINE[stage]
    body: dict[str, Any] = definition.get("do", definition)
    return body


def _files(module: str) -> set[str]:
    """Return the files of a module and of all that it imports, relative to the repository."""
    found = {module_file(name) for name in imported_modules(module)}
    return {path.relative_to(ROOT).as_posix() for path in found if path is not None}


def _covered(path: str, deps: Iterable[str]) -> bool:
    return any(path == dep or path.startswith(f"{dep}/") for dep in deps)


ALIGNED = [name for name in OBJECTIVES if load(OBJECTIVES, name, "objective").aligned]
BASELINES = [name for name in OBJECTIVES if name not in ALIGNED]
FAMILIES: dict[str, dict[str, Iterable[str]]] = {
    "${item.kind}": {
        **dict.fromkeys(("ingest", "benchmark_sets", "benchmark_videos"), SOURCES),
        "train_ian": ALIGNERS,
    },
    "${item.loss}": {"train_ian": LOSSES},
    "${synthesize.model}": dict.fromkeys(PIPELINE, NOISE),
    "${train_denoiser.network}": dict.fromkeys(PIPELINE, NETWORKS),
    "${train_denoiser.objective}": dict.fromkeys(PIPELINE, OBJECTIVES),
    "${sampler.strategy}": dict.fromkeys(PIPELINE, SAMPLERS),
    "${item.strategy}": {"train_ablation": SAMPLERS},
    "${item.objective}": {"train_ablation": ALIGNED, "train_baselines": BASELINES},
}


def _members(stage: str) -> list[str]:
    """All members that a stage may be told to load, by its ``${...}`` dependencies, as paths."""
    return [
        dep.replace(key, name)
        for dep in _body(stage)["deps"]
        for key, families in FAMILIES.items()
        if key in dep
        for name in families[stage]
    ]


def _module(path: str) -> str:
    top, *rest = path.removesuffix(".py").split("/")
    return ".".join(["self2align", *(["stages"] if top == "stages" else []), *rest])


@pytest.mark.parametrize("stage", PIPELINE)
def test_every_module_that_a_stage_loads_is_among_its_dependencies(stage: str) -> None:
    deps, members = _body(stage)["deps"], _members(stage)
    loaded = _files(f"self2align.stages.{stage}")
    for member in members:
        assert (ROOT / member).is_file(), f"{stage}: no {member}"
        loaded |= _files(_module(member)) - {member}
    missing = sorted(path for path in loaded if not _covered(path, deps))
    assert not missing, f"missing from the deps of {stage} in dvc.yaml"


@pytest.mark.parametrize("stage", PIPELINE)
def test_every_dependency_on_code_is_there_and_is_used(stage: str) -> None:
    loaded = _files(f"self2align.stages.{stage}").union(*(_files(_module(member)) for member in _members(stage)))
    if stage == "benchmark":
        loaded = loaded.union(*(_files(place.partition(":")[0]) for place in METHODS.values()))
    for dep in _body(stage)["deps"]:
        if dep.startswith(("pipeline/", "stages/")) and "${" not in dep:
            assert (ROOT / dep).exists(), dep
            used = dep == "pipeline/report" or any(_covered(path, [dep]) for path in loaded)
            assert used, f"{stage} does not use {dep}"


@pytest.mark.parametrize("stage", PIPELINE)
def test_no_dependency_holds_a_family_the_schema_or_presentation(stage: str) -> None:
    """Adding a member, a key of the schema or a color on the terminal reruns nothing."""
    families = {"alignment", "media", "methods", "networks", "noise", "objectives", "samplers", "sources"}
    forbidden = {f"pipeline/{family}" for family in families} | {"pipeline", "stages", "pipeline/params"}
    forbidden |= {
        "pipeline/alignment/losses",
        "pipeline/__init__.py",
        "stages/screen.py",
        "stages/cli.py",
        "stages/run.py",
    }
    deps = set(_body(stage)["deps"])
    assert not deps & forbidden
    assert not [dep for dep in deps if dep.endswith("__init__.py") or dep.startswith("pipeline/params")]
    assert ("pipeline/report" in deps) == (stage == "report")


@pytest.mark.parametrize("method", METHODS)
def test_a_method_loads_no_module_but_its_own_that_the_benchmark_does_not_list(method: str) -> None:
    module = METHODS[method].partition(":")[0]
    own = f"pipeline/methods/{method}.py"
    assert not sorted(path for path in _files(module) - {own} if not _covered(path, _body("benchmark")["deps"]))


@pytest.mark.parametrize("stage", PIPELINE)
def test_stage_file_section_and_folder_have_one_name(stage: str) -> None:
    body = _body(stage)
    assert (ROOT / "stages" / f"{stage}.py").is_file()
    assert f"stages/{stage}.py" in body["deps"]
    assert stage in Params.model_fields
    assert re.match(rf"python -P stages/run\.py {stage} ", body["cmd"])
    outputs = [*body.get("outs", []), *body.get("metrics", []), *body.get("plots", [])]
    for output in outputs:
        path = output if isinstance(output, str) else next(iter(output))
        assert path.startswith(f"data/{stage}")


def test_the_pipeline_can_be_taken_in_at_a_glance() -> None:
    assert len(TEXT.splitlines()) <= 480


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
    text = (ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8")
    read = set(re.findall(r"\b(?:chosen|params)\.(\w+)", text)) & set(Params.model_fields)
    assert read <= listed, f"{stage} reads {sorted(read - listed)}"


def test_a_stage_that_reads_weights_learns_of_their_code_by_the_file() -> None:
    for path in ("pipeline/training/aligner.py", "pipeline/training/denoiser.py"):
        assert "code_digest(" in (ROOT / path).read_text(encoding="utf-8")
    for stage in ("generate_pairs", "evaluate_alignment"):
        assert any(dep.startswith("data/train_ian") for dep in _body(stage)["deps"])
