"""Training a denoiser: a network under an objective, then its last layer, then its weights file."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from self2align import __version__
from self2align.networks import NETWORKS
from self2align.networks.network import all_arguments, multiple_of
from self2align.noise.clipping import Clipping, find_clipping
from self2align.noise.settings import NoiseSettings
from self2align.objectives import OBJECTIVES
from self2align.objectives.objective import Objective
from self2align.runtime.families import load
from self2align.runtime.progress import Bars
from self2align.runtime.provenance import code_digest
from self2align.runtime.scratch import file_digest, workspace, write_json
from self2align.runtime.tables import spread
from self2align.runtime.workers import exact_threads
from self2align.samplers.sampler import keep_probabilities, load_sampler
from self2align.stores.pairs import PairStore
from self2align.stores.weights import fit_weights, load_weights, save_weights
from self2align.training.crops import TRAINING, VALIDATION, Crops
from self2align.training.fitting import fit, hold_pairs, start_network, write_curve
from self2align.training.last_layer import last_layer, solve_last_layer
from self2align.training.sampling import sampled_by_map
from self2align.training.settings import AUTO, STEIN, TRAINED, DenoiserSettings, SamplerSettings

CLIPPING_CROPS = 64  # evenly spaced: a million pixels, of which some tens of thousands are dark in most footage
LAST_LAYER_BATCHES, LAST_LAYER_TESTS = 256, 64  # eight million pixels and two, for several hundred weights
TEST_SHARE = 8  # without validation scenes, the last eighth of the rows tests the last layer
OnValidation = Callable[[nn.Module], None]


@dataclass(frozen=True)
class TrainedDenoiser:
    """The figures of a training, and lines for the user about how it went."""

    figures: dict[str, Any]
    notes: tuple[str, ...]


def init_digest(init: Path | None) -> dict[str, str]:
    """Return the digest of the starting weights, as one of the inputs of a training; nothing for random ones.

    Raises
    ------
    ValueError
        If there is no such file.
    """
    if init is None:
        return {}
    if not init.is_file():
        known = ", ".join(sorted(one.stem for one in init.parent.glob("*.safetensors")))
        raise ValueError(
            f"train_denoiser.init: found no {init}, expected one of {known or 'null: the folder is empty'}"
        )
    return {"init": file_digest(init)}


def load_start(path: Path, network: nn.Module, form: Mapping[str, Any]) -> None:
    """Put starting weights into a network.

    Parameters
    ----------
    form
        What their header must say of network, arguments and channels.

    Raises
    ------
    ValueError
        If they belong to another network.
    """
    tensors, header = load_weights(path)
    for key, value in {"kind": "denoiser", **form}.items():
        if header.get(key) != value:
            raise ValueError(f"train_denoiser.init: {path}: found {key} {header.get(key)!r}, expected {value!r}")
    fit_weights(network, tensors, path)


def resolve_last_layer(choice: str, objective: Objective, noise: NoiseSettings) -> str:
    """Return "stein" or "trained" for a choice that may be "auto"."""
    if choice != AUTO:
        return choice
    return STEIN if noise.one_gaussian and not objective.as_published else TRAINED


def fit_denoiser(
    name: str,
    objective: Objective,
    crops: Crops,
    *,
    settings: DenoiserSettings,
    last: str,
    noise: NoiseSettings,
    header: Mapping[str, Any],
    scratch: Path,
    out: Path,
    bars: Bars,
    on_validation: OnValidation | None = None,
) -> TrainedDenoiser:
    """Train a network; write its weights and its curve.

    Parameters
    ----------
    name
        Of the stage and its item.
    objective
        The loss and what it needs.
    crops
        What is trained on.
    settings
        Network, augmentations, steps.
    last
        "stein" or "trained"; see `resolve_last_layer`.
    noise
        Of the crops, as their store records it.
    header
        Further entries for the header of the weights.
    scratch, out
        Folder for the checkpoint; weights to write.
    bars
        Opens progress displays.
    on_validation
        Called with the network after each validation and at the end.
    """
    make = load(NETWORKS, settings.network, "train_denoiser.network")
    arguments = all_arguments(make, settings.arguments)
    channels = crops.held[objective.needs[0]].shape[1]
    # The same start for the denoiser and its baselines: they differ only in the objective.
    network = start_network(lambda: make(channels, **arguments), crops.seed, "train_denoiser")
    form = {"arguments": arguments, "channels": channels, "network": settings.network}
    if settings.init is not None:
        load_start(settings.init, network, form)
    training = settings.training
    validation = crops.validation_batches(training.batch, multiple_of(network) * objective.downscale)
    solve = last_layer_solver(network, crops, settings, objective.downscale, noise, bars) if last == STEIN else None
    trained = fit(
        name,
        network,
        objective.loss,
        crops.training_feed(settings, objective.downscale),
        training,
        seed=crops.seed,
        scratch=scratch,
        validation=validation,
        out=out,
        bars=bars,
        on_validation=None if on_validation is None else partial(on_validation, network),
    )
    network.eval()
    solved, notes = solve() if solve else ({}, ())
    network.to("cpu")
    if on_validation is not None:
        on_validation(network)
    described = {
        **form,
        **_noise_header(network, crops, objective, noise),
        "inputs": dict(crops.inputs),
        "kind": "denoiser",
        "network_code": code_digest(make),
        "objective": settings.objective,
        "last_layer": last,
        "rotate_colors": settings.rotate_colors,
        "subsample": settings.subsample_for(objective.downscale),
        **header,
        "seed": crops.seed,
        "training": asdict(training),
        "version": __version__,
    }
    save_weights(out, network.state_dict(), described)
    write_curve(out.with_suffix(".csv"), trained.curve)
    final = trained.curve[-1]
    figures = {
        "steps": training.steps,
        "parameters": sum(p.numel() for p in network.parameters()),
        "pairs": int((crops.roles == TRAINING).sum()),
        "loss": round(final["loss"], 6),
        "validation": round(final["validation"], 6) if "validation" in final else None,
        **solved,
    }
    return TrainedDenoiser(figures, (*trained.notes, *notes))


def _noise_header(network: nn.Module, crops: Crops, objective: Objective, noise: NoiseSettings) -> dict[str, Any]:
    """Return what the weights say of noise, clipping and white."""
    coding = crops.codings[objective.needs[0]]
    real = not noise.at().synthetic
    clipping = measure_clipping(network, crops) if real else None
    return {
        "clipping": asdict(clipping) if clipping else None,
        "noise": noise.record(),
        # The value that stands for 1.0 in real footage, by type; synthetic noise has none.
        "whites": {coding.dtype: float(f"{1 / coding.scale:.9g}")} if real else {},
    }


def last_layer_solver(
    network: nn.Module, crops: Crops, settings: DenoiserSettings, downscale: int, noise: NoiseSettings, bars: Bars
) -> Callable[[], tuple[dict[str, Any], tuple[str, ...]]]:
    """Return a function that solves a network's last layer and returns figures and notes.

    Raises
    ------
    ValueError
        Before anything is trained, if the network does not end in a convolution.
    """
    try:
        last = last_layer(network, crops.held["target"].shape[1])
    except ValueError as error:
        raise ValueError(f"train_denoiser.last_layer: found stein, expected trained: {error}") from error
    # Other frames test the result: those of the validation scenes, or the last training rows.
    roles = crops.roles.copy()
    if not (roles == VALIDATION).any():
        roles[-max(1, len(roles) // TEST_SHARE) :] = VALIDATION
    split = replace(crops, roles=roles)

    def solve() -> tuple[dict[str, Any], tuple[str, ...]]:
        place = next(network.parameters()).device
        multiple, share = multiple_of(network), settings.subsample_for(downscale)
        training = split.batch_count(TRAINING, LAST_LAYER_BATCHES)
        tests = split.batch_count(VALIDATION, LAST_LAYER_TESTS)
        with bars("solving the last layer") as progress, exact_threads(settings.training.threads):

            def batches(role: int, count: int, done: int) -> Iterator[Tensor]:
                targets = split.noisy_targets(settings, multiple, share, role, count)
                for number, noisy in enumerate(targets, done + 1):
                    yield noisy.to(place)
                    progress(number, training + tests)

            solved = solve_last_layer(
                network,
                last,
                batches(TRAINING, training, 0),
                batches(VALIDATION, tests, training),
                noise.sigma / 255,
                crops.seed,
            )
        before, after = (-10 * math.log10(max(error, 1e-9)) for error in (solved.before, solved.after))
        figures = {"trained_psnr": round(before, 3), "solved_psnr": round(after, 3), "kept": solved.better}
        kept = "kept" if solved.better else "not kept"
        note = f"last layer solved and {kept}: {after:.3f} dB, before {before:.3f} dB, estimated on other noisy crops"
        return {"last_layer": figures}, (note,)

    return solve


@torch.inference_mode()
def measure_clipping(network: nn.Module, crops: Crops) -> Clipping | None:
    """Return how the footage's noise was clipped, measured on some crops and their denoised versions."""
    size = crops.held["target"].shape[-1] // multiple_of(network) * multiple_of(network)
    coding = crops.codings["target"]
    noisy = crops.sample_targets(CLIPPING_CROPS)[..., :size, :size]
    denoised = [network(torch.from_numpy(one[None])).float().numpy()[0] for one in noisy]
    step = 0.0 if coding.dtype.startswith("float") else coding.scale
    return find_clipping(noisy, np.stack(denoised), step)


