"""Aligner files: one safetensors file each; a classical aligner is a header without tensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from self2align.alignment import ALIGNERS
from self2align.alignment.aligner import Aligner
from self2align.runtime.devices import place
from self2align.runtime.families import check_arguments, load
from self2align.stores.weights import fit_weights, load_part, save_weights

MOST_CHANNELS = 2**10


def make_aligner(kind: str, channels: int, arguments: Mapping[str, Any]) -> Aligner:
    """Return a new aligner; see `self2align.alignment.ALIGNERS`."""
    aligner: Aligner = load(ALIGNERS, kind, "aligner")(channels, **arguments)
    return aligner


def save_aligner(path: Path, aligner: Aligner, header: Mapping[str, Any]) -> None:
    """Write an aligner; the header holds ``aligner, channels, arguments`` and provenance."""
    tensors = aligner.state_dict() if isinstance(aligner, nn.Module) else {}
    save_weights(path, tensors, {**header, "kind": "aligner"})


def load_aligner(path: Path, device: torch.device) -> Aligner:
    """Return an aligner ready for use, from its own file or from a bundle.

    Raises
    ------
    ValueError
        If the file holds no aligner.
    """
    tensors, header = load_part(path, "aligner")
    kind, channels, arguments = (header.get(name) for name in ("aligner", "channels", "arguments"))
    if not isinstance(arguments, dict) or type(channels) is not int or not 1 <= channels <= MOST_CHANNELS:
        found = f"channels {channels!r} and arguments {arguments!r}"
        raise ValueError(f"{path}: found {found}, expected a number up to {MOST_CHANNELS} and arguments by name")
    check_arguments(load(ALIGNERS, str(kind), f"{path}: aligner"), arguments, f"{path}: arguments")
    aligner = make_aligner(str(kind), channels, arguments)
    if isinstance(aligner, nn.Module):
        fit_weights(aligner, tensors, path)
        place(aligner, device).eval()
    return aligner
