"""Cases in processes of their own, with a bound of time and of memory: a crash or a hang is an outcome too."""

import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import torch

from tests.bytes.groups import run_case
from tests.bytes.outcomes import FINDING, Outcome

SECONDS = 30.0  # a case: most take hundredths, and the machine may be busy
MEMORY = 3 * 2**29  # bytes beyond what the process has at its start

Case = tuple[str, int, int]  # group, seed, number


def _work(pipe: Connection, folder: Path) -> None:
    os.environ["SELF2ALIGN_WORKERS"] = "1"
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (case := pipe.recv()) is not None:
        group, seed, number = case
        pipe.send(run_case(group, seed, number, folder))


def run_cases(cases: Iterable[Case]) -> Iterator[tuple[Case, list[Outcome]]]:
    """Run cases one after the other and yield what came of each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    folder = Path(tempfile.mkdtemp(prefix="bytes-"))
    process, pipe = None, None
    try:
        for case in cases:
            if process is None or not process.is_alive():
                pipe, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, folder / "case"))
                process.start()
                theirs.close()
            assert pipe is not None
            yield case, _outcomes(process, pipe, case)
        if process is not None and pipe is not None and process.is_alive():
            pipe.send(None)
            process.join(SECONDS)
    finally:
        if process is not None and process.is_alive():
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _outcomes(process: multiprocessing.process.BaseProcess, pipe: Connection, case: Case) -> list[Outcome]:
    began = time.monotonic()
    try:
        pipe.send(case)
        while not pipe.poll(0.5):
            if time.monotonic() - began > SECONDS:
                process.kill()
                process.join()
                return [Outcome("process", FINDING, f"no end after {SECONDS:g} s")]
            if not process.is_alive() and not pipe.poll(0):
                break
        else:
            found: list[Outcome] = pipe.recv()
            return found
    except (EOFError, ConnectionError):
        pass
    process.join()
    return [Outcome("process", FINDING, f"crashed with exit code {process.exitcode}")]
