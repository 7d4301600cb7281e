"""Locks between processes, also where the file system has none."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, SoftFileLock

# What file systems without locks say: NFS without its lock service, SMB, some of FUSE.
_NONE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def locked(path: Path, timeout: float = -1) -> Iterator[None]:
    """Hold a lock; where the file system has none, a file with the process in it, which a kill leaves behind.

    Parameters
    ----------
    path
        File of the lock.
    timeout
        Seconds to wait for another process; -1 for as long as it takes.

    Raises
    ------
    filelock.Timeout
        When another process holds it for longer.
    """
    lock = FileLock(path, timeout=timeout, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in _NONE:
            raise
        lock = SoftFileLock(_soft(path), timeout=timeout)  # which takes over from a dead process of this machine
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def has_locks(folder: Path) -> bool:
    """Return whether the file system of a folder has locks."""
    path = folder / ".locks.partial"
    lock = FileLock(path, fallback_to_soft=False)
    try:
        with lock:
            return True
    except OSError as error:
        if error.errno not in _NONE:
            raise
        return False
    finally:
        path.unlink(missing_ok=True)


def _soft(path: Path) -> Path:
    return path.with_name(f"{path.name}.soft")
