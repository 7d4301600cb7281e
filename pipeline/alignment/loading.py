"""Aligner files: one safetensors file each; a classical aligner is a header without tensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from self2align.alignment import ALIGNERS
from self2align.alignment.aligner import Aligner
from self2align.runtime.devices import place
from self2align.runtime.families import load
from self2align.stores.weights import fit_weights, load_part, save_weights


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
    aligner = make_aligner(header["aligner"], header["channels"], header["arguments"])
    if isinstance(aligner, nn.Module):
        fit_weights(aligner, tensors, path)
        place(aligner, device).eval()
    return aligner
