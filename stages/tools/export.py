"""export WEIGHTS OUTPUT: a denoiser as an ONNX model, checked against torch."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def export(
    weights: Annotated[Path, Argument(help="Denoiser (.safetensors).")],
    output: Annotated[Path, Argument(help="Model to write (.onnx).")],
    overwrite: Annotated[bool, Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a denoiser as ONNX for images of any size, once onnxruntime matches torch."""
    from self2align.stores.presence import check_weights

    if output.suffix != ".onnx":
        raise ValueError(f"{output}: found suffix {output.suffix!r}, expected .onnx")
    if output.exists() and not overwrite:
        raise ValueError(f"{output}: found a file, expected none (--overwrite replaces it)")
    check_weights(weights)

    import torch

    from self2align.denoising.inference import load_denoiser
    from self2align.denoising.onnx import TOLERANCE, check_packages, largest_difference, to_onnx
    from self2align.networks.network import multiple_of
    from self2align.networks.normalised import Normalised
    from self2align.report.contents import size_text
    from self2align.runtime.scratch import write_atomically
    from self2align.stages.screen import say

    network, header = load_denoiser(weights, torch.device("cpu"))
    check_packages()
    channels, multiple = header["channels"], multiple_of(network)
    data = to_onnx(network, channels, header)
    sizes = [(1, channels, 4 * multiple + 30, 3 * multiple + 47), (2, channels, multiple + 16, 2 * multiple + 16)]
    difference = largest_difference(data, network, header, sizes)
    if not difference <= TOLERANCE:
        raise ValueError(
            f"{output}: found a difference of {difference:.2g} of white from torch, expected at most {TOLERANCE:g}; "
            "nothing was written"
        )
    write_atomically(output, data)
    unit = "any unit, with level (N, 1, 1, 1)" if isinstance(network, Normalised) else "white 1.0"
    say(f"{output}: {size_text(len(data))}, float32 (N, {channels}, H, W), {unit}, sides from {max(multiple, 1)} px")
    say(f"onnxruntime and torch differ by {difference:.1e} of white at most (limit {TOLERANCE:g})")
