"""Advice that messages and `doctor` give is followed here, and helps."""

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from self2align.params.loading import load
from self2align.stores.build import verify
from self2align.stores.frames import FrameStore
from self2align.stores.weights import load_weights
from self2align.survey.checks import (
    Finding,
    check_cache,
    check_folder,
    check_leftovers,
    check_python,
    check_stages,
    check_stores,
    check_weights,
)
from self2align.survey.folder import CONFIG
from tests.faults.running import run

ROOT = Path(__file__).parents[2]
STORE, WEIGHTS = Path("data/ingest/mine.zarr"), Path("data/train/w.safetensors")
SHARD = STORE / "40x48" / "frames" / "c.0.0.0.0"
MAKE = """
import sys
from pathlib import Path
import numpy as np, torch
from self2align.networks.unet import UNet
from self2align.stores.codes import Coding
from self2align.stores.frames import Part, SceneRecord, write_frames
from self2align.stores.weights import save_weights

def fetch(part, start, stop):
    return np.random.default_rng(0).integers(0, 256, (3, 3, 40, 48), dtype=np.uint8)[start:stop]

if sys.argv[1] == "store":
    part = Part(SceneRecord("mine", "one", ("pairs",), "", 0, 3, 40, 48), Coding("uint8", 1 / 255), 3, "")
    Path("work").mkdir(exist_ok=True)
    write_frames(Path("data/ingest/mine.zarr"), [part], fetch, {}, Path("work"), lambda *_: None)
else:
    torch.manual_seed(0)
    header = {"arguments": {"width": 4, "depth": 1}, "channels": 1, "kind": "denoiser", "network": "unet"}
    save_weights(Path("data/train/w.safetensors"), UNet(1, width=4, depth=1).state_dict(), header)
"""

NO_LOCKS = """
import errno, sys
def hook(event, arguments):
    if event in ("fcntl.flock", "fcntl.lockf"):
        raise OSError(errno.ENOLCK, "No locks available")
sys.addaudithook(hook)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which DVC has made a store and weights, kept as `init` says."""
    folder = tmp_path_factory.mktemp("made")
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text(CONFIG.format(more="    no_scm = true\n"))
    (folder / "make.py").write_text(MAKE)
    stages = [
        f"  {name}:\n    cmd: {sys.executable} -P make.py {name}\n    outs: [{out}]\n"
        for name, out in (("store", STORE), ("weights", WEIGHTS))
    ]
    (folder / "dvc.yaml").write_text("stages:\n" + "".join(stages))
    _follow("`dvc repro -q`", folder)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to harm."""
    shutil.copytree(made, tmp_path / "here", symlinks=True)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def _follow(advice: str, folder: Path) -> None:
    """Do what stands between backquotes."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    package = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), *_package()]))
    env = {**os.environ, "PATH": path, "PYTHONPATH": package, "DVC_NO_ANALYTICS": "1"}
    commands = re.findall(r"`(.+?)`", advice)
    assert commands, advice
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False, stdin=-3
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)


def _package() -> Iterator[str]:
    import self2align

    yield str(Path(self2align.__file__).parents[1])


def _flip(path: Path) -> None:
    """Change one bit in the middle of a file in place; its size and its time stay, as where a disk fails."""
    before = path.stat()
    path.chmod(before.st_mode | stat.S_IWUSR)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with path.open("rb+") as file:
        file.write(data)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _in_cache(path: Path) -> Path:
    data = path.read_bytes()
    return next(one for one in Path(".dvc/cache").rglob("*") if one.is_file() and one.read_bytes() == data)


def _is_named_by_md5(path: Path) -> bool:
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return digest == f"{path.parent.name}{path.stem}"


def _broken(findings: Iterator[Finding]) -> Finding:
    (found,) = (finding for finding in findings if finding.broken)
    return found


def _flipped() -> None:
    _flip(SHARD)


def _flipped_in_the_cache_too() -> None:
    _flip(_in_cache(SHARD))
    _flip(SHARD)


def _headless_and_lost_in_the_cache() -> None:
    _in_cache(SHARD).unlink()
    (STORE / "zarr.json").unlink()


def _without_a_list_in_the_cache() -> None:
    (list_of_files,) = Path(".dvc/cache").rglob("*.dir")
    _flip(list_of_files)
    _flip(SHARD)


