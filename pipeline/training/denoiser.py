"""Training a denoiser: a network under an objective, then its last layer, then its weights file."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from self2align import __version__
from self2align.networks import NETWORKS
from self2align.networks.network import multiple_of
from self2align.networks.normalised import denoise_crops
from self2align.noise.clipping import Clipping, find_clipping
from self2align.noise.estimation.estimate import estimate_noise
from self2align.noise.model import NoiseSettings
from self2align.objectives import OBJECTIVES
from self2align.objectives.objective import Objective
from self2align.runtime.families import load
from self2align.runtime.progress import Bars
from self2align.runtime.provenance import code_digest
from self2align.runtime.scratch import write_json
from self2align.runtime.tables import spread
from self2align.samplers.sampler import keep_probabilities, load_sampler
from self2align.stores.codes import VIDEO, Coding
from self2align.stores.pairs import PairStore
from self2align.stores.weights import save_weights
from self2align.training.crops import TRAINING, Crops
from self2align.training.fitting import fit, hold_pairs, write_curve
from self2align.training.launched import is_first
from self2align.training.ranks import shared_workspace
from self2align.training.sampling import sampled_by_map
from self2align.training.settings import AUTO, STEIN, TRAINED, DenoiserSettings, SamplerSettings
from self2align.training.solving import last_layer_solver
from self2align.training.starting import init_digest, start_denoiser

SEEN_CROPS = 256  # evenly spaced
CLIPPING_CROPS = 64  # evenly spaced: a million pixels, of which some tens of thousands are dark in most footage
OnValidation = Callable[[nn.Module], None]


@dataclass(frozen=True)
class TrainedDenoiser:
    """The figures of a training, and lines for the user about how it went."""

    figures: dict[str, Any]
    notes: tuple[str, ...]


def resolve_last_layer(choice: str, objective: Objective, noise: NoiseSettings, normalise: bool) -> str:
    """Return "stein" or "trained" for a choice that may be "auto"."""
    if choice != AUTO:
        return choice
    fits = noise.gaussian if normalise else noise.one_gaussian
    return STEIN if fits and not objective.as_published else TRAINED


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

    With several processes (`self2align.training.ranks`) the first one does what follows the training.

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
    network, form = start_denoiser(settings, crops.held[objective.needs[0]].shape[1], crops.seed)
    training, downscale = settings.training, objective.downscale
    solve = last_layer_solver(network, crops, settings, downscale, noise, bars) if last == STEIN else None
    trained = fit(
        name,
        network,
        objective.loss,
        crops.training_feed(settings, downscale),
        training,
        seed=crops.seed,
        scratch=scratch,
        validation=crops.validation_batches(training.batch, multiple_of(network) * downscale),
        out=out,
        bars=bars,
        on_validation=None if on_validation is None else partial(on_validation, network),
    )
    if not is_first():
        return TrainedDenoiser({}, trained.notes)
    network.eval()
    solved, notes = solve() if solve else ({}, ())
    network.to("cpu")
    if on_validation is not None:
        on_validation(network)
    described = _header(network, crops, objective, settings, noise) | {**form, "last_layer": last, **header}
    save_weights(out, network.state_dict(), described)
    write_curve(out.with_suffix(".csv"), trained.curve)
    figures = _figures(network, crops, training.steps, trained.curve[-1])
    return TrainedDenoiser({**figures, **solved}, (*trained.notes, *notes))


def _header(
    network: nn.Module, crops: Crops, objective: Objective, settings: DenoiserSettings, noise: NoiseSettings
) -> dict[str, Any]:
    """Return what the weights say of their training and of the footage."""
    coding = crops.codings[objective.needs[0]]
    real = noise.at().measured
    clipping = measure_clipping(network, crops) if real else None
    return {
        "clipping": asdict(clipping) if clipping else None,
        "inputs": dict(crops.inputs),
        "kind": "denoiser",
        "network_code": code_digest(type(network)),
        "noise": noise.record(),
        "noise_seen": noise_seen(crops, objective, real=real),
        "objective": settings.objective,
        "rotate_colors": settings.rotate_colors,
        "seed": crops.seed,
        "subsample": settings.subsample_for(objective.downscale),
        "training": asdict(settings.training),
        "version": __version__,
        "whites": whites(coding) if real else {},
    }


def whites(coding: Coding) -> dict[str, float]:
    """Return the value that stands for 1.0 in real footage, by type; of video the share of its type's white."""
    if coding.offset:
        return {"video": float(f"{VIDEO.scale / coding.scale:.9g}")}
    return {coding.dtype: float(f"{1 / coding.scale:.9g}")}


