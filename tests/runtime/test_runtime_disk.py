"""Files that appear complete or not at all. What whole commands do under faults: ``tests/faults/``."""

import errno
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.runtime import disk
from self2align.runtime.disk import at, move, move_into_place, part_of, partial_of, remove_abandoned, written
from self2align.runtime.sealed import save_array


@pytest.mark.parametrize("name", ["a.bin", "[a]*.bin", "x" * 255, "Ω" * 127])
def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / "new" / name
    with written(path) as file:
        file.write(b"half")
        assert not path.exists()
        assert len(os.fsencode(partial_of(path).name)) <= 255
    assert path.read_bytes() == b"half"
    with pytest.raises(TypeError), written(path) as file:
        file.write("no bytes")  # type: ignore[call-overload]
    assert [one.read_bytes() for one in path.parent.iterdir()] == [b"half"]


def test_what_dead_processes_have_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path = tmp_path / "a.bin"
    names = [f".a.bin.{pid}.partial" for pid in (dead.pid, os.getppid())]
    kept = [names[1], ".a.bin.x.partial", f".b.bin.{dead.pid}.partial"]
    for name in (names[0], *kept):
        (tmp_path / name).touch()
    (tmp_path / f".c.{dead.pid}.partial").mkdir()
    remove_abandoned(path)
    remove_abandoned(tmp_path / "c")
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(kept)


def test_workers_of_several_machines_do_not_write_to_one_unfinished_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, names = tmp_path / "a.bin", []
    for _ in range(2):
        monkeypatch.setattr(disk, "_sign", uuid.uuid4().hex)
        names += [partial_of(path), part_of(path)]
    assert len(set(names)) == 4
    for name in names:
        name.touch()
    (tmp_path / f".a.bin.{os.getppid()}.partial").touch()  # the same number may be another machine's
    remove_abandoned(path)
    assert sorted(tmp_path.iterdir()) == sorted([names[1], names[3]])


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError("30720 requested and 30248 written"), errno.ENOSPC),
        (OSError(errno.EIO, "Input/output error"), errno.EIO),
    ],
)
def test_an_error_without_a_name_gets_one(tmp_path: Path, error: OSError, number: int) -> None:
    with pytest.raises(OSError) as raised, at(tmp_path / "a"):  # noqa: PT011
        raise error
    assert (raised.value.errno, raised.value.filename) == (number, str(tmp_path / "a"))


def test_an_error_with_a_name_keeps_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised, at(tmp_path / "a"):
        (tmp_path / "b").read_bytes()
    assert raised.value.filename == str(tmp_path / "b")


@pytest.mark.parametrize(("error", "tries"), [(errno.EACCES, 5), (errno.EBUSY, 5), (errno.ENOSPC, 1), (errno.EROFS, 1)])
def test_only_what_may_pass_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, tries: int
) -> None:
    tried = []

    def refused(self: Path, target: Path) -> None:
        tried.append(target)
        raise OSError(error, os.strerror(error), str(self), None, str(target))

    monkeypatch.setattr(Path, "replace", refused)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with pytest.raises(OSError) as raised:  # noqa: PT011
        move(tmp_path / "a", tmp_path / "b")
    assert raised.value.errno == error
    assert len(tried) == tries


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for text in ("old", "new"):
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / text).touch()
        move_into_place(tmp_path / "made", tmp_path / "final")
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["final", "final/new"]


@pytest.mark.parametrize("array", [np.arange(12, dtype="u2").reshape(3, 4), np.zeros((0, 2)), np.float32(3.5)])
def test_an_array_comes_back(tmp_path: Path, array: NDArray[Any]) -> None:
    wide = np.asarray(array)[..., ::-1] if np.ndim(array) else np.asarray(array)
    save_array(tmp_path / "a.npy", wide)
    found = np.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, wide)
    assert found.dtype == wide.dtype
