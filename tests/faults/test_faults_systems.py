"""Systems unlike this one: the work is done otherwise, or one line names the place and the way out."""

import errno
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from self2align.images.files import read_image
from self2align.runtime import devices
from self2align.runtime.disk import check_room, mapped_array
from self2align.stages.cli import message_of
from tests.faults.conftest import subject
from tests.faults.kills import Known
from tests.faults.operations import GONE, Faults, refusing
from tests.faults.running import Conditions, run
from tests.faults.subjects import without_outputs
from tests.faults.systems import SYSTEMS, mounted, withstands, withstands_full
from tests.faults.trees import leftovers

Knows = Callable[[str], Known]
GOES_ON = "what is finished stays, and the same command goes on"


@pytest.mark.parametrize("name", ["denoise TIFF", "denoise folder"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_command_withstands(files: Path, known: Knows, tmp_path: Path, name: str, system: str) -> None:
    conditions = SYSTEMS[system](tmp_path / "run", np.random.default_rng(1))
    assert list(withstands(known(name), files, tmp_path / "run", conditions)) == []


@pytest.mark.parametrize("name", ["denoise video", "denoise Zarr"])
@pytest.mark.parametrize("system", ["no locks", "a rename refused once", "a clock of 1970"])
def test_so_do_videos_and_arrays(files: Path, known: Knows, tmp_path: Path, name: str, system: str) -> None:
    conditions = SYSTEMS[system](tmp_path / "run", np.random.default_rng(1))
    assert list(withstands(known(name), files, tmp_path / "run", conditions)) == []
    ended = run(known(name).subject.arguments, tmp_path / "run", conditions)
    assert "found it there already" in ended.text, "it was done under these conditions"


@pytest.fixture
def here(files: Path, tmp_path: Path) -> Path:
    """A copy of the files."""
    shutil.copytree(files, tmp_path / "run")
    return tmp_path / "run"


def test_a_file_that_grows_too_large_is_named_and_finished_frames_stay(here: Path, known: Knows) -> None:
    # numpy and tifffile say no more than "18432 requested and 6144 written".
    command = known("denoise TIFF").subject
    ended = run(command.arguments, here, Conditions(limits={resource.RLIMIT_FSIZE: 3400}))
    (line,) = ended.errors
    assert "made.tif: found a file that grows too large, expected room to write; raise the limit (ulimit -f)" in line
    assert line.endswith(GOES_ON)
    assert len(list(here.glob(".out.tif.unfinished/*/parts/*.npy"))) == 6
    ended = run(command.arguments, here)
    assert ended.code == 0, "the advice helps"
    assert not leftovers(here)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room."""
    with mounted(tmp_path / "disk") as own:
        if not own:
            pytest.skip("needs the right to mount a file system")
        yield tmp_path / "disk"


@pytest.mark.parametrize("name", ["denoise TIFF", "denoise video", "denoise Zarr"])
def test_a_full_disk(files: Path, known: Knows, disk: Path, name: str) -> None:
    for seed in range(2):
        assert list(withstands_full(known(name), files, disk, np.random.default_rng(seed))) == [], f"seed {seed}"


def test_a_mapped_file_takes_its_room_at_once(disk: Path) -> None:
    # A page of a mapped file that finds no room kills the process: Bus error.
    with pytest.raises(OSError, match="No space left") as error:
        mapped_array(disk / "pairs.npy", (10000, 10000), "float32")
    assert error.value.filename == str(disk / "pairs.npy")
    array = mapped_array(disk / "some.npy", (10, 10), "float32")
    array[:] = 1
    assert array.sum() == 100
    del array


def test_work_that_finds_no_room_is_refused_before_it_starts(tmp_path: Path) -> None:
    check_room(tmp_path / "not" / "yet", 1, "results")
    with pytest.raises(ValueError, match=r"not/yet: found .* free, expected at least 1048576\.0 GiB for results; free"):
        check_room(tmp_path / "not" / "yet", 2**50, "results")


def test_denoising_asks_for_room_first(here: Path, known: Knows) -> None:
    for name in ("denoise TIFF", "denoise folder", "denoise Zarr"):
        command = known(name).subject
        ended = run(command.arguments, here, Conditions(patch=_hardly_any_room))
        (line,) = ended.errors
        assert re.search(r"found 0\.0 MiB free, expected at least 0\.0 MiB for (6 )?finished frames; free some", line)
        assert not leftovers(here)


def test_so_do_stages(project: Path, tmp_path: Path) -> None:
    without_outputs(project, tmp_path / "run", subject("ingest@train"))
    ended = run(subject("ingest@train").arguments, tmp_path / "run", Conditions(patch=_hardly_any_room))
    (line,) = ended.errors
    assert re.search(r"found 0\.0 MiB free, expected at least 0\.1 MiB for data/ingest/train\.zarr; free some", line)
    assert run(subject("ingest@train").arguments, tmp_path / "run").code == 0


def _hardly_any_room() -> None:
    shutil.disk_usage = lambda path: SimpleNamespace(free=18000)  # type: ignore[assignment, return-value]


def test_killed_without_locks_it_goes_on(here: Path, known: Knows) -> None:
    without = refusing("fcntl.flock", errno.ENOLCK)
    command = known("denoise TIFF").subject
    run(command.arguments, here, Conditions(Faults(here, kill_at=15, refusals=without)))
    assert list(here.glob(".out.tif.unfinished/lock.soft")), "what the kill has left"
    assert run(command.arguments, here, Conditions(Faults(here, refusals=without))).code == 0
    assert leftovers(here) == []


@pytest.mark.parametrize(
    ("part", "place"), [("parts", "00000000.npy"), ("partial.tif", "made.tif"), (".finished", ".out.tif.finished")]
)
def test_a_rename_that_is_refused_for_good_is_named(here: Path, known: Knows, part: str, place: str) -> None:
    never = refusing("os.rename", errno.EACCES, names=(part,))
    ended = run(known("denoise TIFF").subject.arguments, here, Conditions(Faults(here, refusals=never)))
    assert f"{place}: found Permission denied, expected to read or write it" in ended.errors[0]


def test_no_right_to_write_is_found_before_the_work(here: Path, known: Knows) -> None:
    none = SYSTEMS["no right to write"](here, np.random.default_rng(0))
    ended = run(known("denoise TIFF").subject.arguments, here, none)
    error = ".out.tif.unfinished: found Permission denied, expected to read or write it"
    assert ended.errors == [f"self2align: error: {error}"]
    assert "noise: " not in ended.text


@pytest.mark.parametrize(("name", "at"), [("photos", 15), ("photos", 30), ("results", 20), ("results", 50)])
def test_a_folder_that_vanishes_is_named_and_found_again(here: Path, known: Knows, name: str, at: int) -> None:
    arguments = ["denoise", "photos", "results/out", "--weights", "w.safetensors"]
    (here / "results").mkdir()
    ended = run(arguments, here, Conditions(Faults(here, vanishing=(name, at))))
    (line,) = ended.errors
    assert re.match(rf"self2align: error: {name}/.*: found .*, expected ", line)
    assert "debug" not in line
    gone = here.with_name(GONE)
    shutil.rmtree(here / name, ignore_errors=True)
    gone.rename(here / name)
    assert run(arguments, here).code == 0
    whole = known("denoise folder").files
    assert {path.name: path.read_bytes() for path in (here / "results" / "out").iterdir()} == {
        Path(file).name: data for file, data in whole.items()
    }
    assert leftovers(here) == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "memory: found too little (MemoryError), expected more; close other programs, or lower"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "memory: found too little (CUDA out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "memory: found too little ("),
        (RuntimeError("could not create a primitive"), "memory: found too little (could not create"),
        (RuntimeError("can't start new thread"), "memory: found too little (can't start"),
        (BrokenProcessPool("A process in the process pool was terminated abruptly"), "memory: found too little (A pro"),
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), "a/b: found no space left on the device, expected"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "a/b"), "a/b: found disk quota exceeded, expected room to write"),
        (RuntimeError("odd"), "RuntimeError: odd (self2align --debug ... shows where)"),
    ],
)
def test_what_the_system_lacks_is_told_apart_from_what_is_wrong(error: Exception, text: str) -> None:
    assert message_of(type(error), error).startswith(text)


@pytest.mark.parametrize("name", ["denoise TIFF", "denoise Zarr", "denoise folder"])
def test_input_that_can_only_be_read(here: Path, known: Knows, name: str) -> None:
    source = known(name).subject.arguments[1]
    inside = refusing("open", errno.EROFS, names=(source,)) + refusing("os.mkdir", errno.EROFS, names=(source,))
    assert run(known(name).subject.arguments, here, Conditions(Faults(here, refusals=inside))).code == 0


def test_a_name_that_the_terminal_cannot_show(here: Path) -> None:
    shutil.copy(here / "one.png", here / "Ω.png")
    arguments = ["denoise", "Ω.png", "→ Ω.png", "--weights", "w.safetensors"]
    ended = run(arguments, here, Conditions(environment={"PYTHONIOENCODING": "latin-1"}))
    assert ended.code == 0
    assert r"\u2192 \u03a9.png: denoised" in ended.text
    again = run(arguments, here, Conditions(environment={"PYTHONIOENCODING": "ascii"}))
    assert again.code == 1
    assert r"\u2192 \u03a9.png: found it there already" in again.text


def test_without_links_and_locks_init_copies_the_code_and_tells_dvc(here: Path) -> None:
    refusals = refusing("os.symlink", errno.EPERM) + refusing("fcntl.flock", errno.ENOLCK)
    without = Conditions(Faults(here, refusals=refusals))
    ended = run(["init", "project", "--source", "frames"], here, without)
    assert ended.code == 0, ended.text
    assert "there are no symbolic links here: pipeline and stages are copies" in ended.text
    assert not (here / "project" / "stages").is_symlink()
    assert "hardlink_lock = true" in (here / "project" / ".dvc" / "config").read_text()
    assert not leftovers(here)
    assert not list(here.glob("project/*/**/__pycache__"))
    command = [sys.executable, "-P", "stages/run.py", "--help"]
    found = subprocess.run(command, cwd=here / "project", capture_output=True, text=True, check=True)
    assert "train_denoiser" in found.stdout


def test_an_opencv_that_opens_no_greek_names(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str, *_: object) -> None:
        raise AssertionError(f"OpenCV was given the path {path}")

    for name in ("imread", "imreadmulti", "imwrite", "VideoCapture"):
        monkeypatch.setattr(cv2, name, refused)
    (here / "Ω.png").write_bytes((here / "one.png").read_bytes())
    assert read_image(here / "Ω.png")[0].shape == (1, 48, 64)


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_a_gpu_that_this_torch_has_no_kernels_for(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    def no_kernel(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors")

    devices.fault_of_cuda.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", no_kernel)
    monkeypatch.setenv("SELF2ALIGN_DEVICE", wanted)
    with pytest.raises(ValueError, match="no kernel image") as error:
        devices.device()
    devices.fault_of_cuda.cache_clear()
    assert "\n" not in str(error.value)
    assert "expected SELF2ALIGN_DEVICE=cpu" in str(error.value)
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    assert devices.device().type == "cpu", "the advice helps"
