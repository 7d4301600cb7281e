"""Pairs from the built-in sample, and a training that stops when its time is over and goes on in the next call.

Used by `benchmarks/gpu.py`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpu_checks import STARTS

from self2align.noise.model import NoiseSettings
from self2align.noise.synthesis import add_noise
from self2align.objectives import OBJECTIVES
from self2align.pairs.making import make_pairs
from self2align.params.schema import Params
from self2align.runtime.families import load
from self2align.runtime.progress import NotedProgress, ignore, silent
from self2align.runtime.scratch import root
from self2align.samplers.sampler import keep_probabilities
from self2align.sources.ingest import ingest_source
from self2align.sources.source import Selection
from self2align.stores.opening import open_sources
from self2align.stores.pairs import PairStore
from self2align.stores.weights import load_weights, save_weights
from self2align.training.denoiser import pair_crops, train_on_pairs
from self2align.training.feed import Draw
from self2align.training.settings import DenoiserSettings
from self2align.training.starting import start_denoiser

NAME = "gpu"  # of the training, in its random draws and its scratch folder
ROOT = Path(__file__).parent.parent


class OutOfTimeError(Exception):
    """The time of the call is over; the checkpoint holds every step so far."""


@dataclass(frozen=True)
class Clock:
    """The time that a call has left."""

    end: float

    @classmethod
    def of(cls, minutes: float) -> "Clock":
        """Return a clock that has so many minutes left."""
        return cls(time.monotonic() + 60 * minutes)

    def left(self) -> float:
        """Return the seconds left, less than 0 when the time is over."""
        return self.end - time.monotonic()


def sample_pairs(chosen: Params, folder: Path) -> Path:
    """Make pairs of the profile's sources, with the aligner of `starts/`; what is there already stays.

    Parameters
    ----------
    chosen
        The profile: sources of kind sample, and their noise.
    folder
        For the stores.
    """
    frames, noisy, pairs = folder / "ingest", folder / "noisy.zarr", folder / "pairs.zarr"
    if pairs.exists():
        return pairs
    for name, source in chosen.ingest.sources.items():
        if (frames / f"{name}.zarr").exists():
            continue
        what = tuple(source.glob), tuple(source.exclude), chosen.ingest.color, source.step, source.max_frames
        ingest_source(
            name,
            stage="ingest",
            kind=source.kind,
            path=ROOT / source.path,
            selection=Selection(*what, source.skip_damaged, source.axes),
            out=frames / f"{name}.zarr",
            bars=silent,
            crop=None,
            white=source.white,
            roles=source.roles,
        )
    if not noisy.exists():
        stores = open_sources(frames, list(chosen.ingest.sources))
        add_noise(stores, noise=chosen.synthesize.settings(), seed=chosen.seed, out=noisy, bars=silent)
    make_pairs(
        noisy=noisy,
        aligner=STARTS / "davis_motion.safetensors",
        out=pairs,
        settings=chosen.generate_pairs.settings(),
        parameters=chosen.generate_pairs.model_dump(),
        seed=chosen.seed,
    )
    return pairs


def feed_of(pairs: Path, chosen: Params, settings: DenoiserSettings, folder: Path) -> Draw:
    """Return what draws the batches of the training."""
    store, objective = PairStore(pairs), load(OBJECTIVES, settings.objective, "objective")
    columns = {key: store.columns[key] for key in ("gain", "offset", "noise_gain", "noise_read")}
    columns["white"] = store.columns["noise_white"]
    sampler = chosen.sampler
    columns["keep"] = keep_probabilities(sampler.strategy, store.columns[sampler.score], sampler.probability)
    crops = pair_crops(store, objective, columns, {}, chosen.seed, folder, silent, levelled=settings.normalise)
    return crops.training_feed(settings, objective.downscale)


def affordable_steps(settings: DenoiserSettings, seconds_a_step: float, seconds: float) -> int:
    """Return how many steps fit in a time, a multiple of the steps between two rows of the curve; at most all."""
    training = settings.training
    every = max(training.log_every, training.validate_every)
    return min(training.steps, max(every, int(seconds / seconds_a_step) // every * every))


def stopping(clock: Clock, every: int, reserve: float) -> Callable[[str], Any]:
    """Return displays that end the training just after a checkpoint, when only a reserve of the time is left.

    Parameters
    ----------
    clock
        Of the call.
    every
        Steps between two checkpoints.
    reserve
        Seconds.
    """

    @contextmanager
    def bars(title: str) -> Iterator[NotedProgress]:
        if not title.startswith("training"):
            yield ignore
            return

        def watch(done: int, total: int, note: str = "") -> None:
            if done % every == 0 and done < total and clock.left() < reserve:
                raise OutOfTimeError(f"{done} of {total} steps")

        yield watch

    return bars


def train(
    pairs: Path, out: Path, chosen: Params, settings: DenoiserSettings, clock: Clock, reserve: float
) -> dict[str, Any]:
    """Train, or go on with the training that an earlier call left; write weights and curve.

    Parameters
    ----------
    pairs
        Store of pairs.
    out
        Weights to write. When the time is over before the last step, the weights so far are written beside it, as
        ``NAME.unfinished.safetensors``.
    chosen, settings
        Seed and sampler; network and steps.
    clock, reserve
        See `stopping`. The reserve is for the last layer too.

    Returns
    -------
    dict
        ``finished``, ``steps`` done, ``weights`` and, if finished, the figures of the training.
    """
    training = settings.training
    metrics = out.with_suffix(".json")
    try:
        trained = train_on_pairs(
            NAME,
            pairs=pairs,
            out=out,
            metrics=metrics,
            settings=settings,
            sampler=chosen.sampler.settings(),
            seed=chosen.seed,
            bars=stopping(clock, training.checkpoint_every, reserve),
        )
    except OutOfTimeError:
        return {"finished": False, **_write_unfinished(pairs, out, chosen, settings)}
    unfinished(out).unlink(missing_ok=True)
    return {"finished": True, "steps": training.steps, "weights": str(out), **trained.figures}


def unfinished(out: Path) -> Path:
    """Return the file of weights that are not yet trained to the end."""
    return out.with_suffix(".unfinished.safetensors")


def _write_unfinished(pairs: Path, out: Path, chosen: Params, settings: DenoiserSettings) -> dict[str, Any]:
    """Write the weights of the latest checkpoint as a denoiser."""
    newest = max(root().glob(f"{NAME}-*/checkpoint.safetensors"), key=lambda path: path.stat().st_mtime)
    tensors, progress = load_weights(newest)
    held = {name.removeprefix("network."): one for name, one in tensors.items() if name.startswith("network.")}
    store = PairStore(pairs)
    _, form = start_denoiser(replace(settings, init=None), store.array("target").shape[1], chosen.seed)
    noise = NoiseSettings.recorded(store.attributes).record()
    told = {"kind": "denoiser", "last_layer": "trained", "noise": noise, "objective": settings.objective}
    save_weights(unfinished(out), held, {**form, **told, "steps": progress["step"]})
    return {"steps": progress["step"], "weights": str(unfinished(out))}
