"""Denoising images with a trained network."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from self2align.networks.network import build_network, multiple_of
from self2align.runtime.devices import place
from self2align.stores.weights import fit_weights, load_part


def load_denoiser(path: Path, device: torch.device) -> tuple[nn.Module, dict[str, Any]]:
    """Return a network with its weights, ready to denoise, and its header; of a bundle, its denoiser.

    Raises
    ------
    ValueError
        If the file is no denoiser.
    """
    tensors, header = load_part(path, "denoiser")
    network = build_network(header["network"], header["channels"], header["arguments"], f"{path}: network")
    fit_weights(network, tensors, path)
    return place(network, device).eval(), header


@torch.inference_mode()
def denoise(
    network: nn.Module, noisy: NDArray[np.float32], *, square: bool, device: torch.device
) -> NDArray[np.float32]:
    """Denoise one image.

    Parameters
    ----------
    network
        See `self2align.networks.network.Network`.
    noisy
        ``(C, H, W)``, white being 1.0, unclipped.
    square
        Whether to reflect-pad to a square whose side is a multiple of 32, as the benchmark's protocol does; else to the
        network's next multiple.

    Returns
    -------
    ndarray
        ``(C, H, W)``, float32, unclipped.
    """
    _, height, width = noisy.shape
    multiple = multiple_of(network)
    if square:
        step = math.lcm(32, multiple)
        side = -(-max(height, width) // step) * step
        bottom, right = side - height, side - width
    else:
        bottom, right = -height % multiple, -width % multiple
    # NumPy repeats the reflection if an image is smaller than its padding.
    padded = np.pad(noisy, ((0, 0), (0, bottom), (0, right)), mode="reflect")
    batch = torch.from_numpy(padded)[None].to(device, memory_format=torch.channels_last)
    clean: NDArray[np.float32] = network(batch)[0, :, :height, :width].float().cpu().numpy()
    return clean
