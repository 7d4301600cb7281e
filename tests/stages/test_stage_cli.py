import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from self2align.stages.cli import CLUSTERED, STAGES, TOOLS, main

ROOT = Path(__file__).parent.parent.parent
RUN = [sys.executable, "-c", "from self2align.stages.cli import main; main()"]


def _run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "200", **environment}
    return subprocess.run([*RUN, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_help_names_every_command_and_loads_nothing_heavy(tmp_path: Path) -> None:
    script = "import sys; from self2align.stages.cli import main\ntry:\n main()\n"
    script += "finally:\n print(sorted(sys.modules), file=sys.stderr)"
    found = subprocess.run(
        [sys.executable, "-c", script, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert all(name in found.stdout for name in (*STAGES, *TOOLS))
    loaded = set(found.stderr.split("'"))
    assert not {"torch", "numpy", "zarr", "cv2", "skimage", "pydantic", "dvc"} & loaded


def test_help_is_quick(tmp_path: Path) -> None:
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        _run("--help", folder=tmp_path)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["synthesize", "--frames", "none", "--out", "o.zarr"], "params.yaml: found no file, expected parameters"),
        (["inspect", "nothing.zarr"], "nothing.zarr"),
        (["profile", "best"], "profile: found 'best', expected one of default, gpu, paper, quality"),
    ],
)
def test_an_error_is_one_line_and_a_non_zero_exit(tmp_path: Path, arguments: list[str], message: str) -> None:
    found = _run(*arguments, folder=tmp_path)
    assert found.returncode == 1
    assert found.stderr.startswith("self2align: error: ")
    assert message in found.stderr
    assert found.stderr.count("\n") == 1
    assert "Traceback" in _run("--debug", *arguments, folder=tmp_path).stderr


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "profiles" / "default.yaml").read_bytes())
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "file").write_text("in the way")
    command = ["benchmark_sets", "--name", "photographs", "--out", "file/x.zarr"]
    found = _run(*command, folder=tmp_path)
    assert found.returncode == 1
    assert found.stderr.count("\n") == 1
    assert "file" in found.stderr


def test_a_wrong_variable_of_the_environment_is_named(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "profiles" / "default.yaml").read_bytes())
    command = ["benchmark_sets", "--name", "photographs", "--out", "x.zarr"]
    found = _run(*command, folder=tmp_path, SELF2ALIGN_WORKERS="many")
    assert found.stderr == "self2align: error: SELF2ALIGN_WORKERS: found 'many', expected a whole number from 1\n"


def test_a_profile_is_put_in_place(tmp_path: Path) -> None:
    assert _run("profile", "paper", folder=tmp_path).returncode == 0
    assert (tmp_path / "params.yaml").read_bytes() == (ROOT / "profiles" / "paper.yaml").read_bytes()


def test_values_of_ones_own_are_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 7\n")
    found = _run("profile", "paper", folder=tmp_path)
    assert found.returncode == 1
    assert "params.yaml: found an edited parameter file" in found.stderr
    assert (tmp_path / "params.yaml").read_text() == "seed: 7\n"
    assert _run("profile", "paper", "--force", folder=tmp_path).returncode == 0


CALLS = [(["foo"], "No such command 'foo'"), (["inspect"], "Missing argument")]


@pytest.mark.parametrize(("arguments", "message"), CALLS)
def test_a_call_that_does_not_fit_is_told_plainly(tmp_path: Path, arguments: list[str], message: str) -> None:
    found = _run(*arguments, folder=tmp_path)
    assert found.returncode == 2
    assert message in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("command", CLUSTERED)
def test_an_address_that_is_none_is_refused_before_any_work(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELF2ALIGN_SCHEDULER", "")  # put back afterwards
    monkeypatch.setattr(sys, "argv", ["self2align", command, "--scheduler", "host:8786"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(ValueError, match=r"found 'host:8786', expected an address such as tcp://host:8786"):
        main()