@pytest.mark.parametrize(
    "harm", [_flipped, _flipped_in_the_cache_too, _headless_and_lost_in_the_cache, _without_a_list_in_the_cache]
)
def test_a_damaged_store_is_restored(here: Path, harm: Callable[[], None]) -> None:
    digest = FrameStore(STORE).content
    harm()
    if harm is _flipped:
        with pytest.raises(ValueError, match="the store is damaged; `self2align doctor` says how to restore it"):
            verify(STORE)
    found = _broken(check_stores(Path("data")))
    _follow(found.advice, here)
    (after,) = check_stores(Path("data"))
    assert not after.broken
    assert FrameStore(STORE).content == digest
    wrong = [one for one in Path(".dvc/cache/files/md5").rglob("*") if one.is_file() and not _is_named_by_md5(one)]
    assert not wrong, "the cache is whole as well"


@pytest.mark.parametrize("both", [False, True])
def test_damaged_weights_are_restored(here: Path, both: bool) -> None:
    whole = WEIGHTS.read_bytes()
    if both:
        _flip(_in_cache(WEIGHTS))
    _flip(WEIGHTS)
    with pytest.raises(ValueError, match=r"the file is damaged; `self2align doctor` says how to restore it"):
        load_weights(WEIGHTS)
    _follow(_broken(check_weights([Path("data")])).advice, here)
    assert WEIGHTS.read_bytes() == whole


def test_a_result_is_no_file_of_the_cache(here: Path) -> None:
    assert not list(check_cache(Path("data")))
    in_cache = _in_cache(SHARD)
    _flip(SHARD)
    assert in_cache.read_bytes() != SHARD.read_bytes()


def test_results_that_are_hard_links_are_found_and_parted(here: Path) -> None:
    _follow("`dvc config cache.type hardlink,copy && dvc checkout -q --relink`", here)
    (found,) = check_cache(Path("data"))
    assert str(SHARD) in found.text
    _follow(found.advice, here)
    assert not list(check_cache(Path("data")))
    verify(STORE)


def test_a_store_is_compared_with_its_digest_where_it_is_read(here: Path) -> None:
    FrameStore(STORE)
    _flip(SHARD)
    script = "import sys; from pathlib import Path; from self2align.stores.frames import FrameStore; "
    script += f"FrameStore(Path({str(STORE)!r}))"
    env = {**os.environ, "PYTHONPATH": next(_package())}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert "the store is damaged" in done.stderr


def test_where_there_are_no_locks_dvc_uses_hard_links(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every Python that is started here meets a file system without locks.
    (here / "site").mkdir()
    (here / "site" / "sitecustomize.py").write_text(NO_LOCKS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(here / "site"), *_package()]))
    monkeypatch.setattr("self2align.survey.checks.has_locks", lambda folder: False)
    found = _broken(check_stages())
    assert "no locks" in found.text
    _follow(found.advice, here)
    assert [str(finding) for finding in check_stages()] == ["ok     stages: 2 up to date"]


def test_parts_of_a_working_folder_are_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = load(ROOT / "profiles" / "default.yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stages").symlink_to(tmp_path / "gone")
    for finding in check_folder(params):
        if finding.broken and finding.subject != "footage":
            _follow(finding.advice, tmp_path)
    left = [finding.subject for finding in check_folder(params) if finding.broken]
    assert left == ["footage"]


def test_leftovers_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".self2align" / "train_ian-0123").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".x.json.7.partial").touch()
    work, partial = check_leftovers(Path("data"))
    _follow(work.advice.replace("`dvc repro`", "dvc repro"), tmp_path)
    Path(partial.text).unlink()
    assert [str(finding) for finding in check_leftovers(Path("data"))] == ["ok     leftovers: none"]


def test_the_python_of_the_environment_is_put_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (found,) = check_python()
    (command,) = re.findall(r"`(.+?)`", found.advice)
    done = subprocess.run(["sh", "-c", f"{command}; command -v python"], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parent.samefile(Path(sys.executable).parent)


@pytest.mark.parametrize(
    "arguments",
    [
        ["denoise", "one.png", "out.png", "--weights", "w.safetensors"],
        ["denoise", "array.zarr", "out.zarr", "--weights", "w.safetensors"],
        ["bundle", "both.safetensors", "--weights", "w.safetensors", "--aligner", "a.safetensors"],
    ],
)
def test_overwrite_replaces(files: Path, tmp_path: Path, arguments: list[str]) -> None:
    place = tmp_path / "run"
    shutil.copytree(files, place)
    assert run(arguments, place).code == 0
    again = run(arguments, place)
    assert again.code == 1
    assert "--overwrite" in again.text
    assert run([*arguments, "--overwrite"], place).code == 0
