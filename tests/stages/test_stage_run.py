"""Which code runs: that of the folder for stages that DVC runs, the installed code for everything else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = str(Path(sys.executable).parent / "self2align")
RUN = [sys.executable, "-P", "stages/run.py"]
TRAP = "from pathlib import Path\nPath({marker!r}).write_text(__file__)\nprint('foreign code')\n"
# Names that the launcher, a worker process or a library imports, and those of the former packages.
FOREIGN = (
    "multiprocessing.py",
    "numpy.py",
    "pickle.py",
    "random.py",
    "runpy.py",
    "self2align.py",
    "torch.py",
    "typer.py",
    "pipeline/__init__.py",
    "pipeline/params.py",
    "pipeline/denoiser.py",
    "self2align/__init__.py",
    "stages/__init__.py",
    "stages/cli.py",
    "stages/run.py",
)


def _call(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"} | variables
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A working folder whose files bear the names of modules, and note when one of them is executed."""
    folder = tmp_path / "hostile"
    for name in FOREIGN:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TRAP.format(marker=str(tmp_path / "executed")))
    (folder / "params.yaml").write_bytes((ROOT / "profiles" / "default.yaml").read_bytes())
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["denoise", "a.png", "b.png"],
        ["inspect", "a.zarr"],
        ["doctor", "--no-check"],
        ["profile"],
        ["ingest", "--source", "clips", "--out", "out.zarr", "--params", "none.yaml"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_executes_no_file_of_the_working_folder(hostile: Path, arguments: list[str]) -> None:
    found = _call([SCRIPT, *arguments], hostile)
    assert "foreign code" not in found.stdout + found.stderr
    assert not (hostile.parent / "executed").exists()
    assert "Traceback" not in found.stderr


def test_worker_processes_execute_no_file_of_the_working_folder(hostile: Path) -> None:
    command = ["benchmark_sets", "--name", "photographs", "--out", "data/photographs.zarr"]
    found = _call([SCRIPT, *command], hostile)
    assert found.returncode == 0, found.stderr
    assert (hostile / "data" / "photographs.zarr").is_dir()
    assert not (hostile.parent / "executed").exists()


def test_the_version_is_told_at_once_in_a_folder_that_looks_like_a_clone(hostile: Path) -> None:
    found = _call([SCRIPT, "--version"], hostile)
    assert found.returncode == 0
    assert found.stdout.strip().count(".") == 2


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code as `dvc exp run --queue` makes it, of another version."""
    folder = tmp_path / "copy"
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    version = folder / "pipeline" / "__init__.py"
    version.write_text(version.read_text().replace('__version__ = "', '__version__ = "99.'))
    (folder / "params.yaml").write_bytes((ROOT / "profiles" / "default.yaml").read_bytes())
    return folder


def test_a_stage_runs_the_code_of_its_folder_and_the_command_the_installed_code(copy: Path) -> None:
    assert _call([*RUN, "--version"], copy).stdout.startswith("99.")
    assert not _call([SCRIPT, "--version"], copy).stdout.startswith("99.")


def test_worker_processes_of_a_stage_run_the_code_of_its_folder(copy: Path) -> None:
    reader = copy / "pipeline" / "sources" / "sample.py"
    text = reader.read_text()
    assert text.count("def read(self") == 1
    reader.write_text(
        text.replace("        part, name = unit", "        raise ValueError('the copy')\n        part, name = unit")
    )
    found = _call([*RUN, "benchmark_sets", "--name", "photographs", "--out", "out.zarr"], copy)
    assert found.returncode == 1
    assert found.stderr == "self2align: error: the copy\n"


def test_a_stage_executes_no_other_file_of_its_folder(copy: Path, hostile: Path) -> None:
    for name in FOREIGN:
        if "/" not in name:
            shutil.copy(hostile / name, copy / name)
    found = _call([*RUN, "benchmark_sets", "--name", "photographs", "--out", "out.zarr"], copy)
    assert found.returncode == 0, found.stderr
    assert not (hostile.parent / "executed").exists()


def test_a_stage_file_refuses_an_unsafe_import_path(copy: Path) -> None:
    found = _call([sys.executable, "stages/run.py", "--version"], copy)
    assert found.returncode == 1
    assert "found python without -P" in found.stderr


def test_torchrun_starts_a_stage_without_a_safe_path_and_only_trainings(copy: Path) -> None:
    (copy / "stages" / "typer.py").write_text(TRAP.format(marker=str(copy / "executed")))
    launched = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}
    command = [sys.executable, "stages/run.py", "benchmark_sets", "--name", "photographs", "--out", "out.zarr"]
    found = _call(command, copy, **launched)
    assert found.returncode == 1
    assert found.stderr.startswith("self2align: error: torchrun: found benchmark_sets on 2 processes, expected one of ")
    assert not (copy / "executed").exists()


def test_tools_are_no_stages(copy: Path) -> None:
    assert _call([*RUN, "denoise", "a", "b"], copy).returncode == 2