def noise_seen(crops: Crops, objective: Objective, *, real: bool) -> dict[str, Any]:
    """Return what the network saw of noise, for the header of its weights.

    Returns
    -------
    dict
        ``sigma``: lowest and highest standard deviation of a crop, on the scale of 255, with what the objective adds;
        ``correlated``: whether neighbouring pixels share noise; ``told_within``: the factor by which the level that the
        network was told was off.
    """
    noisy, level = crops.sample_targets(SEEN_CROPS)
    sigma = 255 * level.square().mean((1, 2, 3)).sqrt()
    white = crops.columns.get("white")
    if white is not None:
        correlated = bool((white[crops.roles == TRAINING] == 0).any())
    else:
        correlated = estimate_noise(noisy).correlated if real else False
    # To noise that pixels share nothing is added.
    least, most = (1.0, 1.0) if correlated else objective.raises
    return {
        "correlated": correlated,
        "told_within": objective.unsure if correlated else 1.0,
        "sigma": [round(float(sigma.min()) * least, 2), round(float(sigma.max()) * most, 2)],
    }


def _figures(network: nn.Module, crops: Crops, steps: int, final: Mapping[str, float]) -> dict[str, Any]:
    return {
        "steps": steps,
        "parameters": sum(p.numel() for p in network.parameters()),
        "pairs": int((crops.roles == TRAINING).sum()),
        "loss": round(final["loss"], 6),
        "validation": round(final["validation"], 6) if "validation" in final else None,
    }


@torch.inference_mode()
def measure_clipping(network: nn.Module, crops: Crops) -> Clipping | None:
    """Return how the footage's noise was clipped, measured on some crops and their denoised versions."""
    size = crops.held[crops.noisy].shape[-1] // multiple_of(network) * multiple_of(network)
    coding = crops.codings[crops.noisy]
    noisy, level = crops.sample_targets(CLIPPING_CROPS)
    noisy, level = noisy[..., :size, :size], level[..., :size, :size].expand(len(noisy), -1, -1, -1)
    denoised = [
        denoise_crops(network, torch.from_numpy(one[None]), around[None]).float().numpy()[0]
        for one, around in zip(noisy, level, strict=True)
    ]
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
    published: Objective = load(OBJECTIVES, settings.objective, "objective")
    store = PairStore(pairs)
    noise = NoiseSettings.recorded(store.attributes)
    objective, columns = _sampled(published, sampler, store)
    inputs = {"pairs": store.content, **init_digest(settings.init)}
    work = {**inputs, "settings": settings.deciding_checkpoint(), "sampler": asdict(sampler), "seed": seed}
    members = (
        published.loss,
        load_sampler(sampler.strategy).keep,
        load(NETWORKS, settings.network, "train_denoiser.network"),
    )
    with shared_workspace(name.replace("@", "-"), work, train_on_pairs, *members) as scratch:
        trained = fit_denoiser(
            name,
            objective,
            pair_crops(store, objective, columns, inputs, seed, scratch, bars, levelled=settings.normalise),
            settings=settings,
            last=resolve_last_layer(settings.last_layer, objective, noise, settings.normalise),
            noise=noise,
            header={"sampler": asdict(sampler), "noise_profile": store.attributes.get("noise_profile")},
            scratch=scratch,
            out=out,
            bars=bars,
            on_validation=on_validation,
        )
        if not is_first():
            return trained
        if "keep" in columns:
            trained.figures["keep_probability"] = spread(columns["keep"][store.rows("pairs")])
        # While the checkpoint still exists: after a kill before this line only the last steps are trained again.
        write_json(metrics, trained.figures)
    return trained


def _sampled(
    objective: Objective, settings: SamplerSettings, store: PairStore
) -> tuple[Objective, dict[str, NDArray[np.float32]]]:
    """Return the objective under a sampler, and the columns of a batch: exposure, and keep-probabilities of pairs."""
    columns = {key: store.columns[key] for key in ("gain", "offset", "noise_gain", "noise_read")}
    columns["white"] = store.columns["noise_white"]
    sampler = load_sampler(settings.strategy)
    if sampler.kind == "map":
        needs = tuple(dict.fromkeys((*objective.needs, "confidence")))
        return replace(objective, loss=sampled_by_map(objective.loss, sampler), needs=needs), columns
    columns["keep"] = keep_probabilities(settings.strategy, store.columns[settings.score], settings.probability)
    return objective, columns


def pair_crops(
    store: PairStore,
    objective: Objective,
    columns: Mapping[str, NDArray[np.float32]],
    inputs: Mapping[str, str],
    seed: int,
    scratch: Path,
    bars: Bars,
    *,
    levelled: bool,
) -> Crops:
    """Return the crops of a pair store that an objective needs, in memory; mapped in ``scratch`` beyond the budget."""
    held = hold_pairs(store, objective.needs, scratch, bars)
    return Crops(
        held,
        {key: store.coding(key) for key in held},
        columns,
        store.columns["role"],
        store.margin,
        store.groups() if objective.neighbours else None,
        inputs,
        seed,
        levelled,
    )
