"""The wheel: one name at the top, and all that a stranger's environment needs."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from self2align.survey.folder import STARTS

ROOT = Path(__file__).parents[1]
TREE: tuple[str, ...] = (
    "pipeline",
    "stages",
    "profiles",
    "starts",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "dvc.yaml",
)
TREE += (".dvcignore", ".gitignore")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the sources, so that nothing is built in the checkout."""
    folder = tmp_path_factory.mktemp("build")
    for name in TREE:
        source, target = ROOT / name, folder / "tree" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), "."]
    done = subprocess.run(command, cwd=folder / "tree", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = (folder / "dist").glob("*.whl")
    return made


def test_it_has_one_name_at_the_top_and_no_test_or_cache(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"self2align"}
    assert not [name for name in names if "__pycache__" in name or "tests" in name]
    # Weights are those that `init` gives to working folders.
    shipped = {Path(name).name for name in names if name.endswith(".safetensors")}
    assert shipped == {Path(name).name for name in STARTS if name.endswith(".safetensors")}


def test_it_holds_every_module_and_file_of_the_checkout(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for top, place in (("pipeline", "self2align"), ("stages", "self2align/stages")):
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"{place}/{path.relative_to(ROOT / top).as_posix()}" in names
    shipped = {"dvc.yaml", ".dvcignore", ".gitignore", "starts/README.md", "profiles/default.yaml"}
    assert {f"self2align/shipped/{name}" for name in shipped} <= names


def test_it_works_where_the_user_has_a_pipeline_of_their_own(wheel: Path, tmp_path: Path) -> None:
    installed, work = tmp_path / "site", tmp_path / "work"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    (work / "pipeline").mkdir(parents=True)
    (work / "pipeline" / "__init__.py").write_text("raise SystemExit('foreign code')\n")
    script = (
        "import self2align; from self2align import Denoiser; print(self2align.__file__); print(Denoiser.__name__)\n"
    )
    script += "from self2align.runtime.shipped import shipped, code_folders\n"
    script += "print(shipped('profiles/default.yaml')); print(*code_folders().values(), sep='\\n')"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    package = installed / "self2align"
    assert done.stdout.splitlines() == [
        str(package / "__init__.py"),
        "Denoiser",
        str(package / "shipped" / "profiles" / "default.yaml"),
        str(package),
        str(package / "stages"),
    ]


def test_a_stage_runs_from_a_working_folder_of_an_installation(wheel: Path, tmp_path: Path) -> None:
    installed, work = tmp_path / "site", tmp_path / "work"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    work.mkdir()
    (work / "pipeline").symlink_to(installed / "self2align")
    (work / "stages").symlink_to(installed / "self2align" / "stages")
    done = subprocess.run(
        [sys.executable, "-P", "stages/run.py", "--version"], cwd=work, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0.1.0"
