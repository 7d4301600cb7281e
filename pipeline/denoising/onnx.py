"""A trained denoiser as an ONNX model, for programs without torch.

The input ``noisy`` and the output ``denoised`` are float32 ``(N, C, H, W)``, unclipped. N is free; H and W are free
from the network's ``multiple`` on: the model pads by reflection and crops the result, as
`self2align.denoising.inference.denoise` does. A normalised network has a second input, ``level (N, 1, 1, 1)``: the
standard deviation of the noise of each image, in the unit of its values, which may be any. Other networks expect white
to be 1.0. The header of the weights is its metadata.

The packages are an optional extra, ``pip install 'self2align[onnx]'``.
"""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from self2align.denoising.inference import core
from self2align.denoising.tiled import level_was_known
from self2align.networks.network import multiple_of
from self2align.networks.normalised import LEVEL, Normalised, normal, without_cast, without_detail
from self2align.stores.weights import KEY

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
TOLERANCE = 1e-4  # of white, from torch's result: a fortieth of a level of 255
INPUTS = ("noisy", "level")
AXES = {0: "batch", 2: "height", 3: "width"}


class AnySize(nn.Module):
    """A network for images of any size from ``multiple`` on."""

    def __init__(self, network: nn.Module, exact: bool) -> None:
        super().__init__()
        self.exact = exact
        self.network = network
        self.multiple = multiple_of(network)

    def forward(self, noisy: Tensor, level: Tensor | None = None) -> Tensor:
        """Denoise ``(N, C, H, W)``; H and W from ``multiple`` on; a normalised network needs the level of the noise."""
        if level is None:
            return self._padded(noisy)
        seen = normal(noisy, level)
        clean = seen.undo(self._padded(seen.images))
        if self.exact:
            clean = without_detail(noisy, clean, level)
        return without_cast(noisy, clean, level)

    def _padded(self, images: Tensor) -> Tensor:
        network = core(self.network)
        if self.multiple == 1:
            whole: Tensor = network(images)
            return whole
        height, width = images.shape[-2:]
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        padded: Tensor = network(functional.pad(images, padding, mode="reflect"))
        return padded[..., :height, :width]


def check_packages() -> None:
    """Check that the packages are installed.

    Raises
    ------
    ValueError
        If one of them is not.
    """
    for name in PACKAGES:
        try:
            import_module(name)
        except ImportError as error:
            raise ValueError(
                f"export: found no package {name} ({error}), expected it installed: pip install 'self2align[onnx]'"
            ) from error


def to_onnx(network: nn.Module, channels: int, header: Mapping[str, Any]) -> bytes:
    """Return a network as an ONNX file's bytes.

    Parameters
    ----------
    network
        On the CPU, in evaluation mode.
    channels
        C of its images.
    header
        Of its weights, kept as the metadata ``self2align``, in JSON.
    """
    import onnx

    whole = AnySize(network, level_was_known(header)).eval()
    # Sides that are no multiple and differ from each other; otherwise the exporter takes them for constants.
    example = torch.zeros(2, channels, 5 * whole.multiple + 3, 6 * whole.multiple + 1)
    inputs: tuple[Tensor, ...] = (example,)
    free: list[dict[int, Any]] = [dict.fromkeys(AXES, torch.export.Dim.DYNAMIC)]
    if isinstance(network, Normalised):
        inputs = (example, torch.full((2, 1, 1, 1), LEVEL))
        free.append({0: torch.export.Dim.DYNAMIC})
    with _quiet(), torch.inference_mode():
        program = torch.onnx.export(
            whole,
            inputs,
            dynamo=True,
            input_names=list(INPUTS[: len(inputs)]),
            output_names=["denoised"],
            dynamic_shapes=tuple(free),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _name_axes(model.graph)
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        # Paths of the source code on this machine.
        del item.metadata_props[:]
    text = json.dumps(dict(header), sort_keys=True, separators=(",", ":"))
    onnx.helper.set_model_props(model, {KEY: text, "multiple": str(whole.multiple)})
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _name_axes(graph: Any) -> None:
    """Give the free axes their names; the exporter numbers them."""
    shape = graph.input[0].type.tensor_type.shape.dim
    names = {shape[axis].dim_param: name for axis, name in AXES.items()}
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in names:
                dimension.dim_param = names[dimension.dim_param]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's notes on packages that are not needed and on its own deprecations."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def largest_difference(
    data: bytes, network: nn.Module, header: Mapping[str, Any], sizes: Sequence[tuple[int, int, int, int]]
) -> float:
    """Return the largest difference between onnxruntime and torch on random images, white being 1.0.

    Parameters
    ----------
    data
        An ONNX file.
    network
        The exported network.
    header
        Of its weights.
    sizes
        ``(N, C, H, W)`` of the images, noise of a quarter of white on a smooth ramp.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    draw, most = np.random.default_rng(0), 0.0
    whole = AnySize(network, level_was_known(header)).eval()
    for size in sizes:
        ramp = np.linspace(0, 1, size[-1], dtype=np.float32)
        noisy = ramp + np.float32(0.25) * draw.standard_normal(size, np.float32)
        images = {"noisy": noisy}
        if isinstance(network, Normalised):
            images["level"] = np.full((size[0], 1, 1, 1), 0.25, np.float32)
        (found,) = session.run(["denoised"], images)
        with torch.inference_mode():
            expected = whole(*map(torch.from_numpy, images.values())).numpy()
        assert found.shape == expected.shape
        most = max(most, float(np.abs(found - expected).max()))
    return most