def train_on_pairs(
    name: str,
    *,
    pairs: Path,
    out: Path,
    metrics: Path,
    settings: DenoiserSettings,
    sampler: SamplerSettings,
    seed: int,
    bars: Bars,
    on_validation: OnValidation | None = None,
) -> TrainedDenoiser:
    """Train a network on the pair store; write weights, curve and figures.

    Parameters
    ----------
    name
        Of the stage and its item ("train_ablation@ssim").
    pairs
        Store of pairs. The noise is that which it records.
    out, metrics
        Weights and figures (JSON) to write.
    settings, sampler, seed
        What is trained, and how.
    bars
        Opens progress displays.
    on_validation
        See `fit_denoiser`.
    """
    objective: Objective = load(OBJECTIVES, settings.objective, "objective")
    chosen = load_sampler(sampler.strategy)
    store = PairStore(pairs)
    noise = NoiseSettings.recorded(store.attributes)
    columns = {key: store.columns[key] for key in ("gain", "offset")}
    if chosen.kind == "map":
        needs = tuple(dict.fromkeys((*objective.needs, "confidence")))
        objective = replace(objective, loss=sampled_by_map(objective.loss, chosen), needs=needs)
    else:
        columns["keep"] = keep_probabilities(sampler.strategy, store.columns[sampler.score], sampler.probability)
    inputs = {"pairs": store.content, **init_digest(settings.init)}
    work = {**inputs, "settings": _described(settings), "sampler": asdict(sampler), "seed": seed, "name": name}
    members = (objective.loss, chosen.keep, load(NETWORKS, settings.network, "train_denoiser.network"))
    with workspace(name.replace("@", "-"), work, train_on_pairs, *members) as scratch:
        held = hold_pairs(store, objective.needs, scratch, bars)
        crops = Crops(
            held,
            {key: store.coding(key) for key in held},
            columns,
            store.columns["role"],
            store.margin,
            store.groups() if objective.neighbours else None,
            inputs,
            seed,
        )
        trained = fit_denoiser(
            name,
            objective,
            crops,
            settings=settings,
            last=resolve_last_layer(settings.last_layer, objective, noise),
            noise=noise,
            header={"sampler": asdict(sampler)},
            scratch=scratch,
            out=out,
            bars=bars,
            on_validation=on_validation,
        )
        if "keep" in columns:
            trained.figures["keep_probability"] = spread(columns["keep"][store.rows("pairs")])
        # While the checkpoint still exists: after a kill before this line only the last steps are trained again.
        write_json(metrics, trained.figures)
    return trained


def _described(settings: DenoiserSettings) -> dict[str, Any]:
    """Return the settings that decide the checkpoint; the last layer is solved after it."""
    return {key: value for key, value in asdict(settings).items() if key not in ("init", "last_layer")}
