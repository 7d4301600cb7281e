"""The CPU cores that this process may use, and how threads wait for each other on them; for before torch is loaded."""

import os
from pathlib import Path

# Any of them says how OpenMP's threads wait: the standard's, GNU's and Intel's own.
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
_THREADS = ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


def cores(root: Path = Path("/")) -> int:
    """Return the number of CPU cores that this process may use: by its affinity, and by the quota of its cgroup.

    Parameters
    ----------
    root
        Folder that holds ``proc`` and ``sys``.
    """
    allowed, share = _affinity(), quota(root)
    return allowed if share is None else max(1, min(allowed, int(share)))


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quota(root: Path = Path("/")) -> float | None:
    """Return the CPU time that the cgroups of this process may use, in seconds a second; None for no limit.

    A limit holds for all groups below, so the least of a group and those that it lies in counts. Containers often see
    the path of their group but only its own files, at the root of what is mounted.

    Parameters
    ----------
    root
        See `cores`.
    """
    found: list[float] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, place = line.split(":", 2)
        if "cpu" in controllers.split(","):
            mounts, read = [root / "sys/fs/cgroup" / name for name in {controllers, "cpu"}], _of_version_1
        elif not controllers:
            mounts, read = [root / "sys/fs/cgroup"], _of_version_2
        else:
            continue
        for mount in mounts:
            group = mount / place.lstrip("/")
            groups = [one for one in (group, *group.parents) if one.is_relative_to(mount)]
            found += [share for one in groups if (share := read(one)) is not None]
    return min(found, default=None)


def _of_version_1(group: Path) -> float | None:
    limit, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
    return int(limit) / int(period) if limit and period and int(limit) > 0 else None  # -1: none


def _of_version_2(group: Path) -> float | None:
    limit, _, period = _text(group / "cpu.max").partition(" ")
    return int(limit) / int(period) if limit and limit != "max" else None


def _text(path: Path) -> str:
    """Return the content of a file of the kernel; nothing where it has none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def prepare_threads() -> None:
    """Set in the environment, which worker processes inherit, how threads wait and how many there are at most.

    By default OpenMP's threads wait in a busy loop at the end of each parallel part. With any other work on the cores a
    training then takes several times as long; asleep they wait as well. Libraries take their number of threads from
    the affinity, but not from the quota of a cgroup. What the user has set stays. Results do not change.
    """
    if not any(name in os.environ for name in _WAITING):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    if cores() < _affinity():
        for name in _THREADS:
            os.environ.setdefault(name, str(cores()))
