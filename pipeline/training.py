"""The one training loop, of aligners and denoisers alike."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from pipeline.devices import place
from pipeline.feed import Batch, Draw, prefetched
from pipeline.objectives.objective import Loss
from pipeline.seeding import torch_generator
from pipeline.weights import load_weights, save_weights

# (step, loss, rows of the curve so far)
Watch = Callable[[int, float, Sequence[Mapping[str, float]]], None]


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Attributes
    ----------
    curve
        Rows of ``step, loss, learning_rate`` and, where it was measured, ``validation``.
    resumed
        The step at which this process began.
    waited
        Share of this process's time that was spent waiting for data.
    """

    curve: list[dict[str, float]]
    resumed: int
    waited: float


def learning_rate_at(
    step: int, steps: int, *, base: float, schedule: str, decay: float, decay_every: int, warmup: int
) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    step, steps
        Counted from 0; in all.
    base
        The highest.
    schedule
        "constant"; "step": times ``decay`` every ``decay_every`` steps (paper, section 5.1); "cosine": to zero.
    warmup
        Steps of linear rise.
    """
    rate = base
    if schedule == "step":
        rate *= decay ** (step // decay_every)
    elif schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * step / steps))
    return rate * min(1.0, (step + 1) / warmup) if warmup else rate


@contextmanager
def exact_threads(threads: int) -> Any:
    """Compute with so many threads: results repeat bit for bit at one number of threads only."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def train(
    network: nn.Module,
    loss: Loss,
    draw: Draw,
    *,
    steps: int,
    learning_rate: float,
    schedule: str,
    decay: float,
    decay_every: int,
    warmup: int,
    clip: float,
    half: bool,
    device: torch.device,
    seed: int,
    purpose: str,
    checkpoint: Path,
    checkpoint_every: int,
    log_every: int,
    validation: Sequence[Batch],
    validate_every: int,
    watch: Watch,
) -> Trained:
    """Train a network in place with Adam; go on from the checkpoint when there is one.

    Parameters
    ----------
    network
        Its weights when this begins are the starting weights.
    loss
        ``(network, batch, generator) -> scalar``.
    draw
        ``step -> batch``.
    steps
        In all, those before an interruption included.
    clip
        Largest norm of the gradient; 0 for none.
    half
        Whether forward passes run in bfloat16.
    seed, purpose
        Of the masks that the loss draws.
    checkpoint
        File with weights, optimiser and curve; written whole or not at all.
    validation
        Batches for the validation score: the same loss, no clean frame needed.
    watch
        Called after every step.

    Raises
    ------
    ValueError
        When the loss is no longer finite.
    """
    place(network, device)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, foreach=True)
    start, curve, recent = _resume(network, optimizer, checkpoint)
    batches, began, waited = prefetched(draw, start, steps, device), time.perf_counter(), 0.0
    for step in range(start, steps):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        rate = learning_rate_at(
            step,
            steps,
            base=learning_rate,
            schedule=schedule,
            decay=decay,
            decay_every=decay_every,
            warmup=warmup,
        )
        optimizer.param_groups[0]["lr"] = rate
        batch["progress"] = torch.tensor(step / steps, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            value = loss(network, batch, torch_generator(seed, purpose, "mask", step))
        optimizer.zero_grad()
        torch.autograd.backward(value)
        if clip:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        recent.append(value.item())
        if not math.isfinite(recent[-1]):
            raise ValueError(
                f"training: found a loss of {recent[-1]} at step {step + 1} of {steps}, expected a finite one; "
                f"a lower learning_rate (now {rate:g}) or clip (now {clip:g}) may help"
            )
        done = step + 1
        if done % log_every == 0 or done == steps:
            curve.append({"step": done, "loss": sum(recent) / len(recent), "learning_rate": rate})
            recent = []
            if validation and (done % validate_every == 0 or done == steps):
                curve[-1]["validation"] = validate(network, loss, validation, device, half, seed)
        if done % checkpoint_every == 0 and done < steps:
            _save(network, optimizer, checkpoint, {"step": done, "curve": curve, "recent": recent})
        watch(done, value.item(), curve)
    return Trained(curve, start, waited / max(time.perf_counter() - began, 1e-9))


@torch.no_grad()
def validate(
    network: nn.Module, loss: Loss, batches: Sequence[Batch], device: torch.device, half: bool, seed: int
) -> float:
    """Return the mean loss over held-out batches, the same masks every time."""
    network.eval()
    total = 0.0
    for number, batch in enumerate(batches):
        here = {name: value.to(device) for name, value in batch.items()}
        here["progress"] = torch.tensor(1.0, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            total += loss(network, here, torch_generator(seed, "validation", number)).item()
    network.train()
    return total / len(batches)


def _save(network: nn.Module, optimizer: torch.optim.Adam, path: Path, progress: Mapping[str, Any]) -> None:
    tensors: dict[str, Tensor] = {f"network.{name}": value for name, value in network.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
    save_weights(path, tensors, progress)


def _resume(
    network: nn.Module, optimizer: torch.optim.Adam, path: Path
) -> tuple[int, list[dict[str, float]], list[float]]:
    if not path.is_file():
        return 0, [], []
    tensors, header = load_weights(path)
    network.load_state_dict(
        {name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")}
    )
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".")
            state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return int(header["step"]), list(header["curve"]), list(header["recent"])
