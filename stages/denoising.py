"""What the trainings of denoisers share: a network trained under an objective, and its outputs."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline import __version__
from pipeline.clipping import Clipping, find_clipping
from pipeline.families import load as load_member
from pipeline.feed import Batch, NeighbourFeed, PairFeed
from pipeline.networks import NETWORKS
from pipeline.objectives import OBJECTIVES
from pipeline.objectives.objective import Objective
from pipeline.pairs import MAPS
from pipeline.pairs.samplers import keep_probabilities, sampled_by_map
from pipeline.params import Params, SamplerParams
from pipeline.provenance import source_digest
from pipeline.scratch import file_digest, workspace, write_json
from pipeline.stores.codes import Coding
from pipeline.stores.pairs import PairStore
from pipeline.weights import fit_weights, load_weights, save_weights
from stages.fitting import fit, hold_pairs, start_network, write_curve
from stages.screen import table
from stages.summaries import spread

VALIDATION_BATCHES = 8
CLIPPING_CROPS = 64  # evenly spaced: a million pixels, of which some tens of thousands are dark in most footage
STARTS = Path("starts")  # a dependency of the trainings, whole
Look = Callable[[nn.Module], None]


def with_defaults(make: Callable[..., nn.Module], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return all of a network's keyword arguments: weights must not change their shape with a later default."""
    known = inspect.signature(make).parameters.values()
    defaults = {one.name: one.default for one in known if one.kind is one.KEYWORD_ONLY and one.default is not one.empty}
    return {**defaults, **arguments}


def init_digest(name: str | None) -> dict[str, str]:
    """Return the digest of the weights that a training begins with, as one of its inputs; nothing for random ones.

    Raises
    ------
    ValueError
        When there are no such weights.
    """
    if name is None:
        return {}
    path = STARTS / f"{name}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in STARTS.glob("*.safetensors"))) or "null: the folder holds none"
        raise ValueError(f"train_denoiser.init: found no {path}, expected one of {known}")
    return {"init": file_digest(path)}


def begin_with(name: str, network: nn.Module, wanted: Mapping[str, Any]) -> None:
    """Put the weights of that name into a network.

    Parameters
    ----------
    wanted
        What their header must say of network, arguments and channels.

    Raises
    ------
    ValueError
        When they are of another network.
    """
    path = STARTS / f"{name}.safetensors"
    tensors, header = load_weights(path)
    for key, value in {"kind": "denoiser", **wanted}.items():
        if header.get(key) != value:
            raise ValueError(f"train_denoiser.init: {path}: found {key} {header.get(key)!r}, expected {value!r}")
    fit_weights(network, tensors, path)


