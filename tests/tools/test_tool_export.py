import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from self2align.denoising.onnx import TOLERANCE, largest_difference, to_onnx
from self2align.networks import NETWORKS
from self2align.networks.normalised import Normalised
from self2align.runtime.families import load
from self2align.stages.tools import export as command
from self2align.stages.tools.export import export
from self2align.stores.weights import save_weights

SMALL: dict[str, dict[str, Any]] = {
    "dncnn": {"depth": 4, "width": 8},
    "memnet": {"width": 8, "blocks": 2, "recursions": 2},
    "nafnet": {"width": 4, "encoder": [1], "middle": 1, "decoder": [1]},
    "rednet": {"width": 8, "half": 4},
    "sgn": {"width": 8, "levels": 2, "units": 1},
    "unet": {"width": 8, "depth": 2},
}


def network_of(name: str, channels: int) -> torch.nn.Module:
    """A network whose every part matters: some layers start at zero."""
    torch.manual_seed(0)
    network: torch.nn.Module = load(NETWORKS, name, "network")(channels, **SMALL[name])
    with torch.no_grad():
        for values in network.parameters():
            values.add_(0.02 * torch.randn_like(values))
    return network.eval()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    header = {"arguments": SMALL["unet"], "channels": 3, "kind": "denoiser", "network": "unet"}
    save_weights(tmp_path / "denoiser.safetensors", network_of("unet", 3).state_dict(), header)
    return tmp_path / "denoiser.safetensors"


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_gives_what_torch_gives_at_any_size(name: str) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network = network_of(name, 1)
    data = to_onnx(network, 1, {"network": name})
    sizes = [(1, 1, 33, 47), (3, 1, 24, 16), (1, 1, 40, 41)]
    assert largest_difference(data, network, {"network": name}, sizes) <= TOLERANCE
    other = network_of(name, 1)
    with torch.no_grad():
        next(iter(other.parameters())).mul_(1.5)
    assert largest_difference(data, other, {"network": name}, sizes) > TOLERANCE, "the measure sees other weights"


def test_the_file_is_whole_in_itself(weights: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    output = weights.with_name("denoiser.onnx")
    export(weights, output)
    assert sorted(path.name for path in weights.parent.iterdir()) == ["denoiser.onnx", "denoiser.safetensors"]
    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    noisy = np.zeros((1, 3, 17, 23), np.float32)
    assert session.run(None, {"noisy": noisy})[0].shape == noisy.shape
    assert session.get_inputs()[0].shape == session.get_outputs()[0].shape == ["batch", 3, "height", "width"]
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["self2align"])["network"] == "unet"
    assert told["multiple"] == "4"
    assert str(Path(command.__file__).parents[1]).encode() not in output.read_bytes(), "no path of the machine"
    assert not onnx.load(output).graph.node[0].metadata_props


def test_a_model_that_differs_is_not_written(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name)
    monkeypatch.setattr("self2align.denoising.onnx.largest_difference", lambda *_: float("nan"))
    output = weights.with_name("denoiser.onnx")
    with pytest.raises(
        ValueError, match=r"denoiser\.onnx: found a difference of nan of white from torch, .*; nothing was written"
    ):
        export(weights, output)
    assert not output.exists()


@pytest.mark.parametrize("name", ["onnx", "onnxruntime", "onnxscript"])
def test_without_a_package_the_error_names_it(weights: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for other in ("onnx", "onnxruntime", "onnxscript"):
        if other != name:
            monkeypatch.setitem(sys.modules, other, pytest)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        ValueError, match=rf"export: found no package {name} .*pip install 'self2align\[onnx\]'"
    ) as error:
        export(weights, weights.with_name("denoiser.onnx"))
    assert "\n" not in str(error.value)


def test_other_files_are_refused_before_anything_is_done(weights: Path) -> None:
    with pytest.raises(ValueError, match=r"denoiser\.pt: found suffix '\.pt', expected \.onnx"):
        export(weights, weights.with_name("denoiser.pt"))
    there = weights.with_name("there.onnx")
    there.write_text("mine")
    with pytest.raises(ValueError, match=r"there\.onnx: found a file, expected none"):
        export(weights, there)
    assert there.read_text() == "mine"


@pytest.mark.parametrize("model", ["gaussian", "none"])
def test_a_normalised_network_takes_the_level_in_any_unit(model: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    noise = {"model": model, "sigma": 25.0, "sigma_max": None, "peak": 30.0}
    header = {"network": "unet", "noise": noise}
    network = Normalised(network_of("unet", 3)).eval()
    data = to_onnx(network, 3, header)
    assert largest_difference(data, network, header, [(1, 3, 33, 47), (2, 3, 24, 16)]) <= TOLERANCE
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 3, 40, 56)).astype(np.float32)

    def denoised(images: Any, level: float) -> Any:
        inputs = {"noisy": images.astype(np.float32), "level": np.full((1, 1, 1, 1), level, np.float32)}
        return session.run(["denoised"], inputs)[0]

    np.testing.assert_allclose(denoised(1000 * noisy - 300, 100.0), 1000 * denoised(noisy, 0.1) - 300, atol=0.5)
