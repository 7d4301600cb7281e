"""Training an aligner on neighbouring noisy frames, self-supervised."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from self2align import __version__
from self2align.alignment import ALIGNERS, LOSSES
from self2align.alignment.loading import make_aligner, save_aligner
from self2align.runtime.families import load
from self2align.runtime.progress import Bars
from self2align.runtime.provenance import code_digest
from self2align.runtime.scratch import workspace
from self2align.stores.frames import FrameStore, SceneRecord
from self2align.training.feed import FrameFeed, memory_limit
from self2align.training.fitting import fit, hold_scenes, write_curve
from self2align.training.settings import TrainingSettings
from self2align.training.starting import with_seed


@dataclass(frozen=True)
class TrainedAligner:
    """Lines for the user about how a training went."""

    notes: tuple[str, ...]


def train_aligner(
    name: str,
    *,
    noisy: Path,
    out: Path,
    kind: str,
    arguments: Mapping[str, Any],
    loss: str | None,
    training: TrainingSettings | None,
    seed: int,
    bars: Bars,
) -> TrainedAligner:
    """Train an aligner and write it with its curve; a classical one has nothing to train and is a header only.

    Parameters
    ----------
    name
        Key in ``train_ian.aligners``; part of the random draws.
    noisy
        Store of noisy frames; scenes with the role "align" are used.
    out
        Weights to write; the curve lies beside them.
    kind, arguments
        A key of `self2align.alignment.ALIGNERS`, and its keyword arguments.
    loss, training
        A key of `self2align.alignment.LOSSES`, and how to train; None for a classical aligner.
    seed, bars
        Of the draws; opens progress displays.

    Raises
    ------
    ValueError
        If there is no scene with the role "align" that a crop fits.
    """
    store = FrameStore(noisy)
    channels = store.channels(store.scenes[0])
    header = {
        "aligner": kind,
        "aligner_code": code_digest(load(ALIGNERS, kind, "kind")),
        "arguments": dict(arguments),
        "channels": channels,
        "loss": loss,
        "noisy": store.content if training else None,
        "seed": seed,
        "training": asdict(training) if training else None,
        "version": __version__,
    }
    if training is None or loss is None:
        write_curve(out.with_suffix(".csv"), [])
        save_aligner(out, make_aligner(kind, channels, arguments), header)
        return TrainedAligner((f"{out}: {kind} has nothing to train; its settings are stored",))
    scenes, notes = _scenes(store, training.crop)
    make, criterion = load(ALIGNERS, kind, "kind"), load(LOSSES, loss, "loss")
    settings = {"kind": kind, "arguments": dict(arguments), "loss": loss, "training": asdict(training)}
    inputs = {"aligner": settings, "noisy": store.content, "seed": seed, "name": name}
    with workspace(f"train_ian-{name}", inputs, train_aligner, criterion, make) as scratch:
        network: nn.Module = with_seed(lambda: make(channels, **arguments), seed, "train_ian", name)
        trained = fit(
            f"train_ian@{name}",
            network,
            criterion,
            _feed(name, store, scenes, training, seed, scratch),
            training,
            seed=seed,
            scratch=scratch,
            validation=[],
            out=out,
            bars=bars,
        )
        write_curve(out.with_suffix(".csv"), trained.curve)
        save_aligner(out, network.to("cpu").eval(), header)
    final = f"{out}: {training.steps} steps, loss {trained.curve[-1]['loss']:.5f}"
    return TrainedAligner((*notes, *trained.notes, final))


def _feed(
    name: str, store: FrameStore, scenes: Sequence[SceneRecord], training: TrainingSettings, seed: int, scratch: Path
) -> FrameFeed:
    """Return batches of neighbouring frames."""
    held = hold_scenes(store, scenes, scratch, memory_limit(), "align")
    return FrameFeed(
        [{"frames": array} for array in held],
        [store.coding(scene) for scene in scenes],
        {"target": ("frames", 0), "source": ("frames", 1)},
        crop=training.crop,
        batch=training.batch,
        seed=seed,
        purpose=f"train_ian@{name}",
    )


def _scenes(store: FrameStore, crop: int) -> tuple[list[SceneRecord], tuple[str, ...]]:
    """Return the scenes with the role "align" that a crop fits, and a note about those that it does not fit."""
    candidates = store.with_role("align")
    scenes = [scene for scene in candidates if min(scene.height, scene.width) >= crop]
    if not scenes:
        raise ValueError(
            f"{store.path}: found {len(candidates)} scenes with the role 'align', none of at least {crop} x {crop} px; "
            "expected at least one"
        )
    small = len(candidates) - len(scenes)
    return scenes, (f"{small} of {len(candidates)} scenes are smaller than a crop of {crop} px",) if small else ()