@dataclass(frozen=True)
class Crops:
    """What a denoiser is trained on.

    Attributes
    ----------
    held, codings, columns
        See `pipeline.feed.PairFeed`.
    roles
        For each row: 0 to train on, 1 for validation.
    margin
        Of ``source``, px.
    groups
        The rows of each target, for an objective that takes its neighbours together.
    inputs
        Digests of the stores that they come from.
    """

    held: Mapping[str, NDArray[Any]]
    codings: Mapping[str, Coding]
    columns: Mapping[str, NDArray[np.float32]]
    roles: NDArray[np.int8]
    margin: int
    groups: NDArray[np.int64] | None
    inputs: Mapping[str, str]

    def feed(self, role: int, params: Params, purpose: str, crop: int) -> PairFeed:
        """Return the feed of a role's rows."""
        chosen = params.train_denoiser
        if self.groups is None:
            make, rows = PairFeed, np.flatnonzero(self.roles == role)
        else:
            make, rows = NeighbourFeed, self.groups[self.roles[self.groups[:, 0]] == role]
        return make(
            self.held,
            rows,
            self.codings,
            self.columns,
            margin=self.margin,
            crop=crop,
            batch=chosen.training.batch,
            subsample=chosen.subsample if role == 0 else 0.0,
            rotate_colors=chosen.rotate_colors if role == 0 else 0.0,
            seed=params.seed,
            purpose=purpose,
        )

    def validation(self, params: Params, multiple: int) -> list[Batch]:
        """Return held-out batches of whole crops: a network that fails beyond the size it was trained at shows it."""
        if not (self.roles == 1).any():
            return []
        size = next(array.shape[-1] for name, array in self.held.items() if name != "source")
        feed = self.feed(1, params, "validation", size // multiple * multiple)
        return [feed(number) for number in range(VALIDATION_BATCHES)]


def fit_denoiser(
    name: str,
    objective_name: str,
    objective: Objective,
    params: Params,
    crops: Crops,
    *,
    told: Mapping[str, Any],
    scratch: Path,
    out: Path,
    look: Look | None = None,
) -> dict[str, Any]:
    """Train and write weights and curve; return the figures.

    Parameters
    ----------
    told
        What else the header of the weights shall tell.
    look
        Called with the network after each validation, and in the end.
    """
    chosen = params.train_denoiser
    make = load_member(NETWORKS, chosen.network, "train_denoiser.network")
    arguments = with_defaults(make, chosen.arguments)
    channels = crops.held[objective.needs[0]].shape[1]
    # One start for the denoiser and its baselines: they differ in nothing but the objective.
    network = start_network(lambda: make(channels, **arguments), params.seed, "train_denoiser")
    form = {"arguments": arguments, "channels": channels, "network": chosen.network}
    if chosen.init is not None:
        begin_with(chosen.init, network, form)
    validation = crops.validation(params, int(getattr(network, "multiple", 1)) * objective.reduces)
    draw = crops.feed(0, params, "train_denoiser", chosen.training.crop)
    seen = None if look is None else partial(look, network)
    curve = fit(name, network, objective.loss, draw, chosen.training, params.seed, scratch, validation, out, seen)
    network.to("cpu").eval()
    if look is not None:
        look(network)
    coding = crops.codings[objective.needs[0]]
    camera = params.synthesize.model == "none"
    clipping = clipping_of(network, crops) if camera else None
    header = {
        **form,
        "clipping": clipping.told() if clipping else None,
        "inputs": dict(crops.inputs),
        "kind": "denoiser",
        "network_code": source_digest(make),
        "noise": params.synthesize.model_dump(),
        "objective": objective_name,
        "rotate_colors": chosen.rotate_colors,
        "subsample": chosen.subsample,
        **told,
        "seed": params.seed,
        "training": chosen.training.model_dump(),
        # What stands for 1.0 in the footage, by type: what is said of it, or the type itself; noise of ours has none.
        "whites": {coding.dtype: float(f"{1 / coding.scale:.9g}")} if camera else {},
        "version": __version__,
    }
    save_weights(out, network.state_dict(), header)
    write_curve(out.with_suffix(".csv"), curve)
    return {
        "steps": chosen.training.steps,
        "parameters": sum(p.numel() for p in network.parameters()),
        "pairs": int((crops.roles == 0).sum()),
        "loss": round(curve[-1]["loss"], 6),
        "validation": round(curve[-1]["validation"], 6) if "validation" in curve[-1] else None,
    }


@torch.inference_mode()
def clipping_of(network: nn.Module, crops: Crops) -> Clipping | None:
    """Return how the footage's noise was clipped, by some of the crops and what the network makes of them."""
    held = crops.held["target"]
    multiple = int(getattr(network, "multiple", 1))
    size = held.shape[-1] // multiple * multiple
    rows = np.unique(np.linspace(0, len(held) - 1, CLIPPING_CROPS).astype(int))
    coding = crops.codings["target"]
    noisy = coding.decode(np.stack([held[row, :, :size, :size] for row in rows]))
    denoised = [network(torch.from_numpy(one[None])).float().numpy()[0] for one in noisy]
    step = 0.0 if coding.dtype.startswith("float") else coding.scale
    return find_clipping(noisy, np.stack(denoised), step)


def train_on_pairs(
    name: str,
    pairs: Path,
    out: Path,
    figures_file: Path,
    params: Params,
    objective_name: str,
    sampler: SamplerParams,
    look: Look | None = None,
) -> dict[str, Any]:
    """Train the chosen network on the pair store under an objective and a sampler; write and return the figures.

    Parameters
    ----------
    name
        Of the stage's item.
    look
        See `fit_denoiser`.
    """
    objective = load_member(OBJECTIVES, objective_name, "objective")
    store = PairStore(pairs)
    columns = {key: store.columns[key] for key in ("gain", "offset")}
    if sampler.strategy in MAPS:
        needs = tuple(dict.fromkeys((*objective.needs, "confidence")))
        objective = replace(objective, loss=sampled_by_map(objective.loss, sampler.strategy), needs=needs)
    else:
        columns["keep"] = keep_probabilities(sampler.strategy, store.columns[sampler.score], sampler.probability)
    inputs = {"pairs": store.content, **init_digest(params.train_denoiser.init)}
    work = {
        **inputs,
        "params": params.train_denoiser.model_dump(exclude={"objective"}),
        "objective": objective_name,
        "sampler": sampler.model_dump(),
        "seed": params.seed,
    }
    with workspace(name.replace("@", "-"), work) as scratch:
        held = hold_pairs(store, objective.needs, scratch)
        crops = Crops(
            held,
            {key: store.coding(key) for key in held},
            columns,
            store.columns["role"],
            store.margin,
            store.groups() if objective.neighbours else None,
            inputs,
        )
        figures = fit_denoiser(
            name,
            objective_name,
            objective,
            params,
            crops,
            told={"sampler": sampler.model_dump()},
            scratch=scratch,
            out=out,
            look=look,
        )
        if "keep" in columns:
            figures["keep_probability"] = spread(columns["keep"][store.rows("pairs")])
        # While the checkpoint is still there: a kill before this line trains nothing twice.
        write_json(figures_file, figures)
    return figures


def sample_picture(pairs: Path, path: Path) -> Look:
    """Return what draws six noisy crops of the validation scenes and what a network makes of them."""
    store = PairStore(pairs)
    rows = store.rows("validation") if len(store.rows("validation")) else store.rows("pairs")
    shown = rows[np.linspace(0, len(rows) - 1, 6).round().astype(int)]
    noisy = [store.values("target", int(row), int(row) + 1)[0] for row in shown]
    return lambda network: save_samples(network, noisy, path)


@torch.inference_mode()
def save_samples(network: nn.Module, noisy: Sequence[NDArray[np.float32]], path: Path) -> None:
    """Write a picture of noisy crops (above) and what the network makes of them (below)."""
    from pipeline.images import write_png

    training = network.training
    network.eval()
    batch = torch.from_numpy(np.stack(noisy))
    multiple = int(getattr(network, "multiple", 1))
    height, width = (side // multiple * multiple for side in batch.shape[-2:])
    batch = batch[..., :height, :width]
    denoised = network(batch.to(next(network.parameters()).device)).float().cpu()
    network.train(training)
    rows = [torch.cat(list(images), dim=2) for images in (batch, denoised)]
    picture = torch.cat(rows, dim=1).clamp(0, 1).mul(255).round().to(torch.uint8)
    write_png(path, picture.expand(3, -1, -1).permute(1, 2, 0).numpy())


def show(out: Path, figures: Mapping[str, Any]) -> None:
    """Show what was trained."""
    rows = [
        [name, value if value is not None else "none"] for name, value in figures.items() if not isinstance(value, dict)
    ]
    table(str(out), ["figure", "value"], rows)
