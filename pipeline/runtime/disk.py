"""Writing files so that a kill, a full disk or a refused rename loses nothing that was finished."""

import errno
import glob
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Errors of a rename that may be gone a moment later: a virus scanner or a backup holds the file, a server is slow.
_PASSING = {errno.EACCES, errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EPERM, errno.ESTALE}
_PAUSES = (0.01, 0.05, 0.2, 0.5)  # seconds before further tries
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# numpy says no more than this, whatever the reason.
_SHORT = re.compile(r"\d+ requested and \d+ written")
_SIGNED = re.compile(r"[0-9a-f]{32}")
_sign = ""  # tells a worker of a cluster from those of other machines, whose processes may have the same number


def sign(name: str) -> None:
    """Give the unfinished files of this process a name that no process of another machine uses: 32 hex digits."""
    global _sign
    assert _SIGNED.fullmatch(name)
    _sign = name


@contextmanager
def at(path: Path) -> Iterator[None]:
    """Give errors of the file system a path if they name none, and numpy's short writes the reason."""
    try:
        yield
    except OSError as error:
        if error.errno is None and _SHORT.search(str(error)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        if error.errno is not None and error.filename is None:
            raise OSError(error.errno, error.strerror or os.strerror(error.errno), str(path)) from error
        raise


@contextmanager
def written(path: Path, partial: Path | None = None) -> Iterator[BinaryIO]:
    """Yield a file to write to, which gets its name when it is complete and on the disk; on an error it is removed.

    Parameters
    ----------
    path
        Its name.
    partial
        Its name until then; None for ``.NAME.PROCESS.partial`` beside it.
    """
    if partial is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        partial = partial_of(path)
    with at(path):
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            move(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def partial_of(path: Path) -> Path:
    """Return the name of a file or folder while this process makes it."""
    return path.with_name(f"{_stem(path)}.{_sign or os.getpid()}.partial")


def part_of(path: Path) -> Path:
    """Return the name of a part of unfinished work while it is written; the next to write the part takes it over."""
    return path.with_suffix(f".{_sign}.partial" if _sign else ".partial")


def _stem(path: Path) -> str:
    """Return how the names of unfinished files begin; a name of up to 255 bytes leaves no room for more."""
    name = os.fsencode(path.name)
    return f".{path.name}" if len(name) <= 220 else f".{hashlib.sha256(name).hexdigest()[:16]}"


def remove_abandoned(path: Path) -> None:
    """Remove what killed processes have left of a file or folder.

    A cluster gives a task to a second worker only when the first is lost, so what another one has left is abandoned.
    """
    for leftover in path.parent.glob(f"{glob.escape(_stem(path))}.*.partial"):
        owner = leftover.name.split(".")[-2]
        lives = not _sign and owner.isdigit() and _alive(int(owner))
        if lives or not (owner.isdigit() or _SIGNED.fullmatch(owner)):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def move(made: Path, final: Path) -> None:
    """Rename a file or folder; what passes by itself is waited for."""
    for pause in _PAUSES:
        try:
            made.replace(final)
        except OSError as error:
            if error.errno not in _PASSING:
                raise
            time.sleep(pause)
        else:
            return
    made.replace(final)


def move_into_place(made: Path, final: Path) -> None:
    """Move a finished file or folder to its final place; what was there is replaced, and never seen in part."""
    final.parent.mkdir(parents=True, exist_ok=True)
    former = made.with_name(f"{made.name}.former")
    if former.is_dir():
        shutil.rmtree(former)
    if final.is_dir() and not final.is_symlink():
        move(final, former)
    move(made, final)
    if former.is_dir():
        shutil.rmtree(former)


def mapped_array(path: Path, shape: tuple[int, ...], dtype: Any) -> "NDArray[Any]":
    """Return a new array in a file. Its room is taken at once: a mapped page without room kills the process."""
    import numpy as np  # here alone: commands that refuse a wrong name need none of it

    kind = np.dtype(dtype)
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    with at(path), path.open("wb") as file:
        np.lib.format.write_array_header_2_0(file, header)
        end = file.tell() + int(np.prod(shape)) * kind.itemsize
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, end)
        else:
            file.truncate(end)
    array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r+")
    return array


def check_room(folder: Path, needed: int, what: str) -> None:
    """Refuse work that the disk has no room for.

    Parameters
    ----------
    folder
        A folder that will hold it; it, or the first existing one above it, is asked.
    needed
        Bytes.
    what
        Of what, for the message.

    Raises
    ------
    ValueError
        When fewer bytes are free.
    """
    place = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise ValueError(
            f"{folder}: found {_size(free)} free, expected at least {_size(needed)} for {what}; "
            "free some space or choose another disk"
        )


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
