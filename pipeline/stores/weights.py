"""Weights at rest: safetensors with one header key of canonical JSON. Pickle is never read."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from self2align.runtime.scratch import write_atomically
from self2align.stores.presence import check_weights

BUNDLE = "bundle"
CONTENT = "content"  # of the header: a digest of the tensors
KEY = "self2align"  # one key: with two or more the file's bytes are not deterministic


def save_weights(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a header of JSON values; the file is there whole or not at all."""
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    told = {**header, CONTENT: _digest(held)}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)
    write_atomically(path, save(held, metadata={KEY: text}))


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors, with their names and types."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and header.

    Raises
    ------
    ValueError
        If the file is missing, damaged, or was not written by `save_weights`.
    """
    return _read(path, with_tensors=True)


def load_header(path: Path) -> dict[str, Any]:
    """Return the header alone; no tensor is read.

    Raises
    ------
    ValueError
        As `load_weights`.
    """
    return _read(path, with_tensors=False)[1]


def _read(path: Path, *, with_tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    check_weights(path)
    tensors = {}
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(KEY, "null"))
            if with_tensors:
                # Copied, not mapped: the file may be replaced while the tensors are in use.
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        size = path.stat().st_size
        text = " ".join(str(error).split())
        raise ValueError(
            f"{path}: found {size} bytes that are no safetensors file ({text}), expected weights from training"
        ) from error
    if not isinstance(header, dict):
        raise ValueError(f"{path}: found a safetensors file without the header {KEY!r}, expected weights of self2align")
    expected = header.pop(CONTENT, None)  # weights of the first releases tell none
    if with_tensors and expected is not None and _digest(tensors) != expected:
        raise ValueError(
            f"{path}: found tensors whose digest is not the one in the header: the file is damaged; "
            "`self2align doctor` says how to restore it"
        )
    return tensors, header


def load_part(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and header of one kind of network: a file of its own, or a part of a bundle.

    Parameters
    ----------
    path
        Weights.
    kind
        "denoiser" or "aligner".

    Raises
    ------
    ValueError
        When the file is of another kind, or a bundle without such a part; and see `load_weights`.
    """
    tensors, header = load_weights(path)
    stored = header.get("kind")
    parts = header.get("parts") if stored == BUNDLE else None
    if isinstance(parts, dict) and isinstance(parts.get(kind), dict):
        prefix = f"{kind}."
        return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}, parts[kind]
    if stored != kind:
        raise ValueError(f"{path}: found weights of kind {stored!r}, expected {kind!r}")
    return tensors, header


def save_bundle(path: Path, parts: Mapping[str, Path]) -> None:
    """Write networks that belong together, with their headers, as one file.

    Parameters
    ----------
    path
        To write.
    parts
        Kind -> weights.

    Raises
    ------
    ValueError
        See `load_part`.
    """
    loaded = {kind: load_part(file, kind) for kind, file in parts.items()}
    tensors = {f"{kind}.{name}": value for kind, (held, _) in loaded.items() for name, value in held.items()}
    save_weights(path, tensors, {"kind": BUNDLE, "parts": {kind: header for kind, (_, header) in loaded.items()}})


def check_fit(network: torch.nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Check tensors against those of a network, which may be on the device "meta": without any memory.

    Raises
    ------
    ValueError
        When names or shapes differ, of which the first is named, or values are not finite.
    """
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise ValueError(
            f"{path}: {len(wrong)} tensors do not fit the network; {name}: found {found.get(name)}, "
            f"expected {expected.get(name)}"
        )
    odd = sorted(name for name, value in tensors.items() if not bool(value.isfinite().all()))
    if odd:
        raise ValueError(f"{path}: found values in {odd[0]} that are not finite, expected none")


def fit_weights(network: torch.nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put tensors into a network; see `check_fit`."""
    check_fit(network, tensors, path)
    network.load_state_dict(dict(tensors))
