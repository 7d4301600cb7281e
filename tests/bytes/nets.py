"""Weights and checkpoints: what is read equals what a plain parser reads, and nothing that is no number."""

import json
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from self2align.alignment.loading import load_aligner
from self2align.denoising.denoiser import Denoiser
from self2align.denoising.purpose import Purpose
from self2align.denoising.tiled import TiledDenoiser
from self2align.networks.unet import UNet
from self2align.report.contents import describe_weights
from self2align.stores.header import load_checked
from self2align.stores.weights import load_header, save_weights
from self2align.training.loop import _resume, _save
from tests.bytes.mutation import Draw, mutate, mutate_json
from tests.bytes.outcomes import Outcome, attempt

_HEADER: dict[str, Any] = {
    "kind": "denoiser",
    "network": "unet",
    "channels": 1,
    "arguments": {"width": 4, "depth": 1},
    "normalised": None,
    "whites": {"uint8": 255.0},
    "noise": {"model": "gaussian", "sigma": 25.0, "sigma_max": None, "peak": 30.0},
    "noise_seen": {"sigma": [2.0, 90.0], "correlated": False},
    "clipping": {"gain": 0.0, "read": 0.02, "low": True, "high": False},
    "training": {"steps": 10},
}


@cache
def _weights() -> bytes:
    """Return the weights of a small denoiser."""
    torch.manual_seed(1)
    network = UNet(1, width=4, depth=1)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_weights(path, network.state_dict(), _HEADER)
        return path.read_bytes()


def _with_header(data: bytes, draw: Draw) -> bytes:
    """Change the JSON of a file: names, types, shapes and places of its tensors, or what is said of the network."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    if draw.random() < 0.6:
        told = mutate_json(header["__metadata__"]["self2align"].encode(), draw)
        header["__metadata__"]["self2align"] = told.decode("utf-8", "replace")
        made = json.dumps(header).encode()
    else:
        made = mutate_json(json.dumps(header).encode(), draw)
    return len(made).to_bytes(8, "little") + made + data[8 + size :]


def _hostile(data: bytes, draw: Draw) -> bytes:
    if draw.random() < 0.65:
        return _with_header(data, draw)
    if draw.random() < 0.3:
        # A value that is no number, where a weight was.
        at = len(data) - 4 * int(draw.integers(1, 100))
        return data[:at] + np.array([draw.choice([np.nan, np.inf])], np.float32).tobytes() + data[at + 4 :]
    return mutate(data, ".safetensors", draw)


def _plain(path: Path) -> tuple[dict[str, bytes], Any]:
    """Parse a file without the library: names with their bytes, and our header."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    told = json.loads(header.pop("__metadata__")["self2align"])
    body = data[8 + size :]
    return {name: body[slice(*one["data_offsets"])] for name, one in header.items()}, told


def weights_case(draw: Draw, folder: Path) -> Iterator[Outcome]:
    """Load one mutated file of weights, and denoise with it."""
    path = folder / "weights.safetensors"
    path.write_bytes(_hostile(_weights(), draw))
    noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 24, 24)).astype(np.float32)

    def run() -> Any:
        Purpose.of(load_checked(path)[1])
        denoiser = TiledDenoiser.load(path, device=torch.device("cpu"), memory=2**28)
        return denoiser, denoiser(noisy)

    def right(made: Any) -> str:
        denoiser, clean = made
        if not np.isfinite(clean).all():
            return "a result that is no number"
        tensors, _ = _plain(path)
        state = denoiser.network.state_dict()
        wrong = [name for name, value in state.items() if value.numpy().tobytes() != tensors.get(name)]
        return f"other values than a plain parser finds: {wrong[:3]}" if wrong else ""

    def public() -> Any:
        return Denoiser.load(path)(noisy[0])

    def finite(clean: Any) -> str:
        return "" if np.isfinite(clean).all() else "a result that is no number"

    yield attempt("denoise", run, right, path.name)
    yield attempt("Denoiser", public, finite, path.name)
    yield attempt("inspect", lambda: list(describe_weights(path)), lambda _: "", path.name)
    yield attempt("header", lambda: load_header(path), lambda _: "", path.name)
    if draw.random() < 0.2:
        yield attempt("aligner", lambda: load_aligner(path, torch.device("cpu")), lambda _: "", path.name)


def checkpoint_case(draw: Draw, folder: Path) -> Iterator[Outcome]:
    """Go on from a mutated checkpoint."""
    path = folder / "checkpoint.safetensors"
    torch.manual_seed(0)
    network = UNet(1, width=2, depth=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    torch.autograd.backward(network(torch.rand(1, 1, 8, 8)).sum())
    optimizer.step()
    curve = [{"step": 4, "loss": 0.5, "learning_rate": 0.001}]
    _save(network, optimizer, path, {"step": 5, "curve": curve, "recent": [0.25]})
    whole = {name: value.clone() for name, value in network.state_dict().items()}
    path.write_bytes(_hostile(path.read_bytes(), draw))

    def resume() -> Any:
        return _resume(network, optimizer, path)

    def right(made: Any) -> str:
        step, rows, recent = made
        numbers = [step, *recent, *(value for row in rows for value in row.values())]
        if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in numbers) or step < 0:
            return f"figures that are none: {made}"
        tensors, _ = _plain(path)
        state = network.state_dict()
        bad = [name for name, value in state.items() if value.numpy().tobytes() != tensors.get(f"network.{name}")]
        if bad:
            return f"other values than a plain parser finds: {bad[:3]}"
        held = [value for one in optimizer.state_dict()["state"].values() for value in one.values()]
        lost = len(held) != 3 * len(whole)
        numbers_only = all(bool(torch.isfinite(value).all()) for value in (*state.values(), *held))
        return "the optimizer lost what it had" if lost else "" if numbers_only else "values that are no numbers"

    yield attempt("resume", resume, right, path.name)
