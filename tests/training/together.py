"""One process of a training on several, for `test_training_ranks`: ``torchrun together.py FOLDER JOB...``.

Run as a script, which torchrun starts, and with `job` in one process, for comparison.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from self2align.alignment.losses.split import split as split_loss
from self2align.alignment.refined_dis import RefinedDis
from self2align.networks.dncnn import DnCNN
from self2align.networks.normalised import Normalised
from self2align.networks.unet import UNet
from self2align.objectives.n2n import n2n
from self2align.objectives.neighbor2neighbor import neighbor2neighbor
from self2align.objectives.objective import Loss
from self2align.objectives.recorrupted_neighbours import recorrupted_neighbours
from self2align.runtime.scratch import write_json
from self2align.runtime.workers import exact_threads
from self2align.stores.codes import Coding
from self2align.stores.weights import save_weights
from self2align.training.feed import Batch, Draw, FrameFeed
from self2align.training.holding import hold
from self2align.training.launched import is_first, processes, rank
from self2align.training.loop import train
from self2align.training.ranks import own_device, shared_workspace
from self2align.training.settings import TrainingSettings

SETTINGS = TrainingSettings(
    steps=12,
    batch=4,
    crop=32,
    learning_rate=2e-3,
    schedule="cosine",
    decay=0.5,
    decay_every=10,
    warmup=2,
    clip=0.05,
    checkpoint_every=5,
    log_every=1,
    validate_every=6,
    precision="float32",
    threads=1,
)


def _frames(names: dict[str, tuple[str, int]], batch: int, crop: int) -> FrameFeed:
    draw = np.random.default_rng(0)
    clean = np.repeat(draw.random((4, 3, 12, 12), np.float32), 8, 2).repeat(8, 3)
    scene = {name: clean + 0.1 * draw.standard_normal(clean.shape, np.float32) for name in ("one", "two")}
    return FrameFeed([scene], [Coding("float32", 1.0)], names, crop=crop, batch=batch, seed=0, purpose="test")


def _neighbours(step: int) -> Batch:
    """Three targets with two neighbours each, of which the last has noise that pixels share."""
    batch = _frames({"target": ("one", 0), "near": ("two", 0), "far": ("two", 1)}, 3, 32)(step)
    draw = torch.Generator().manual_seed(step)
    return {
        "target": batch["target"],
        "warped": torch.stack([batch["near"], batch["far"]], 1),
        "confidence": torch.rand((3, 2, 32, 32), generator=draw),
        "keep": torch.full((3,), 0.9),
        "level": torch.full((3, 1, 1, 1), 0.1),
        "weight": torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1, 1),
        "white": torch.tensor([1.0, 1.0, 0.0]),
    }


PAIR = {"first": ("one", 0), "second": ("two", 0)}
# name: network, loss, draw. Batches of 4, 3 and 1 crops: those of 3 and 1 do not divide by two.
JOBS: dict[str, tuple[Any, Loss, Draw]] = {
    "n2n": (lambda: UNet(3, width=8, depth=2), n2n, _frames(PAIR, 4, 32)),
    "recorrupted_neighbours": (lambda: Normalised(UNet(3, width=8, depth=2)), recorrupted_neighbours, _neighbours),
    "neighbor2neighbor": (lambda: UNet(3, width=8, depth=2), neighbor2neighbor, _frames({"target": ("one", 0)}, 1, 64)),
    "aligner": (lambda: RefinedDis(3), split_loss, _frames({"target": ("one", 0), "source": ("one", 1)}, 3, 64)),
    "batch_norm": (lambda: DnCNN(3, width=8, depth=4), n2n, _frames(PAIR, 3, 32)),
}


def job(name: str, folder: Path, scratch: Path, **options: Any) -> None:
    """Train, and write curve and weights; ``stop`` ends the second process, or the only one, after a step."""
    make, loss, draw = JOBS[name]
    torch.manual_seed(0)
    network: nn.Module = make()
    stop: int | None = options.get("stop")

    def watch(done: int, value: float, curve: object) -> None:
        if done == stop and processes() == 1:
            raise KeyboardInterrupt
        if done == stop and rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    with exact_threads(1):
        trained = train(
            network,
            loss,
            draw,
            SETTINGS,
            bfloat16=False,
            device=own_device(),
            seed=0,
            purpose="test",
            checkpoint=scratch / f"{name}.safetensors",
            validation=[draw(10_000)],
            watch=watch,
        )
    if is_first():
        folder.mkdir(exist_ok=True)
        save_weights(folder / f"{name}.safetensors", network.state_dict(), {})
        write_json(folder / f"{name}.json", {"curve": trained.curve, "resumed": trained.resumed})


def held(folder: Path, scratch: Path) -> None:
    """Hold an array in a file that all processes map."""
    rows = np.arange(60, dtype=np.int32).reshape(10, 6)
    array = hold("rows", iter([rows[:7], rows[7:]] if is_first() else []), rows.shape, rows.dtype, scratch, 0)
    assert isinstance(array, np.memmap)
    np.testing.assert_array_equal(array, rows)
    (folder / f"held-{rank()}").write_text(str(array.filename))


def main(arguments: Sequence[str]) -> None:
    """Run jobs, the files of each in FOLDER; NAME@STEP kills the second process after a step."""
    folder = Path(arguments[0])
    with shared_workspace("together", {"folder": str(folder), "other": os.environ.get(f"OTHER{rank()}")}) as scratch:
        for name in arguments[1:]:
            if name == "held":
                held(folder, scratch)
                continue
            what, _, stop = name.partition("@")
            job(what, folder, folder / "scratch", stop=int(stop) if stop else None)


if __name__ == "__main__":
    from self2align.stages.cli import _one_line

    sys.excepthook = _one_line
    main(sys.argv[1:])
