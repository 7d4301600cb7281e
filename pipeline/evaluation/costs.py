"""What methods cost: time, memory, parameters, each measured in a process of its own.

Memory is the process's high-water mark, interpreter and libraries with it. It is read from ``/proc``: what
``getrusage`` tells of a child begins at the peak of the parent that started it.
"""

import inspect
import os
import platform
import re
import statistics
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from self2align.denoising.inference import load_denoiser
from self2align.evaluation.protocol import Denoise, ready_method
from self2align.methods import IMAGE_NETWORKS, METHODS
from self2align.runtime.devices import device
from self2align.runtime.families import load

BRIEF = 1.0  # s; of a call that takes longer, starting up is no part that counts
CALLS = 5  # of those that are briefer


@dataclass(frozen=True)
class Cost:
    """What one image cost.

    Attributes
    ----------
    seconds
        Of one call. The first call, if it was long; else the median of several after it.
    memory
        The most that the process held, bytes; None where the system does not tell.
    device_memory
        The most that was reserved on a GPU, bytes; None without one.
    finished
        False if the call was stopped at the limit: it takes so long, and so much memory, at the least.
    """

    seconds: float
    memory: int | None
    device_memory: int | None
    finished: bool = True


def fit_image(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return an image, ``(C, H, W)``, cut or mirrored to ``(C, side, side)``."""
    short = [max(0, side - length) for length in image.shape[1:]]
    return np.pad(image, ((0, 0), (0, short[0]), (0, short[1])), mode="symmetric")[:, :side, :side].copy()


def measure_cost(
    method: str,
    file: Path,
    arguments: dict[str, Any],
    level: float,
    image: NDArray[np.float32],
    *,
    threads: int,
    limit: float,
) -> Cost:
    """Return what it costs to denoise one image, in a process that does nothing else.

    Parameters
    ----------
    method, file, arguments, level
        See `self2align.evaluation.protocol.ready_method`; loading is not timed.
    image
        ``(C, H, W)``, noisy.
    threads
        On a CPU.
    limit
        The call is stopped after so many seconds.

    Raises
    ------
    ChildProcessError
        When the process ends before it has an answer, as it does where memory is short.
    ValueError
        When the method refuses.
    """
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    task = (sender, method, file, arguments, level, image, threads)
    process = context.Process(target=_denoise_alone, args=task, daemon=True)
    process.start()
    sender.close()
    try:
        answer = receiver.recv()
        if answer is None:  # ready: the clock runs
            assert process.pid is not None
            if not receiver.poll(limit):
                return Cost(limit, peak_memory(process.pid), None, finished=False)
            answer = receiver.recv()
    except EOFError as error:
        process.join()
        raise ChildProcessError(f"its process ended by itself, with code {process.exitcode}") from error
    finally:
        process.kill()
        process.join()
        receiver.close()
    if isinstance(answer, ValueError):
        raise answer
    assert isinstance(answer, Cost)
    return answer


def _denoise_alone(
    sender: Connection,
    method: str,
    file: Path,
    arguments: dict[str, Any],
    level: float,
    image: NDArray[np.float32],
    threads: int,
) -> None:
    threading.Thread(target=_follow_parent, daemon=True).start()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    try:
        run = ready_method(method, file, arguments, level)
        sender.send(None)
        seconds = _seconds(run, image)
    except ValueError as error:
        sender.send(error)
        return
    on_device = torch.cuda.max_memory_reserved() if device().type == "cuda" else None
    sender.send(Cost(seconds, peak_memory(os.getpid()), on_device))


def _follow_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _seconds(run: Denoise, image: NDArray[np.float32]) -> float:
    first = _timed(run, image)
    if first > BRIEF:
        return first
    # The first call also pays for what is loaded when first used.
    return statistics.median(_timed(run, image) for _ in range(CALLS))


def _timed(run: Denoise, image: NDArray[np.float32]) -> float:
    began = time.perf_counter()
    run(image)  # what it returns is in the host's memory: nothing is left to wait for
    return time.perf_counter() - began


def peak_memory(process: int) -> int | None:
    """Return the most memory that a running process has held, bytes; None where the system has no ``/proc``."""
    status = Path(f"/proc/{process}/status")
    if not status.is_file():
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(encoding="utf-8"), re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


def parameter_count(method: str, file: Path, arguments: Mapping[str, Any], channels: int) -> int | None:
    """Return how many parameters are trained, in the file of weights or on each image; None if there are none.

    Parameters
    ----------
    method, file, arguments
        See `self2align.evaluation.protocol.ready_method`.
    channels
        C of the images.
    """
    if method == "denoiser":
        network = load_denoiser(file, torch.device("cpu"))[0]
    elif method in IMAGE_NETWORKS:
        network = _image_network(method, arguments, channels)
    else:
        return None
    return sum(weight.numel() for weight in network.parameters())


def _image_network(method: str, arguments: Mapping[str, Any], channels: int) -> torch.nn.Module:
    make = load(IMAGE_NETWORKS, method, "method")
    known = inspect.signature(load(METHODS, method, "method")).parameters.values()
    settings = {one.name: one.default for one in known} | dict(arguments) | {"channels": channels}
    with torch.device("meta"):
        network: torch.nn.Module = make(**{name: settings[name] for name in inspect.signature(make).parameters})
    return network


def hardware() -> str:
    """Return the name of the GPU that is used, or of the processor."""
    if device().type == "cuda":
        return torch.cuda.get_device_name(device())
    told = Path("/proc/cpuinfo")
    text = told.read_text(encoding="utf-8") if told.is_file() else ""
    name = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return name[1] if name else platform.machine()
