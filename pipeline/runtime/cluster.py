"""Tasks on a cluster of dask.distributed that is there already: the engine of `run_tasks` past one machine.

What a task needs beside its own arguments lies in one file of the folder for unfinished work, which the workers share
with the client: the function, what all tasks are given, and the code that they must have. A worker goes to the client's
folder, reads that file once, and writes its results where a process of this machine would. Small records come back.

A task whose worker is lost runs on another one. Its result is the same: a task is a pure function of its arguments, and
files get their names when they are whole.
"""

import contextlib
import logging
import os
import pickle
import platform
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from distributed import Client, Future, KilledWorker
from filelock import Timeout

from self2align.runtime.disk import FULL, sign, written
from self2align.runtime.locks import locked
from self2align.runtime.progress import NotedProgress, Progress, noted
from self2align.runtime.provenance import package_digest
from self2align.runtime.scratch import root
from self2align.runtime.versions import package_versions
from self2align.runtime.workers import SCHEDULER, exact_threads

AHEAD = 2  # tasks for each worker that are with the cluster at a time: one at work, one waiting
DEATHS = 3  # times that the cluster gave a task up (it does so after four lost workers each) until the run ends
TRIES = 3  # of a task that meets an error of the file system: a shared folder may fail for a moment
LOOK = 1.0  # s between looks at the workers
PATIENCE = 30.0  # s to wait for the scheduler at the start
_ALONE = threading.Lock()  # a process computes one task at a time, as threads and caches are its own
_GOES_ON = "what is finished stays, and the same command goes on"


@dataclass(frozen=True)
class Errand:
    """Where a worker finds what to do, and what it must have for the same results.

    Attributes
    ----------
    folder, file
        The client's folder, and the file of the work; both absolute.
    code, versions
        See `package_digest`; packages and their versions.
    """

    folder: str
    file: str
    code: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Work:
    """What all tasks of one run share."""

    task: Callable[..., Any]
    common: tuple[Any, ...]


def run_on_cluster(
    address: str,
    task: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
    progress: Progress,
    common: tuple[Any, ...] = (),
) -> list[Any]:
    """Call a function for each tuple of arguments on the workers of a cluster; see `run_tasks`.

    Parameters
    ----------
    address
        Of the scheduler: ``tcp://host:8786``.
    task, arguments, progress, common
        See `run_tasks`. The note of the progress is the number of workers.

    Raises
    ------
    ValueError
        If there is no scheduler, if a worker has other code or does not share the client's folder, or as a task raised.
    ConnectionError
        When the scheduler is gone before the end.
    """
    with _connected(address) as client, _left_in_scratch(task, common) as errand:
        return _Run(client, errand, arguments, noted(progress)).results()


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    # What it logs is told by our errors.
    for name in ("client", "core", "batched", "comm"):
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{SCHEDULER}: found no scheduler at {address}, expected one there (dask scheduler)"
        ) from error
    try:
        yield client
    finally:
        client.close(timeout=LOOK)


@contextmanager
def _left_in_scratch(task: Callable[..., Any], common: tuple[Any, ...]) -> Iterator[Errand]:
    """Yield what leads a worker to the work, which lies in the folder for unfinished work meanwhile."""
    folder = root().absolute()
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob("tasks-*.lock"):  # of clients that were killed
        with contextlib.suppress(Timeout), locked(leftover, timeout=0):
            leftover.with_suffix(".pickle").unlink(missing_ok=True)
            leftover.unlink(missing_ok=True)
    file = folder / f"tasks-{uuid.uuid4().hex}.pickle"
    try:
        with locked(file.with_suffix(".lock")):
            with written(file) as out:
                out.write(pickle.dumps(Work(task, common)))
            yield Errand(str(Path.cwd()), str(file), package_digest(), _versions())
    finally:
        file.unlink(missing_ok=True)
        file.with_suffix(".lock").unlink(missing_ok=True)
        if new:
            with contextlib.suppress(OSError):  # there is other work in it
                folder.rmdir()


