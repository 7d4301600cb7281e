"""The one training loop, of aligners and denoisers alike."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from self2align.objectives.objective import Loss
from self2align.runtime.devices import place
from self2align.runtime.seeding import torch_generator
from self2align.stores.weights import load_weights, save_weights
from self2align.training.feed import Batch, Draw, prefetched

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


@dataclass(frozen=True)
class Recipe:
    """How to train: steps, never minutes.

    Attributes
    ----------
    steps
        In all, those before an interruption included.
    learning_rate
        The highest.
    schedule
        "constant"; "step": times ``decay`` every ``decay_every`` steps (paper, section 5.1); "cosine": to zero.
    warmup
        Steps of linear rise.
    clip
        Largest norm of the gradient; 0 for none.
    checkpoint_every, log_every, validate_every
        Steps between two checkpoints, two rows of the curve, two validations.
    """

    steps: int
    learning_rate: float
    schedule: str
    decay: float
    decay_every: int
    warmup: int
    clip: float
    checkpoint_every: int
    log_every: int
    validate_every: int

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rate = self.learning_rate
        if self.schedule == "step":
            rate *= self.decay ** (step // self.decay_every)
        elif self.schedule == "cosine":
            rate *= 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return rate * min(1.0, (step + 1) / self.warmup) if self.warmup else rate

    def due(self, every: int, done: int) -> bool:
        """Return whether what happens every so many steps, and at the end, happens now."""
        return done % every == 0 or done == self.steps


class Waiting:
    """Batches, and the share of the time that was spent waiting for them."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self.batches, self.began, self.spent = batches, time.perf_counter(), 0.0

    def next(self) -> Batch:
        """Return the next batch."""
        asked = time.perf_counter()
        batch = next(self.batches)
        self.spent += time.perf_counter() - asked
        return batch

    def share(self) -> float:
        """Return the share so far."""
        return self.spent / max(time.perf_counter() - self.began, 1e-9)


def train(
    network: nn.Module,
    loss: Loss,
    draw: Draw,
    recipe: Recipe,
    *,
    half: bool,
    device: torch.device,
    seed: int,
    purpose: str,
    checkpoint: Path,
    validation: Sequence[Batch],
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
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, foreach=True)
    start, curve, recent = _resume(network, optimizer, checkpoint)
    batches = Waiting(prefetched(draw, start, recipe.steps, device))
    for step in range(start, recipe.steps):
        batch = {**batches.next(), "progress": torch.tensor(step / recipe.steps, device=device)}
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            value = loss(network, batch, torch_generator(seed, purpose, "mask", step))
        found = _descend(network, optimizer, value, step, recipe)
        recent.append(found)
        done = step + 1
        if recipe.due(recipe.log_every, done):
            curve.append({"step": done, "loss": sum(recent) / len(recent), "learning_rate": recipe.rate(step)})
            recent = []
            if validation and recipe.due(recipe.validate_every, done):
                curve[-1]["validation"] = validate(network, loss, validation, device, half, seed)
        if done % recipe.checkpoint_every == 0 and done < recipe.steps:
            _save(network, optimizer, checkpoint, {"step": done, "curve": curve, "recent": recent})
        watch(done, found, curve)
    return Trained(curve, start, batches.share())


def _descend(network: nn.Module, optimizer: torch.optim.Adam, value: Tensor, step: int, recipe: Recipe) -> float:
    rate = recipe.rate(step)
    optimizer.param_groups[0]["lr"] = rate
    optimizer.zero_grad()
    torch.autograd.backward(value)
    if recipe.clip:
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
    optimizer.step()
    found = value.item()
    if not math.isfinite(found):
        raise ValueError(
            f"training: found a loss of {found} at step {step + 1} of {recipe.steps}, expected a finite one; "
            f"a lower learning_rate (now {rate:g}) or clip (now {recipe.clip:g}) may help"
        )
    return found


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
