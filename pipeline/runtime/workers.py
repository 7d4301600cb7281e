"""Tasks on the processes of this machine or on a cluster; threads."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

from self2align.runtime.cores import cores, prepare_threads
from self2align.runtime.progress import Progress

SCHEDULER = "SELF2ALIGN_SCHEDULER"  # address of the scheduler of a cluster; not set: this machine
_common: tuple[Any, ...] = ()  # of a worker process: what all tasks are given


def workers() -> int:
    """Return the number of processes for data stages: ``$SELF2ALIGN_WORKERS``, at most and by default one per core."""
    text = os.environ.get("SELF2ALIGN_WORKERS", "")
    if not text:
        return cores()
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"SELF2ALIGN_WORKERS: found {text!r}, expected a whole number from 1")
    return min(int(text), cores())


def scheduler() -> str:
    """Return the address of the scheduler of a cluster, ``$SELF2ALIGN_SCHEDULER``; "" for this machine's processes.

    Raises
    ------
    ValueError
        If it is no address, or if the package is missing.
    """
    address = os.environ.get(SCHEDULER, "")
    if address and "://" not in address:
        raise ValueError(f"{SCHEDULER}: found {address!r}, expected an address such as tcp://host:8786")
    if address and find_spec("distributed") is None:
        raise ValueError(
            f"{SCHEDULER}: found {address}, but no package distributed, expected it (pip install 'self2align[cluster]')"
        )
    return address


def run_tasks(
    task: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
    progress: Progress,
    processes: int | None = None,
    common: tuple[Any, ...] = (),
) -> list[Any]:
    """Call a function for each tuple of arguments on all workers, each with one thread.

    Results are in the order of the arguments. With one thread per worker the bytes are the same for any number of
    workers. A worker exits when its parent has been killed. Where ``$SELF2ALIGN_SCHEDULER`` is set, the workers are
    those of a cluster; see `self2align.runtime.cluster`.

    Parameters
    ----------
    task
        A function at module level.
    arguments
        One tuple per call.
    progress
        Called with the calls done and all calls.
    processes
        Number of processes of this machine; None for `workers`. One process runs everything here.
    common
        The first arguments of every call. They are sent once to each worker, so they may be large.
    """
    if (address := scheduler()) and arguments:
        from self2align.runtime.cluster import run_on_cluster

        return run_on_cluster(address, task, arguments, progress, common)
    processes = min(workers() if processes is None else processes, len(arguments))
    if processes <= 1:
        results = []
        with exact_threads(1):
            for number, argument in enumerate(arguments):
                progress(number, len(arguments))
                results.append(task(*common, *argument))
        progress(len(arguments), len(arguments))
        return results
    with ProcessPoolExecutor(processes, get_context("spawn"), _start_worker, (os.getpid(), common)) as pool:
        futures: list[Future[Any]] = [pool.submit(_call, task, argument) for argument in arguments]
        pending: set[Future[Any]] = set(futures)
        while pending:
            finished, pending = wait(pending, timeout=0.5, return_when="FIRST_EXCEPTION")
            progress(len(futures) - len(pending), len(futures))
            for future in finished:
                if future.exception() is not None:
                    pool.shutdown(wait=True, cancel_futures=True)
                    future.result()
        return [future.result() for future in futures]


@contextmanager
def exact_threads(threads: int) -> Iterator[None]:
    """Compute with exactly this number of threads; results repeat bit for bit at one number only."""
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def _call(task: Callable[..., Any], argument: tuple[Any, ...]) -> Any:
    return task(*_common, *argument)


def _start_worker(parent: int, common: tuple[Any, ...]) -> None:
    global _common
    prepare_threads()  # for a script that uses the library: the launcher has done so
    import cv2
    import torch

    _common = common
    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    def follow_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()
