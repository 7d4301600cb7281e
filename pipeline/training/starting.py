"""Starting weights: random ones from a seed, or those of a file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from self2align.networks import NETWORKS
from self2align.networks.network import all_arguments, build_network
from self2align.networks.normalised import LEVEL, Normalised
from self2align.runtime.families import load
from self2align.runtime.scratch import file_digest
from self2align.runtime.seeding import derived_seed
from self2align.stores.weights import fit_weights, load_weights
from self2align.training.settings import DenoiserSettings

Made = TypeVar("Made")


def with_seed(make: Callable[[], Made], seed: int, *keys: str) -> Made:
    """Return what ``make`` builds; its random weights depend only on the seed and the keys."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, *keys) >> 65)
        return make()


def start_denoiser(settings: DenoiserSettings, channels: int, seed: int) -> tuple[nn.Module, dict[str, Any]]:
    """Return a network with its starting weights, and what describes it in the header of a weights file.

    The start is the same for the denoiser and its baselines: they differ only in the objective.

    Parameters
    ----------
    settings
        Network, arguments, and the file of starting weights; None for random ones.
    channels
        C of the images.
    seed
        Seed of random weights.

    Raises
    ------
    ValueError
        If the file holds weights of another network.
    """
    make = load(NETWORKS, settings.network, "train_denoiser.network")
    arguments = all_arguments(make, settings.arguments)
    network = with_seed(lambda: build_network(settings.network, channels, arguments), seed, "train_denoiser")
    form = {
        "arguments": arguments,
        "channels": channels,
        "network": settings.network,
        "normalised": LEVEL if settings.normalise else None,
    }
    if settings.normalise:
        network = Normalised(network)
    if settings.init is not None:
        _load_start(settings.init, network, form)
    return network, form


def load_aligner_start(path: Path, network: nn.Module, kind: str, key: str) -> None:
    """Give an aligner the weights of a file, in place; those of `refined_dis` fit frames of any number of channels.

    Parameters
    ----------
    path
        Weights of an aligner.
    network
        Of this kind.
    kind
        A key of `self2align.alignment.ALIGNERS`.
    key
        Of the parameter, for messages.

    Raises
    ------
    ValueError
        If the file holds another aligner.
    """
    tensors, header = load_weights(path)
    _compare(path, header, {"kind": "aligner", "aligner": kind}, key)
    fit_weights(network, tensors, path)


def init_digest(init: Path | None, key: str = "train_denoiser.init") -> dict[str, str]:
    """Return the digest of the starting weights, as one of the inputs of a training; nothing for random ones.

    Parameters
    ----------
    init
        The file.
    key
        Of the parameter, for messages.

    Raises
    ------
    ValueError
        If there is no such file.
    """
    if init is None:
        return {}
    if not init.is_file():
        known = ", ".join(sorted(one.stem for one in init.parent.glob("*.safetensors")))
        raise ValueError(f"{key}: found no {init}, expected one of {known or 'null: the folder is empty'}")
    return {"init": file_digest(init)}


def _load_start(path: Path, network: nn.Module, form: Mapping[str, Any]) -> None:
    tensors, header = load_weights(path)
    _compare(path, header, {"kind": "denoiser", **form}, "train_denoiser.init")
    fit_weights(network, tensors, path)


def _compare(path: Path, header: Mapping[str, Any], expected: Mapping[str, Any], parameter: str) -> None:
    for key, value in expected.items():
        if header.get(key) != value:
            raise ValueError(f"{parameter}: {path}: found {key} {header.get(key)!r}, expected {value!r}")
