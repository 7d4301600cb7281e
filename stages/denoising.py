"""What `train_denoiser` and `train_baselines` share: a network trained under an objective, and its outputs."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline import __version__
from pipeline.families import load as load_member
from pipeline.feed import Batch, PairFeed
from pipeline.networks import NETWORKS
from pipeline.objectives.objective import Objective
from pipeline.params import Params
from pipeline.provenance import source_digest
from pipeline.stores.codes import Coding
from pipeline.weights import save_weights
from stages.fitting import fit, start_network, write_curve
from stages.screen import table

VALIDATION_BATCHES = 8


def fit_denoiser(
    name: str,
    objective_name: str,
    objective: Objective,
    params: Params,
    *,
    held: Mapping[str, NDArray[Any]],
    codings: Mapping[str, Coding],
    columns: Mapping[str, NDArray[np.float32]],
    roles: NDArray[np.int8],
    channels: int,
    margin: int,
    inputs: Mapping[str, Any],
    told: Mapping[str, Any],
    scratch: Path,
    out: Path,
    look: Callable[[nn.Module], None] | None = None,
) -> tuple[nn.Module, dict[str, Any]]:
    """Train and write weights, curve and figures; return the network and the figures.

    Parameters
    ----------
    held, codings, columns
        See `pipeline.feed.PairFeed`.
    roles
        For each row: 0 to train on, 1 for validation.
    inputs
        Digests of the stores, for the header.
    told
        What else the header shall tell.
    look
        Called with the network after each validation, and in the end.
    """
    chosen = params.train_denoiser
    settings = chosen.training

    def feed(role: int, purpose: str, crop: int) -> PairFeed:
        return PairFeed(
            held,
            np.flatnonzero(roles == role),
            codings,
            columns,
            margin=margin,
            crop=crop,
            batch=settings.batch,
            permute=chosen.permute_channels and role == 0,
            seed=params.seed,
            purpose=purpose,
        )

    make = load_member(NETWORKS, chosen.network, "train_denoiser.network")
    # One start for the denoiser and its baselines: they differ in nothing but the objective.
    network = start_network(lambda: make(channels, **chosen.arguments), params.seed, "train_denoiser")
    multiple = int(getattr(network, "multiple", 1)) * objective.reduces
    size = next(array.shape[-1] for held_name, array in held.items() if held_name != "source")
    whole = size // multiple * multiple
    validation: list[Batch] = []
    if (roles == 1).any():
        # Whole crops of the store: a network that fails beyond the size it was trained at shows it here.
        held_out = feed(1, "validation", whole)
        validation = [held_out(number) for number in range(VALIDATION_BATCHES)]
    draw = feed(0, "train_denoiser", settings.crop)
    seen = None if look is None else partial(look, network)
    curve = fit(name, network, objective.loss, draw, settings, params.seed, scratch, validation, out, seen)
    network.to("cpu").eval()
    if look is not None:
        look(network)
    header = {
        "arguments": chosen.arguments,
        "channels": channels,
        "inputs": dict(inputs),
        "kind": "denoiser",
        "network": chosen.network,
        "network_code": source_digest(make),
        "noise": params.synthesize.model_dump(),
        "objective": objective_name,
        **told,
        "seed": params.seed,
        "training": settings.model_dump(),
        "version": __version__,
    }
    save_weights(out, network.state_dict(), header)
    write_curve(out.with_suffix(".csv"), curve)
    figures = {
        "steps": settings.steps,
        "parameters": sum(p.numel() for p in network.parameters()),
        "pairs": int((roles == 0).sum()),
        "loss": round(curve[-1]["loss"], 6),
        "validation": round(curve[-1]["validation"], 6) if "validation" in curve[-1] else None,
    }
    return network, figures


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
