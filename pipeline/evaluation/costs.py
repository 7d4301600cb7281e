"""The cost of methods: time, memory and parameters, each measured in its own process.

Memory is the high-water mark of the process, including interpreter and libraries. It is read from ``/proc``: the
value of ``getrusage`` for a child starts at the peak of its parent.
"""

import inspect
import os
import platform
import re
import statistics
import threading
import time
from collections.abc import Sequence
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
from self2align.evaluation.protocol import BenchmarkSet, DenoiseImage, MethodRow, plan_items, read_item
from self2align.methods.method import DENOISER, load_method
from self2align.noise.model import NoiseSettings
from self2align.runtime.devices import device
from self2align.runtime.tables import read_json
from self2align.runtime.versions import version_text
from self2align.stores.weights import load_header

BRIEF = 1.0  # s; of a call that takes longer, starting up is no part that counts
CALLS = 5  # of those that are briefer


@dataclass(frozen=True)
class Cost:
    """The cost of one image.

    Attributes
    ----------
    seconds
        Of one call: the first if it took long, else the median of several later ones.
    memory
        Peak of the process, bytes; None if the system does not report it.
    device_memory
        Peak reserved on a GPU, bytes; None without one.
    finished
        False if the call was stopped at the limit: time and memory are lower bounds.
    """

    seconds: float
    memory: int | None
    device_memory: int | None
    finished: bool = True


def fit_image(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return an image, ``(C, H, W)``, cut or mirrored to ``(C, side, side)``."""
    short = [max(0, side - length) for length in image.shape[1:]]
    return np.pad(image, ((0, 0), (0, short[0]), (0, short[1])), mode="symmetric")[:, :side, :side].copy()


def cost_image(
    sets: Sequence[BenchmarkSet], noise: NoiseSettings, *, seed: int, side: int
) -> tuple[str, NDArray[np.float32]]:
    """Return the name of the first test image, and the image with its noise, ``(C, side, side)``.

    Parameters
    ----------
    sets
        Test sets; the first image of the first one is used.
    noise, seed
        See `self2align.evaluation.protocol.plan_items`.
    side
        px; see `fit_image`.

    Raises
    ------
    ValueError
        If the noise has no model.
    """
    if not noise.at().synthetic:
        raise ValueError(f"synthesize.model: found {noise.model!r}, expected noise that can be added to a test image")
    item = plan_items(sets[:1], seed=seed, full=False, noise=noise)[0]
    return f"{item.test_set}: {item.image}", fit_image(read_item(item, sets[0].store, noise)[1], side)


def measure_cost(
    row: MethodRow,
    level: float,
    image: NDArray[np.float32],
    *,
    threads: int,
    limit: float,
) -> Cost:
    """Return the cost of denoising one image, in a process that does nothing else.

    Parameters
    ----------
    row, level
        The method and the noise level that it is told; loading is not timed.
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
    task = (sender, row, level, image, threads)
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
        raise ChildProcessError(f"its process ended unexpectedly with exit code {process.exitcode}") from error
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
    row: MethodRow,
    level: float,
    image: NDArray[np.float32],
    threads: int,
) -> None:
    threading.Thread(target=_follow_parent, daemon=True).start()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    try:
        run = row.ready(level)
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


def _seconds(run: DenoiseImage, image: NDArray[np.float32]) -> float:
    first = _timed(run, image)
    if first > BRIEF:
        return first
    # The first call also pays for what is loaded when first used.
    return statistics.median(_timed(run, image) for _ in range(CALLS))


def _timed(run: DenoiseImage, image: NDArray[np.float32]) -> float:
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


def parameter_count(row: MethodRow, channels: int) -> int | None:
    """Return the number of trained parameters, in the weights or on each image; None if there are none.

    Parameters
    ----------
    row
        The method.
    channels
        C of the images.
    """
    if row.method == DENOISER:
        network = load_denoiser(row.file, torch.device("cpu"))[0]
    elif load_method(row.method).network is not None:
        network = _image_network(row, channels)
    else:
        return None
    return sum(weight.numel() for weight in network.parameters())