class _Run:
    """The tasks of one run, of which a few for each worker are with the cluster at a time."""

    def __init__(
        self, client: Client, errand: Errand, arguments: Sequence[tuple[Any, ...]], progress: NotedProgress
    ) -> None:
        self.client, self.errand, self.arguments, self.progress = client, errand, arguments, progress
        self.left = deque(range(len(arguments)))
        self.running: dict[int, Future] = {}
        self.found: dict[int, Any] = {}
        self.ended: SimpleQueue[tuple[int, Future]] = SimpleQueue()
        self.deaths, self.tries = Counter[int](), Counter[int]()
        self.workers, self.looked = 0, -LOOK

    def results(self) -> list[Any]:
        """Return what the tasks return, in their order."""
        while len(self.found) < len(self.arguments):
            self._look()
            while self.left and len(self.running) < AHEAD * max(1, self.workers):
                self._submit(self.left.popleft())
            with contextlib.suppress(Empty):
                self._settle(*self.ended.get(timeout=LOOK))
        self._show()
        return [self.found[number] for number in range(len(self.arguments))]

    def _look(self) -> None:
        """Count the workers now and then."""
        if time.monotonic() - self.looked < LOOK:
            return
        try:
            self.workers = len(self.client.nthreads())
        except (OSError, ValueError, RuntimeError) as error:  # as it says, whatever is closed
            raise self._gone() from error
        self.looked = time.monotonic()
        self._show()

    def _show(self) -> None:
        self.progress(len(self.found), len(self.arguments), f"{self.workers} workers")

    def _submit(self, number: int) -> None:
        future = self.client.submit(do, self.errand, self.arguments[number], pure=False)
        self.running[number] = future
        future.add_done_callback(lambda ended: self.ended.put((number, ended)))

    def _settle(self, number: int, future: Future) -> None:
        """Take the result of a task, or decide whether it runs again."""
        del self.running[number]
        if future.status == "finished":
            try:
                self.found[number] = future.result()
            except (OSError, CancelledError) as error:  # on the way here: the worker that holds it is gone
                self._lost(number, error)
            return
        if future.status != "error":  # lost with its worker, or with the scheduler
            self._lost(number, None)
            return
        met = future.exception()
        if isinstance(met, KilledWorker):
            self._lost(number, met)
            return
        if isinstance(met, OSError) and met.errno not in FULL and self.tries[number] < TRIES - 1:
            self.tries[number] += 1
        else:
            raise met
        self.left.appendleft(number)

    def _lost(self, number: int, error: BaseException | None) -> None:
        """Run a task again whose worker was lost, if there is a scheduler."""
        try:
            self.client.nthreads()
        except (OSError, ValueError, RuntimeError) as closed:
            raise self._gone() from closed
        if self.client.status != "running":
            raise self._gone() from error
        self.deaths[number] += 1
        if self.deaths[number] == DEATHS:
            raise RuntimeError(f"the workers of a task terminated abruptly: {error}") from error
        self.left.appendleft(number)

    def _gone(self) -> ConnectionError:
        return ConnectionError(f"{SCHEDULER}: found the scheduler gone, expected it until the end; {_GOES_ON}")


def do(errand: Errand, argument: tuple[Any, ...]) -> Any:
    """Call the function of a run with one tuple of arguments, on a worker."""
    with _ALONE, exact_threads(1):
        _sign()
        os.environ.pop(SCHEDULER, None)  # nothing that a task calls is a run of its own
        try:
            os.chdir(errand.folder)
            work = _work(errand)
        except FileNotFoundError as error:
            raise ValueError(f"{_here()}: found no {error.filename}, expected the client's folder, shared") from error
        return work.task(*work.common, *argument)


@cache
def _sign() -> None:
    sign(uuid.uuid4().hex)


def _here() -> str:
    return f"worker {platform.node()}"


@lru_cache(maxsize=1)
def _work(errand: Errand) -> Work:
    found = dict(_versions())
    for name, version in errand.versions:
        if found[name] != version:
            raise ValueError(f"{_here()}: found {name} {found[name]}, expected {version} as the client has")
    if package_digest() != errand.code:
        raise ValueError(
            f"{_here()}: found other code of self2align, expected the client's; restart the workers with it"
        )
    work = pickle.loads(Path(errand.file).read_bytes())
    assert isinstance(work, Work)
    return work


def _versions() -> tuple[tuple[str, str], ...]:
    """Return package and version of each that affects results, whatever devices it was built for."""
    return tuple((name, version.partition("+")[0]) for name, version in package_versions().items())
