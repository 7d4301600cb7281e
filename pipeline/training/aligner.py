"""Training an aligner on neighbouring noisy frames, self-supervised."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from self2align import __version__
from self2align.alignment import ALIGNERS, LOSSES
from self2align.alignment.loading import make_aligner, save_aligner
from self2align.noise.drawing import NoiseDrawing
from self2align.noise.profile import NoiseProfile
from self2align.runtime.families import load
from self2align.runtime.progress import Bars
from self2align.runtime.provenance import code_digest
from self2align.stores.frames import FrameStore, SceneRecord
from self2align.training.feed import FrameFeed
from self2align.training.fitting import fit, hold_scenes, write_curve
from self2align.training.holding import hold, memory_limit, memory_of
from self2align.training.launched import is_first
from self2align.training.ranks import shared_workspace
from self2align.training.settings import TrainingSettings
from self2align.training.starting import init_digest, load_aligner_start, with_seed


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
    init: Path | None = None,
    profiles: Mapping[str, NoiseProfile] | None = None,
) -> TrainedAligner:
    """Train an aligner and write it with its curve.

    A classical one has nothing to train and is a header only; starting weights without a training stay as they are.

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
        A key of `self2align.alignment.LOSSES`, and how to train; None for no training.
    seed, bars
        Of the draws; opens progress displays.
    init
        Weights to start from; None for random ones.
    profiles
        The noise of scenes by title, as measured; None for noise that pixels do not share in any. Crops of scenes whose
        pixels share noise are judged in another way than others: `self2align.alignment.losses.split`.

    Raises
    ------
    ValueError
        If there is no scene with the role "align" that a crop fits, no such file to start from, or one scene without a
        profile.
    """
    store = FrameStore(noisy)
    channels = store.channels(store.scenes[0])
    key = f"train_ian.aligners.{name}.init"
    header: dict[str, Any] = {
        "aligner": kind,
        "aligner_code": code_digest(load(ALIGNERS, kind, "kind")),
        "arguments": dict(arguments),
        "channels": channels,
        **init_digest(init, key),
        "loss": loss,
        "noisy": store.content if training else None,
        "seed": seed,
        "training": asdict(training) if training else None,
        "version": __version__,
    }
    if training is None or loss is None:
        return _store_untrained(out, header, init, key)
    scenes, notes = _scenes(store, training.crop)
    noise = shared_noise([scene.title for scene in scenes], profiles)
    header["noise"] = noise_header(noise)
    make, criterion = load(ALIGNERS, kind, "kind"), load(LOSSES, loss, "loss")
    settings = {"kind": kind, "arguments": dict(arguments), "loss": loss, "training": asdict(training)}
    inputs = {"aligner": settings, "noisy": store.content, "seed": seed, "name": name, **init_digest(init, key)}
    if noise is not None:
        inputs["noise"] = [None if one is None else one.record() for one in noise]
    with shared_workspace(f"train_ian-{name}", inputs, train_aligner, criterion, make) as scratch:
        network: nn.Module = with_seed(lambda: make(channels, **arguments), seed, "train_ian", name)
        if init is not None:
            load_aligner_start(init, network, kind, key)
        trained = fit(
            f"train_ian@{name}",
            network,
            criterion,
            _feed(name, store, scenes, training, seed, scratch, noise),
            training,
            seed=seed,
            scratch=scratch,
            validation=[],
            out=out,
            bars=bars,
        )
        if is_first():
            write_curve(out.with_suffix(".csv"), trained.curve)
            save_aligner(out, network.to("cpu").eval(), header)
    final = f"{out}: {training.steps} steps, loss {trained.curve[-1]['loss']:.5f}"
    return TrainedAligner((*notes, *trained.notes, final))


def _store_untrained(out: Path, header: Mapping[str, Any], init: Path | None, key: str) -> TrainedAligner:
    """Write an aligner as its settings, or with the weights that it starts from, and an empty curve."""
    kind = header["aligner"]
    untrained = make_aligner(kind, header["channels"], header["arguments"])
    told = f"{kind} has nothing to train; its settings are stored"
    if init is not None:
        assert isinstance(untrained, nn.Module)
        load_aligner_start(init, untrained, kind, key)
        told = f"the weights of {init} as they are"
    if is_first():
        write_curve(out.with_suffix(".csv"), [])
        save_aligner(out, untrained, header)
    return TrainedAligner((f"{out}: {told}",))


def shared_noise(
    titles: Sequence[str], profiles: Mapping[str, NoiseProfile] | None
) -> list[NoiseProfile | None] | None:
    """Return the noise of each scene whose pixels share it, and None for each other one; None if no scene has such.

    Raises
    ------
    ValueError
        If a scene has no profile.
    """
    if profiles is None:
        return None
    missing = [title for title in titles if title not in profiles]
    if missing:
        raise ValueError(f"noise of {missing[0]}: found no profile, expected one for each of {len(titles)} scenes")
    noise = [profiles[title] if profiles[title].is_shared else None for title in titles]
    return noise if any(one is not None for one in noise) else None


def noise_header(noise: Sequence[NoiseProfile | None] | None) -> dict[str, Any] | None:
    """Return what a file of weights says of the noise that the aligner was trained on; None for noise taken as white.

    Of the scenes whose pixels share noise: how many they are, the least and the largest deviation, of white, and
    correlation with the next pixel, and how far pixels share noise, px.
    """
    if noise is None:
        return None
    known = [one for one in noise if one is not None]
    deviations = [float(one.variances.mean()) ** 0.5 for one in known]
    nearest = [one.neighbour for one in known]
    return {
        "scenes": len(known),
        "deviation": [round(min(deviations), 5), round(max(deviations), 5)],
        "neighbour": [round(min(nearest), 3), round(max(nearest), 3)],
        "reach": max(one.reach for one in known),
    }


def _feed(
    name: str,
    store: FrameStore,
    scenes: Sequence[SceneRecord],
    training: TrainingSettings,
    seed: int,
    scratch: Path,
    noise: Sequence[NoiseProfile | None] | None,
) -> FrameFeed:
    """Return batches of neighbouring frames."""
    held = hold_scenes(store, scenes, scratch, memory_limit(), "align")
    left = memory_limit() - sum(memory_of(array) for array in held)
    return FrameFeed(
        [{"frames": array} for array in held],
        [store.coding(scene) for scene in scenes],
        {"target": ("frames", 0), "source": ("frames", 1)},
        crop=training.crop,
        batch=training.batch,
        seed=seed,
        purpose=f"train_ian@{name}",
        noise=None if noise is None else hold_drawings(noise, training.crop, scratch, left),
    )


def hold_drawings(
    noise: Sequence[NoiseProfile | None], crop: int, folder: Path, budget: int
) -> list[NoiseDrawing | None]:
    """Return what draws the noise of each scene for crops, of which its spectrum takes a megabyte or two.

    Parameters
    ----------
    noise
        Of each scene; None for one whose pixels share none.
    crop
        Side of a crop, px.
    folder, budget
        Folder of the files from which spectra are mapped beyond so many bytes.
    """
    drawings: list[NoiseDrawing | None] = []
    for number, profile in enumerate(noise):
        if profile is None:
            drawings.append(None)
            continue
        drawing = NoiseDrawing(profile, crop, crop)
        root = drawing.root
        drawing.root = hold(f"noise-{number}", iter([root]), root.shape, root.dtype, folder, budget)
        budget -= memory_of(drawing.root)
        drawings.append(drawing)
    return drawings


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
