"""How fast a device trains, aligns and denoises, and what bounds it: launches, bytes, FLOPs, or the cutting of crops.

`benchmarks/gpu.py` prints the figures.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from gpu_checks import CPU, STARTS, noisy_footage
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from self2align.alignment.aligned import align_both
from self2align.alignment.loading import load_aligner
from self2align.denoising import tiling
from self2align.denoising.frames import OneByOne, WithNeighbours
from self2align.denoising.inference import core
from self2align.denoising.tiled import TiledDenoiser
from self2align.evaluation.costs import peak_memory
from self2align.objectives import OBJECTIVES
from self2align.pairs.generate import crop_rows
from self2align.pairs.plan import PairCrop
from self2align.runtime.devices import finish, place, use_bfloat16
from self2align.runtime.families import load
from self2align.runtime.workers import exact_threads
from self2align.training.feed import Batch, Draw
from self2align.training.loop import train
from self2align.training.settings import DenoiserSettings
from self2align.training.starting import start_denoiser

GIB = 2**30
Row = dict[str, Any]


@dataclass(frozen=True)
class Card:
    """What a device does at its best.

    Attributes
    ----------
    flops
        Per second, of the product of two square matrices: in bfloat16 where trainings use it, else in float32.
    bandwidth
        Bytes per second, read and written, of a copy of a large tensor.
    launch
        Seconds between the starts of two kernels that do next to nothing.
    """

    flops: float
    bandwidth: float
    launch: float


def pace(run: Callable[[], Any], where: torch.device, seconds: float) -> float:
    """Return the seconds of one call, over as many as fit the time; two calls before do not count."""
    for _ in range(2):
        run()
    finish(where)
    began, calls = time.perf_counter(), 0
    while calls < 3 or time.perf_counter() - began < seconds:
        run()
        calls += 1
        if calls % 16 == 0:
            finish(where)  # calls that only queue work would run far ahead
    finish(where)
    return (time.perf_counter() - began) / calls


def measure_card(where: torch.device, small: bool) -> Card:
    """Return what the device does at its best."""
    kind = torch.bfloat16 if use_bfloat16(where, "auto") else torch.float32
    side, large = (256, 2**20) if small else (8192, 2**28)
    seconds = 0.05 if small else 2.0
    one, other = (torch.randn(side, side, device=where).to(kind) for _ in range(2))
    product = torch.empty_like(one)
    flops = 2 * side**3 / pace(lambda: torch.mm(one, other, out=product), where, seconds)
    source = torch.zeros(large, device=where)
    target = torch.empty_like(source)
    bandwidth = 2 * source.nbytes / pace(lambda: target.copy_(source), where, seconds)
    little = torch.zeros(64, device=where)
    return Card(flops, bandwidth, pace(lambda: little.add_(1), where, seconds))


class Counted(TorchDispatchMode):
    """Counts the operations that start kernels, and the bytes that they read and write without a cache."""

    def __init__(self) -> None:
        super().__init__()
        self.launches = self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """Run an operation, and count it unless it only looks at a tensor in another way."""
        result = func(*args, **(kwargs or {}))
        views = any(one.alias_info is not None and not one.alias_info.is_write for one in func._schema.arguments)
        if not views and func.overloadpacket.__name__ not in ("detach", "empty", "empty_like", "_local_scalar_dense"):
            tensors = {id(one): one for one in tree_leaves((args, kwargs, result)) if isinstance(one, Tensor)}
            self.launches += 1
            self.bytes += sum(one.numel() * one.element_size() for one in tensors.values())
        return result


@dataclass(frozen=True)
class Step:
    """What one step of a training takes: FLOPs, bytes, and operations that start kernels."""

    flops: float
    bytes: float
    launches: float


def count(run: Callable[[], Any]) -> Step:
    """Return what one call takes."""
    flops = FlopCounterMode(display=False)
    with flops, Counted() as counted:
        run()
    return Step(float(flops.get_total_flops()), float(counted.bytes), float(counted.launches))


def bound(step: Step, card: Card, cutting: float, drawing: float) -> tuple[str, dict[str, float]]:
    """Return what bounds a step, and how many seconds each part would take alone.

    Parameters
    ----------
    step, card
        What a step takes, and what the device does.
    cutting, drawing
        Seconds in which the CPU cuts the crops of a batch, and draws the noise and the masks of an objective.
    """
    parts = {
        "FLOPs": step.flops / card.flops,
        "bytes": step.bytes / card.bandwidth,
        "launches": step.launches * card.launch,
        "cutting crops": cutting,
        "drawing noise": drawing,
    }
    return max(parts, key=lambda name: parts[name]), parts


def _bare(settings: DenoiserSettings, where: torch.device) -> Callable[[], None]:
    """Return a step of the same network in plain torch: one batch that lies on the device, an L2, Adam."""
    network = place(core(start_denoiser(settings, 3, 0)[0]), where)
    training = settings.training
    shape = (training.batch, 3, training.crop, training.crop)
    noisy, other = (torch.rand(shape, device=where).contiguous(memory_format=torch.channels_last) for _ in range(2))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=where.type == "cuda")
    half = use_bfloat16(where, training.precision)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(where.type, torch.bfloat16, enabled=half):
            loss = functional.mse_loss(network(noisy), other)
        torch.autograd.backward(loss)
        optimizer.step()

    return step


def _own(settings: DenoiserSettings, draw: Draw, where: torch.device, steps: int) -> tuple[float, float]:
    """Return the seconds of a step of the package's own loop, median, and the share of the time it waits for crops."""
    network, _ = start_denoiser(settings, 3, 0)
    training = replace(settings.training, steps=steps, log_every=steps, checkpoint_every=steps, validate_every=steps)
    marks: list[float] = []
    with TemporaryDirectory() as folder, exact_threads(training.threads):
        trained = train(
            network,
            load(OBJECTIVES, settings.objective, "objective").loss,
            draw,
            training,
            bfloat16=use_bfloat16(where, training.precision),
            device=where,
            seed=0,
            purpose="speed",
            checkpoint=Path(folder) / "checkpoint",
            validation=[],
            watch=lambda *_: marks.append(time.perf_counter()),
        )
    return float(np.median(np.diff(marks)[1:])), trained.waited


