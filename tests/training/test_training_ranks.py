"""Training on two processes: what one makes of the same batches, to rounding."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from self2align.stores.weights import load_weights
from tests.training.together import JOBS, job

TORCHRUN = [sys.executable, "-P", "-m", "torch.distributed.run", "--nproc-per-node", "2"]
SCRIPT = Path(__file__).with_name("together.py")
# float32: 12 steps of Adam from sums in another order.
CLOSE = 2e-4


def _together(folder: Path, *jobs: str, **variables: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    (folder / "scratch").mkdir(exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SELF2ALIGN_DEVICE": "cpu"}
    environment |= {"SELF2ALIGN_SCRATCH": str(folder / "workspaces"), **variables}
    command = [*TORCHRUN, str(SCRIPT), str(folder), *jobs]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)


def _alone(name: str, folder: Path, scratch: Path | None = None, **options: Any) -> dict[str, Any]:
    job(name, folder, scratch or folder, **options)
    return _told(name, folder)


def _told(name: str, folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return told


def _assert_close(name: str, one: Path, other: Path) -> None:
    curves = [_told(name, folder)["curve"] for folder in (one, other)]
    for first, second in zip(*curves, strict=True):
        assert first == pytest.approx(second, rel=CLOSE)
    weights = [load_weights(folder / f"{name}.safetensors")[0] for folder in (one, other)]
    torch.testing.assert_close(weights[0], weights[1], rtol=0.01, atol=CLOSE)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every job on two processes; the first one goes on from a checkpoint of one process."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "scratch").mkdir()
    with pytest.raises(KeyboardInterrupt):
        _alone("n2n", folder, folder / "scratch", stop=8)
    found = _together(folder, "held", *JOBS)
    assert found.returncode == 0, found.stderr
    return folder


@pytest.mark.parametrize("name", JOBS)
def test_two_processes_take_the_steps_of_one(name: str, two: Path, tmp_path: Path) -> None:
    assert _alone(name, tmp_path)["resumed"] == 0
    assert _told(name, two)["resumed"] == (5 if name == "n2n" else 0)
    _assert_close(name, tmp_path, two)


def test_all_processes_map_the_file_that_the_first_one_wrote(two: Path) -> None:
    names = {(two / f"held-{number}").read_text() for number in range(2)}
    assert len(names) == 1
    # Its folder was removed once all were done.
    assert not list((two / "workspaces").iterdir())


def test_a_dead_process_ends_the_run_and_any_number_goes_on(two: Path, tmp_path: Path) -> None:
    found = _together(tmp_path, "n2n@8")
    assert found.returncode != 0
    lines = [line for line in found.stderr.splitlines() if "self2align: error" in line]
    assert len(lines) == 1
    assert "training on 2 processes: number 0 " in lines[0]
    assert "the same command goes on from the last checkpoint" in lines[0]
    assert not (tmp_path / "n2n.safetensors").exists()
    assert _alone("n2n", tmp_path, tmp_path / "scratch")["resumed"] == 5
    _assert_close("n2n", tmp_path, two)


def test_processes_with_other_inputs_are_refused(tmp_path: Path) -> None:
    found = _together(tmp_path, "n2n", OTHER1="settings")
    assert found.returncode != 0
    lines = [line for line in found.stderr.splitlines() if "self2align: error" in line]
    assert lines
    assert "digest of inputs, settings and code: found" in lines[0]
    assert "in process 1, expected the same in all" in lines[0]
