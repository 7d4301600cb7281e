"""What DVC would run again after a change of parameters or code, asked of DVC itself in a copy of the project."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NLM = "    nlm: {file: pipeline/methods/nlm.py}\n"
CHANGES = {
    "nothing": NLM,
    "an argument": "    nlm: {file: pipeline/methods/nlm.py, arguments: {strength: 0.7}}\n",
    "a method more": NLM + "    bm3d: {file: pipeline/methods/bm3d.py}\n",
    "a method less": "",
}
# Files to which a comment is added, one after the other.
PRESENTATION = (
    "stages/screen.py",
    "stages/cli.py",
    "stages/run.py",
    "stages/tools/inspect.py",
    "pipeline/survey/pace.py",
)
SCHEMA = ("pipeline/params/schema.py", "pipeline/params/checks.py", "pipeline/params/loading.py")
REGISTRIES = tuple(
    f"pipeline/{room}/__init__.py"
    for room in ("alignment", "media", "methods", "networks", "noise", "objectives", "samplers", "sources")
)
NOT_COMPUTING = ("pipeline/__init__.py", "pipeline/media/video.py", "pipeline/survey/pace.py")
NOT_CHOSEN = ("pipeline/networks/sgn.py", "pipeline/samplers/fixed.py", "pipeline/noise/poisson.py")
COMPUTING = ("pipeline/report/tables.py", "pipeline/alignment/confidence.py", "pipeline/evaluation/metrics.py")
FILES = (*PRESENTATION, *SCHEMA, *REGISTRIES, *NOT_COMPUTING, *NOT_CHOSEN, *COMPUTING)
# Commits a file in place of each output, as if all had run; then prints for each change the stages that are stale.
SCRIPT = """
import json, sys
from pathlib import Path
from dvc.repo import Repo

params, (rows, changes, files) = Path("params.yaml"), json.loads(sys.argv[1])
with Repo.init(no_scm=True) as repo:
    for stage in repo.index.stages:
        for out in stage.outs:
            Path(out.fs_path).parent.mkdir(parents=True, exist_ok=True)
            Path(out.fs_path).write_text(out.def_path)
    repo.commit(force=True)
found, text = {}, params.read_text()
for name, change in changes.items():
    params.write_text(text.replace(rows, change))
    with Repo() as repo:
        found[name] = sorted(repo.status())
params.write_text(text)
for name in files:
    path = Path(name)
    before = path.read_bytes()
    path.write_bytes(before + b"# a comment\\n")
    with Repo() as repo:
        found[name] = sorted(repo.status())
    path.write_bytes(before)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def stale(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Change -> the stages that it makes stale."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("pipeline", "stages", "starts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "profiles" / "default.yaml", folder / "params.yaml")
    assert (folder / "params.yaml").read_text(encoding="utf-8").count(NLM) == 1
    for name in ("train_ablation", "train_baselines"):
        (folder / "data" / name).mkdir(parents=True)
    folders = ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR")
    env = {**os.environ, "DVC_NO_ANALYTICS": "1", **{name: str(folder / ".home") for name in folders}}
    command = [sys.executable, "-P", "-c", SCRIPT, json.dumps([NLM, CHANGES, FILES])]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_without_a_change_nothing_is_stale(stale: dict[str, list[str]]) -> None:
    assert stale["nothing"] == []


def test_one_methods_argument_makes_its_own_item_and_the_report_stale(stale: dict[str, list[str]]) -> None:
    assert stale["an argument"] == ["benchmark@nlm", "report"]


def test_a_method_more_or_less_measures_no_other_again(stale: dict[str, list[str]]) -> None:
    assert stale["a method more"] == ["benchmark@bm3d", "report"]
    assert stale["a method less"] == ["report"]


@pytest.mark.parametrize(
    "file", [*PRESENTATION, *SCHEMA, *REGISTRIES, "pipeline/__init__.py", "pipeline/media/video.py"]
)
def test_presentation_schema_registries_and_the_version_rerun_nothing(stale: dict[str, list[str]], file: str) -> None:
    assert stale[file] == []


def test_the_reports_code_reruns_the_report_alone(stale: dict[str, list[str]]) -> None:
    assert stale["pipeline/report/tables.py"] == ["report"]


@pytest.mark.parametrize(
    "file", ["pipeline/networks/sgn.py", "pipeline/samplers/fixed.py", "pipeline/noise/poisson.py"]
)
def test_a_member_that_is_not_chosen_reruns_nothing(stale: dict[str, list[str]], file: str) -> None:
    assert stale[file] == []


def test_code_that_computes_reruns_what_uses_it(stale: dict[str, list[str]]) -> None:
    assert "generate_pairs" in stale["pipeline/alignment/confidence.py"]
    assert "train_denoiser" not in stale["pipeline/evaluation/metrics.py"]
    assert {"benchmark@nlm", "benchmark@ours", "evaluate_denoiser"} <= set(stale["pipeline/evaluation/metrics.py"])