def trainings(settings: DenoiserSettings, draw: Draw, card: Card, where: torch.device, small: bool) -> dict[str, Row]:
    """Return crops a second: in plain torch, through the package with one batch, and as a training draws them."""
    batch, steps, seconds = settings.training.batch, 4 if small else 40, 0.05 if small else 5.0
    began = time.perf_counter()
    held: Batch = draw(0)
    for number in range(1, 3):
        draw(number)
    cutting = (time.perf_counter() - began) / 3
    with exact_threads(settings.training.threads):
        drawing = pace(lambda: (torch.randn(held["target"].shape), torch.rand(held["target"][:, 0].shape)), CPU, 0.05)
    step = _bare(settings, where)
    plain = pace(step, where, seconds)
    takes = count(step)
    same, _ = _own(settings, lambda _: dict(held), where, steps)
    whole, waited = _own(settings, draw, where, steps)
    rows = {}
    for name, taken, cpu in (
        ("plain torch", plain, (0.0, 0.0)),
        ("one batch", same, (0.0, drawing)),
        ("as trained", whole, (cutting, drawing)),
    ):
        reason, parts = bound(takes, card, *cpu)
        rows[name] = {
            "crops a second": batch / taken,
            "ms a step": 1e3 * taken,
            "share of the peak": takes.flops / taken / card.flops,
            "bound by": reason,
            **{f"ms for {part}": 1e3 * value for part, value in parts.items()},
        }
    rows["as trained"]["share waited"] = waited
    rows["plain torch"] |= {"GFLOP a crop": takes.flops / batch / 1e9, "launches a step": takes.launches}
    return rows


def fitting_batch(run: Callable[[int], Any], batch: int) -> int:
    """Return the largest batch, halved as often as needed, with which a call finds enough memory.

    Raises
    ------
    ValueError
        If there is not enough for a batch of 8.
    """
    while True:
        try:
            run(batch)
            return batch
        except torch.OutOfMemoryError as error:
            if batch // 2 < 8:
                raise ValueError(
                    f"memory: found too little on the GPU for {batch} crops ({str(error).partition('. ')[0]}), "
                    "expected more: end other programs that use it, or compute on the CPU (SELF2ALIGN_DEVICE=cpu)"
                ) from error
            batch //= 2


def one_step(settings: DenoiserSettings, where: torch.device, batch: int) -> None:
    """Take one step with a batch of this size."""
    _bare(replace(settings, training=replace(settings.training, batch=batch)), where)()


def _forget(where: torch.device) -> None:
    if where.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(where)


def _peak(where: torch.device) -> float:
    """Return the most memory that was in use, GiB: of the GPU's allocator, or of this process."""
    held = torch.cuda.max_memory_reserved(where) if where.type == "cuda" else peak_memory(os.getpid())
    return (held or 0) / GIB


def alignment(height: int, width: int, where: torch.device, seconds: float) -> Row:
    """Return frames aligned a second, and pairs made of them: eight crops with scores each way."""
    aligner = load_aligner(STARTS / "davis_motion.safetensors", where)
    first, second = torch.from_numpy(noisy_footage(2, height, width)).to(where)
    size = min(128, height - 32)
    draw = np.random.default_rng(0)
    crops = [PairCrop(0, 0, 1, *map(int, draw.integers(0, (height - size + 1, width - size + 1)))) for _ in range(8)]

    def pairs() -> None:
        there, back = align_both(first, second, aligner, True)
        crop_rows(there, first, second, crops, size, 16, "sinc")
        crop_rows(back, second, first, crops, size, 16, "sinc")

    _forget(where)
    with torch.inference_mode():
        aligned = pace(lambda: align_both(first, second, aligner, True), where, seconds)
        made = pace(pairs, where, seconds)
    return {"fields a second": 2 / aligned, "pairs of crops a second": 16 / made, "memory, GiB": _peak(where)}


def denoising(
    height: int, width: int, radius: int, memory: int, where: torch.device, frames: int, seconds: float
) -> Row:
    """Return frames denoised a second with trained weights and measured noise, and how long the network alone takes.

    At most so many frames are denoised, and no further one after so many seconds.
    """
    noisy = noisy_footage(frames, height, width)
    denoiser = TiledDenoiser.load(STARTS / "davis_levels.safetensors", device=where, memory=memory)
    denoise: Any = OneByOne(denoiser)
    if radius:
        denoise = WithNeighbours(denoiser, load_aligner(STARTS / "davis_motion.safetensors", where), radius)
    plan = denoiser.tiles_for(height, width)  # measures the receptive field, once
    for _ in denoise(iter(noisy[:, :, :256, :256])):  # what a device does once
        pass
    _forget(where)
    began, done = time.perf_counter(), 0
    for _ in denoise(iter(noisy)):
        done += 1
        if time.perf_counter() - began > seconds:
            break
    taken = (time.perf_counter() - began) / done
    padded = np.pad(noisy[0], ((0, 0), (0, -height % denoiser.multiple), (0, -width % denoiser.multiple)), "reflect")
    run = partial(tiling.run_tiles, core(denoiser.network), padded, plan, blend=False, device=where)
    alone = pace(run, where, 0.0)
    return {"frames a second": 1 / taken, "network alone, share": alone / taken, "memory, GiB": _peak(where)}