def _image_network(row: MethodRow, channels: int) -> torch.nn.Module:
    """Return the network that a method trains on each image, with the method's defaults and the row's arguments."""
    method = load_method(row.method)
    assert method.network is not None
    known = inspect.signature(method.denoise).parameters.values()
    settings = {one.name: one.default for one in known} | dict(row.arguments) | {"channels": channels}
    with torch.device("meta"):
        return method.network(**{name: settings[name] for name in inspect.signature(method.network).parameters})


def hardware() -> str:
    """Return the name of the GPU that is used, or of the processor."""
    if device().type == "cuda":
        return torch.cuda.get_device_name(device())
    told = Path("/proc/cpuinfo")
    text = told.read_text(encoding="utf-8") if told.is_file() else ""
    name = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return name[1] if name else platform.machine()


MIB = 2**20


def training_minutes(weights: Path) -> float | None:
    """Return how long a training takes at the pace that it noted beside its weights; None without a note."""
    note = weights.with_suffix(".timing.json")
    steps = (load_header(weights).get("training") or {}).get("steps")
    timing = read_json(note) if note.is_file() else {}
    if not steps or not timing.get("steps"):
        return None
    # Of a training that went on from a checkpoint, the note has the last part alone.
    return float(timing["seconds"] / timing["steps"] * steps / 60)


def benchmark_psnr(folder: Path) -> dict[str, float]:
    """Return a method's PSNR on each set, dB; nothing where the benchmark has not run."""
    figures = read_json(folder / "metrics.json") if (folder / "metrics.json").is_file() else {}
    return {name: row["psnr"] for name, row in figures.items() if isinstance(row, dict)}


def cost_row(
    row: MethodRow, image: NDArray[np.float32], level: float, folder: Path, *, threads: int, limit: float
) -> dict[str, Any]:
    """Return the figures of one method for the table of costs.

    Parameters
    ----------
    row
        The method.
    image, level
        ``(C, H, W)``, noisy, and the noise level that the method is told, white being 1.0.
    folder
        Of the method's figures in the benchmark.
    threads, limit
        See `measure_cost`.
    """
    why = row.skip_reason()
    if why is not None:
        return {"skipped": why}
    try:
        cost = measure_cost(row, level, image, threads=threads, limit=limit)
    except ChildProcessError as error:
        return {"skipped": str(error)}
    megapixels = image.shape[1] * image.shape[2] / 1e6
    return {
        "seconds": cost.seconds / megapixels,
        "memory": None if cost.memory is None else cost.memory / MIB,
        "device_memory": None if cost.device_memory is None else cost.device_memory / MIB,
        "finished": cost.finished,
        "parameters": parameter_count(row, len(image)),
        "minutes": training_minutes(row.file) if row.method == DENOISER else None,
        "psnr": benchmark_psnr(folder),
    }


def conditions(
    image: str, shape: Sequence[int], *, threads: int, limit: float, noise: NoiseSettings, aligner: Path
) -> dict[str, str]:
    """Return under which conditions costs were measured, as text by title.

    Parameters
    ----------
    image, shape
        Name of the test image; its size as it was denoised, ``(C, H, W)``.
    threads, limit
        See `measure_cost`.
    noise
        Of the test image.
    aligner
        Weights of the aligner of the pairs.
    """
    texts = {
        "Machine": hardware(),
        "Threads": f"{threads} on the CPU",
        "Image": f"{image}, cut or mirrored to {shape[1]} x {shape[2]} px, {shape[0]} channels",
        "Noise": noise.describe(),
        "Limit": f"{limit:g} s per method; the costs of a method that was stopped are lower bounds",
    }
    minutes = training_minutes(aligner) if aligner.is_file() else None
    if minutes is not None:
        texts["Aligner"] = f"{aligner.stem}, {minutes:.1f} min of training, needed for all training on aligned pairs"
    return {**texts, "Versions": version_text()}
