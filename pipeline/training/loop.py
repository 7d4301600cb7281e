"""The training loop of aligners and denoisers."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from self2align.objectives.objective import Loss
from self2align.runtime.devices import place
from self2align.runtime.seeding import torch_generator
from self2align.stores.weights import fit_weights, load_weights, save_weights
from self2align.training.feed import Batch, Draw, prefetched
from self2align.training.launched import is_first
from self2align.training.ranks import add_gradients, agree
from self2align.training.settings import TrainingSettings
from self2align.training.splitting import split

# (step, loss, rows of the curve so far)
Watch = Callable[[int, float, Sequence[Mapping[str, float]]], None]


class _Progress(BaseModel):
    """The header of a checkpoint: see `Trained`, and the losses since the last row of the curve."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    step: Annotated[int, Field(ge=0)]
    curve: list[dict[str, float]]
    recent: list[float]


@dataclass(frozen=True)
class Trained:
    """The result of a training beside its weights.

    Attributes
    ----------
    curve
        Rows of ``step, loss, learning_rate`` and, where measured, ``validation``.
    resumed
        The step at which this process started; 0 without a checkpoint.
    waited
        Share of this process's time spent waiting for data.
    """

    curve: list[dict[str, float]]
    resumed: int
    waited: float


class Waiting:
    """Batches, and the share of the time spent waiting for them."""

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
    settings: TrainingSettings,
    *,
    bfloat16: bool,
    device: torch.device,
    seed: int,
    purpose: str,
    checkpoint: Path,
    validation: Sequence[Batch],
    watch: Watch,
) -> Trained:
    """Train a network in place with Adam; resume from the checkpoint if there is one.

    With several processes (`self2align.training.ranks`) all call it alike. The first one writes checkpoints.

    Parameters
    ----------
    network
        Its weights are the starting weights, unless there is a checkpoint.
    loss
        ``(network, batch, generator) -> scalar``.
    draw
        ``step -> batch``.
    settings
        Learning rate, schedule, steps and so on.
    bfloat16
        Whether forward passes run in bfloat16.
    seed, purpose
        Seed of the masks that the loss draws.
    checkpoint
        File for weights, optimizer and curve; written completely or not at all.
    validation
        Batches for the validation score: the same loss, so no clean frame is needed.
    watch
        Called after every step.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    place(network, device)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, foreach=True)
    start, curve, recent = _resume(network, optimizer, checkpoint)
    agree(f"{checkpoint}, the step to go on from", start)
    shared = split(network)
    batches = Waiting(prefetched(draw, start, settings.steps, device))
    for step in range(start, settings.steps):
        batch = {**batches.next(), "progress": torch.tensor(step / settings.steps, device=device)}
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            value = loss(shared, batch, torch_generator(seed, purpose, "mask", step))
        found = _descend(network, optimizer, value, step, settings)
        recent.append(found)
        done = step + 1
        if settings.due(settings.log_every, done):
            curve.append({"step": done, "loss": sum(recent) / len(recent), "learning_rate": settings.rate(step)})
            recent = []
            if validation and settings.due(settings.validate_every, done):
                curve[-1]["validation"] = validate(shared, loss, validation, device, bfloat16, seed)
        if is_first() and done % settings.checkpoint_every == 0 and done < settings.steps:
            _save(network, optimizer, checkpoint, {"step": done, "curve": curve, "recent": recent})
        watch(done, found, curve)
    return Trained(curve, start, batches.share())


def _descend(
    network: nn.Module, optimizer: torch.optim.Adam, value: Tensor, step: int, settings: TrainingSettings
) -> float:
    rate = settings.rate(step)
    optimizer.param_groups[0]["lr"] = rate
    optimizer.zero_grad()
    torch.autograd.backward(value)
    add_gradients(network)
    if settings.clip:
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
    optimizer.step()
    found = value.item()
    if not math.isfinite(found):
        raise ValueError(
            f"training: found a loss of {found} at step {step + 1} of {settings.steps}, expected a finite one; "
            f"try a lower learning_rate (now {rate:g}) or clip (now {settings.clip:g})"
        )
    return found


@torch.no_grad()
def validate(
    network: nn.Module, loss: Loss, batches: Sequence[Batch], device: torch.device, bfloat16: bool, seed: int
) -> float:
    """Return the mean loss over held-out batches, the same masks every time."""
    network.eval()
    total = 0.0
    for number, batch in enumerate(batches):
        here = {name: value.to(device) for name, value in batch.items()}
        here["progress"] = torch.tensor(1.0, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
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
    try:
        told = _Progress.model_validate(header)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path}: found {key}: {first['msg']}, expected a whole checkpoint; delete it") from error
    held = {name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")}
    fit_weights(network, held, path)
    state: dict[int, dict[str, Tensor]] = {}
    for number, parameter in enumerate(network.parameters()):
        shapes = {"step": torch.Size(), "exp_avg": parameter.shape, "exp_avg_sq": parameter.shape}
        names = {key: f"optimizer.{number}.{key}" for key in shapes}
        if not tensors.keys() & set(names.values()):
            continue  # without a gradient so far
        for key, name in names.items():
            if name not in tensors or tensors[name].shape != shapes[key] or not bool(tensors[name].isfinite().all()):
                raise ValueError(f"{path}: found {name} broken or missing, expected a whole checkpoint; delete it")
        state[number] = {key: tensors[name] for key, name in names.items()}
    if len(held) + 3 * len(state) != len(tensors):
        raise ValueError(f"{path}: found tensors of another training, expected a whole checkpoint; delete it")
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return told.step, told.curve, told.recent
