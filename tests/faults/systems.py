"""Systems unlike this one, played in the process of a command, and what a command must do in each."""

import errno
import os
import re
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.faults.kills import Known
from tests.faults.operations import Faults, refusing
from tests.faults.running import Conditions, run
from tests.faults.subjects import without_outputs
from tests.faults.trees import content, differences, half_written, leftovers

ROOM = 64 * 2**20  # bytes of a file system of its own
_OURS = re.compile(r"^self2align: error: .*(found .*expected|expected to)")


def _clock_of_1970() -> None:
    # A machine without a battery for its clock starts here.
    time.time = lambda: 86400.0
    time.localtime = lambda seconds=None: time.gmtime(86400.0 if seconds is None else seconds)


def _clock_that_jumps() -> None:
    calls = iter(range(10**9))
    true = time.time
    time.time = lambda: true() - 3600.0 * (next(calls) % 3)


def _without_locks(place: Path, draw: np.random.Generator) -> Conditions:
    error = int(draw.choice([errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP]))
    return Conditions(Faults(place, refusals=refusing("fcntl.flock", error)))


def _rename_refused(times: int | None) -> Callable[[Path, np.random.Generator], Conditions]:
    def refused(place: Path, draw: np.random.Generator) -> Conditions:
        error = int(draw.choice([errno.EACCES, errno.EBUSY, errno.EPERM]))
        return Conditions(Faults(place, refusals=refusing("os.rename", error, times=times)))

    return refused


def _no_right(place: Path, draw: np.random.Generator) -> Conditions:
    refusals = refusing("os.mkdir", errno.EACCES) + refusing("open", errno.EACCES)
    return Conditions(Faults(place, refusals=refusals))


SYSTEMS: Mapping[str, Callable[[Path, np.random.Generator], Conditions]] = {
    "no locks": _without_locks,
    "a rename refused once": _rename_refused(1),
    "renames refused": _rename_refused(None),
    "no right to write": _no_right,
    "small files": lambda _, draw: Conditions(limits={resource.RLIMIT_FSIZE: int(2 ** draw.uniform(11, 15))}),
    "little memory": lambda _, draw: Conditions(limits={resource.RLIMIT_AS: int(draw.uniform(0.9, 1.6) * 2**30)}),
    "a clock of 1970": lambda *_: Conditions(patch=_clock_of_1970),
    "a clock that jumps": lambda *_: Conditions(patch=_clock_that_jumps),
    "an ASCII terminal": lambda *_: Conditions(environment={"PYTHONIOENCODING": "ascii"}),
}


def withstands(known: Known, template: Path, place: Path, conditions: Conditions) -> Iterator[str]:
    """Run a command under conditions, and again without; yield a line for each finding.

    It does its work, or tells in one line why not and leaves nothing half written; then the same command goes on.
    """
    without_outputs(template, place, known.subject)
    yield from _meets(known, place, conditions)
    yield from _goes_on(known, place)


def _meets(known: Known, place: Path, conditions: Conditions) -> Iterator[str]:
    ended = run(known.subject.arguments, place, conditions)
    found = content(place, known.subject.outputs)
    if ended.code == 0:
        yield from (f"done, but {line}" for line in differences(known.files, found))
        yield from (f"{name} is left" for name in leftovers(place))
    else:
        yield from half_written(known.files, found, known.subject.growing)
        if len(ended.errors) != 1 or not _OURS.match(ended.errors[0]) or "Traceback" in ended.text:
            yield f"ends with {ended.code}: {ended.text.strip()[-600:]}"


def _goes_on(known: Known, place: Path) -> Iterator[str]:
    whole = content(place, known.subject.outputs) == known.files
    ended = run(known.subject.arguments, place)
    if ended.code and not whole:
        yield f"the same command ends with {ended.code}: {ended.text.strip()[-600:]}"
    yield from differences(known.files, content(place, known.subject.outputs))
    yield from (f"{name} is left" for name in leftovers(place))


@contextmanager
def mounted(folder: Path) -> Iterator[bool]:
    """Make a folder a small file system of its own, if this process may; yield whether it is."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def withstands_full(known: Known, template: Path, disk: Path, draw: np.random.Generator) -> Iterator[str]:
    """Run a command on a disk that gets full, and again when there is room; yield a line for each finding.

    Parameters
    ----------
    known, template
        The command and the folder that it runs in.
    disk
        Mount point of a small file system.
    draw
        Decides how much room there is.
    """
    place = disk / "run"
    without_outputs(template, place, known.subject)
    size = sum(map(len, known.files.values()))
    filler = disk / "filler"
    filler.write_bytes(b"")
    left = int(draw.uniform(0, 1.5) * (size + 16384))
    usage = shutil.disk_usage(disk)
    # Never the disk that the folder lies on, if somebody has unmounted it meanwhile.
    assert disk.is_mount(), disk
    assert usage.total <= ROOM, usage
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(4096, usage.free - left))
    yield from _meets(known, place, Conditions())
    filler.unlink()
    yield from _goes_on(known, place)
