"""What the trainings of denoisers share: a network trained under an objective, and its outputs."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from self2align import __version__
from self2align.networks import NETWORKS
from self2align.noise.clipping import Clipping, find_clipping
from self2align.objectives import OBJECTIVES
from self2align.objectives.objective import Objective
from self2align.pairs import MAPS
from self2align.params.schema import Params, SamplerParams
from self2align.runtime.families import load as load_member
from self2align.runtime.provenance import source_digest
from self2align.runtime.scratch import file_digest, workspace, write_json
from self2align.runtime.tables import spread
from self2align.runtime.workers import exact_threads
from self2align.samplers.sampler import keep_probabilities, sampled_by_map
from self2align.stages.screen import bar, say, table
from self2align.stores.codes import Coding
from self2align.stores.pairs import PairStore
from self2align.stores.weights import fit_weights, load_weights, save_weights
from self2align.training.feed import Batch, NeighbourFeed, PairFeed
from self2align.training.fitting import fit, hold_pairs, start_network, write_curve
from self2align.training.stein import last_layer, solve_last_layer

VALIDATION_BATCHES = 8
CLIPPING_CROPS = 64  # evenly spaced: a million pixels, of which some tens of thousands are dark in most footage
TRAINED, STEIN, AUTO = "trained", "stein", "auto"  # last layers
NOISY_PIXELS, NOISY_CROP = 2**15, 128  # of a batch that the last layer is solved by; px, of a crop at the most
LAST_LAYER_BATCHES, LAST_LAYER_OTHERS = 256, 64  # eight million pixels and two, for several hundred weights
SEEN = 8  # times, of each target at the most: as many symmetries there are
KEPT_BACK = 8  # a part so small of the rows, which are in the order of scenes
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
        See `self2align.training.feed.PairFeed`.
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

    def feed(
        self,
        role: int,
        params: Params,
        purpose: str,
        crop: int,
        batch: int,
        *,
        subsample: float = 0.0,
        rotate_colors: float = 0.0,
    ) -> PairFeed:
        """Return a feed of a role's rows; see `self2align.training.feed.PairFeed`."""
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
            batch=batch,
            subsample=subsample,
            rotate_colors=rotate_colors,
            seed=params.seed,
            purpose=purpose,
        )

    def training(self, params: Params, reduces: int) -> PairFeed:
        """Return what is trained on.

        Parameters
        ----------
        reduces
            How many times smaller than its crops the images are that the objective learns from. Crops so many times
            larger are drawn, of as many pixels where ``batch`` is a multiple of its square.
        """
        chosen = params.train_denoiser
        return self.feed(
            0,
            params,
            "train_denoiser",
            chosen.training.crop * reduces,
            max(1, chosen.training.batch // reduces**2),
            subsample=subsample_of(params, reduces),
            rotate_colors=chosen.rotate_colors,
        )

    def whole(self, multiple: int) -> int:
        """Return the largest size of a crop that is such a multiple, px."""
        size: int = next(array.shape[-1] for name, array in self.held.items() if name != "source")
        return size // multiple * multiple

    def validation(self, params: Params, multiple: int) -> list[Batch]:
        """Return held-out batches of whole crops: a network that fails beyond the size it was trained at shows it."""
        if not (self.roles == 1).any():
            return []
        feed = self.feed(1, params, "validation", self.whole(multiple), params.train_denoiser.training.batch)
        return [feed(number) for number in range(VALIDATION_BATCHES)]

    def noisy_images(self, params: Params, multiple: int, subsample: float, role: int, count: int) -> Iterator[Tensor]:
        """Yield batches of noisy targets under training's augmentation, about ``NOISY_PIXELS`` each.

        Whole crops, and in the share of ``subsample`` every other pixel of them.
        """
        targets = {"target": self.held["target"]}
        alone = replace(self, held=targets, columns={}, groups=None)
        draw = partial(alone.feed, role, params, "last_layer", rotate_colors=params.train_denoiser.rotate_colors)
        size = min(self.whole(multiple), NOISY_CROP // multiple * multiple)
        whole = apart = draw(crop=size, batch=max(1, NOISY_PIXELS // size**2))
        if subsample:
            crop = params.train_denoiser.training.crop
            apart = draw(crop=crop, batch=max(1, NOISY_PIXELS // crop**2), subsample=1.0)
        for number in range(count):
            feed = apart if int((number + 1) * subsample) > int(number * subsample) else whole
            yield feed(number)["target"]

    def looks(self, role: int, most: int) -> int:
        """Return how many such batches show each noisy target of a role ``SEEN`` times, or the most that are wanted."""
        rows = self.roles == role if self.groups is None else self.roles[self.groups[:, 0]] == role
        return min(most, max(1, SEEN * int(rows.sum()) * self.whole(1) ** 2 // NOISY_PIXELS))

    def some_targets(self, count: int) -> NDArray[np.float32]:
        """Return noisy targets, evenly spaced, ``(N, C, H, W)``."""
        held = self.held["target"]
        rows = np.unique(np.linspace(0, len(held) - 1, count).astype(int))
        return self.codings["target"].decode(np.stack([held[row] for row in rows]))


def subsample_of(params: Params, reduces: int) -> float:
    """Return the share of every other pixel; none for an objective that makes such images itself."""
    return params.train_denoiser.subsample if reduces == 1 else 0.0


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
    last: str = TRAINED,
) -> dict[str, Any]:
    """Train and write weights and curve; return the figures.

    Parameters
    ----------
    told
        What else the header of the weights shall tell.
    last
        "stein": the last layer is solved when training has ended; see `self2align.training.stein`. "auto": so it is where it can
        be, and the objective is no paper's. "trained": it is not.
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
    if last == AUTO:
        last = STEIN if params.synthesize.one_gaussian and not objective.by_letter else TRAINED
    solve = solver(network, crops, params, objective.reduces) if last == STEIN else None
    draw = crops.training(params, objective.reduces)
    seen = None if look is None else partial(look, network)
    curve = fit(name, network, objective.loss, draw, chosen.training, params.seed, scratch, validation, out, seen)
    network.eval()
    solved = solve() if solve else {}
    network.to("cpu")
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
        "last_layer": last,
        "rotate_colors": chosen.rotate_colors,
        "subsample": subsample_of(params, objective.reduces),
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
        **solved,
    }


def solver(network: nn.Module, crops: Crops, params: Params, reduces: int) -> Callable[[], dict[str, Any]]:
    """Return what solves a network's last layer by `self2align.training.stein` and returns figures of it.

    Parameters
    ----------
    reduces
        See `self2align.objectives.objective.Objective`.

    Raises
    ------
    ValueError
        Before anything is trained: where the network ends in no convolution.
    """
    try:
        last = last_layer(network, crops.held["target"].shape[1])
    except ValueError as error:
        raise ValueError(f"train_denoiser.last_layer: found stein, expected trained where {error}") from error
    # What it has become is judged by other frames: those of the validation scenes, or the last that were trained on.
    roles = crops.roles.copy()
    if not (roles == 1).any():
        roles[-max(1, len(roles) // KEPT_BACK) :] = 1
    parted = replace(crops, roles=roles)

    def solve() -> dict[str, Any]:
        place = next(network.parameters()).device
        multiple, share = int(getattr(network, "multiple", 1)), subsample_of(params, reduces)
        looks, others = parted.looks(0, LAST_LAYER_BATCHES), parted.looks(1, LAST_LAYER_OTHERS)
        with bar("solving the last layer") as progress, exact_threads(params.train_denoiser.training.threads):

            def batches(role: int, count: int, done: int) -> Iterator[Tensor]:
                for number, noisy in enumerate(parted.noisy_images(params, multiple, share, role, count), done + 1):
                    yield noisy.to(place)
                    progress(number, looks + others)

            mine, theirs = batches(0, looks, 0), batches(1, others, looks)
            found = solve_last_layer(network, last, mine, theirs, params.synthesize.sigma / 255, params.seed)
        before, after = (-10 * math.log10(max(error, 1e-9)) for error in (found.before, found.after))
        kept = "kept" if found.better else "not kept"
        say(f"last layer solved and {kept}: {after:.2f} dB instead of {before:.2f}, estimated on other noisy frames")
        return {"last_layer": {"trained_psnr": round(before, 3), "solved_psnr": round(after, 3), "kept": found.better}}

    return solve


@torch.inference_mode()
def clipping_of(network: nn.Module, crops: Crops) -> Clipping | None:
    """Return how the footage's noise was clipped, by some of the crops and what the network makes of them."""
    held = crops.held["target"]
    multiple = int(getattr(network, "multiple", 1))
    size = held.shape[-1] // multiple * multiple
    coding = crops.codings["target"]
    noisy = crops.some_targets(CLIPPING_CROPS)[..., :size, :size]
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
    last: str = TRAINED,
) -> dict[str, Any]:
    """Train the chosen network on the pair store under an objective and a sampler; write and return the figures.

    Parameters
    ----------
    name
        Of the stage's item.
    look, last
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
        "params": params.train_denoiser.model_dump(exclude={"objective", "last_layer"}),
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
            last=last,
        )
        if "keep" in columns:
            figures["keep_probability"] = spread(columns["keep"][store.rows("pairs")])
        # While the checkpoint is still there: a kill before this line trains no more than its last steps twice.
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
    from self2align.images.files import write_png

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
