"""A cluster of two worker processes, and tasks for it: importable by the workers."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
LIMIT = 300.0  # s
ROWS, SIDE = 16, 512


def square(addend: int, number: int) -> int:
    return number * number + addend


def refuse_three(number: int) -> int:
    if number == 3:
        raise ValueError("three: found 3, expected none")
    return number


def fail_once(folder: Path, number: int) -> int:
    """Meet an error of the file system at the first call for each number."""
    place = folder / f"{number}.met"
    if not place.exists():
        place.touch()
        raise OSError(5, "Input/output error", str(place))
    return number


def fill(death: Path | None, name: str, start: int, stop: int) -> dict[str, NDArray[Any]]:
    """Fill a shard; once, for a shard that is drawn, kill the own process while it is written."""
    if death is not None and start == 4 * random.Random(0).randrange(ROWS // 4) and not death.exists():
        death.touch()
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGKILL)).start()
    draw = np.random.default_rng(start)
    values = draw.integers(0, 65536, (stop - start, 3, SIDE, SIDE), dtype=np.uint16)
    return {"values": values, "mean": values.mean((1, 2, 3))}


class Cluster:
    """A scheduler and its workers, as a person starts them."""

    def __init__(self, folder: Path) -> None:
        self.file, self.folder, self.started = folder / "scheduler.json", folder, 0
        self.processes: list[subprocess.Popen[bytes]] = []
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self.file))
        end = time.monotonic() + LIMIT
        while not self.file.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.1)
        self.address = json.loads(self.file.read_text())["address"]

    def add_worker(self) -> None:
        self._start("dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--local-directory", str(self.folder))

    def _start(self, command: str, *more: str) -> None:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        told = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
        told.pop("SELF2ALIGN_SCHEDULER", None)
        line = [sys.executable, "-m", f"distributed.cli.{command}", "--no-dashboard", *more]
        # In a folder of their own: the workers find the client's by themselves.
        with (self.folder / "log").open("ab") as log:
            self.processes.append(subprocess.Popen(line, env=told, cwd=self.folder, stdout=log, stderr=log))

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


@contextmanager
def cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    made = Cluster(folder)
    try:
        for _ in range(workers):
            made.add_worker()
        yield made
    finally:
        made.close()
