"""Denoising images with a trained network."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from self2align.denoising.levels import FrameNoise, as_batch, frame_noise
from self2align.denoising.stein import noise_share
from self2align.networks import NETWORKS
from self2align.networks.network import build_network, multiple_of
from self2align.networks.normalised import LEVEL, Normal, Normalised, normal, without_cast, without_detail
from self2align.runtime.devices import place
from self2align.runtime.families import check_arguments, load
from self2align.stores.header import load_checked
from self2align.stores.weights import check_fit, fit_weights

Image = NDArray[np.float32]
MARGIN = 16  # px
ALIKE = 0.9  # of the channels are copies of one: nearly all
MIDDLE = 0.5  # of the range that a network was trained on which is not normalised


def load_denoiser(path: Path, device: torch.device) -> tuple[nn.Module, dict[str, Any]]:
    """Return a network with its weights, ready to denoise, and its header; of a bundle, its denoiser.

    Raises
    ------
    ValueError
        If the file is no denoiser, or was trained for another level of normalised noise.
    """
    tensors, header = load_checked(path)
    level = header.get("normalised")
    if level not in (None, LEVEL):
        raise ValueError(f"{path}: normalised: found {level}, expected {LEVEL}")
    with torch.device("meta"):  # sizes that a file only claims take no memory
        check_fit(_built(path, header), tensors, path)
    network = _built(path, header)
    fit_weights(network, tensors, path)
    return place(network, device).eval(), header


def _built(path: Path, header: Mapping[str, Any]) -> nn.Module:
    """Return the network that a header names, not yet trained."""
    name, arguments = header["network"], header["arguments"]
    check_arguments(load(NETWORKS, name, f"{path}: network"), arguments, f"{path}: arguments")
    try:
        network = build_network(name, header["channels"], arguments)
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"{path}: found arguments {arguments} ({text}), expected those of a {name}") from error
    return network if header.get("normalised") is None else Normalised(network)


def core(network: nn.Module) -> nn.Module:
    """Return the network that sees normalised images; of a network that is not normalised, itself."""
    return network.network if isinstance(network, Normalised) else network


def denoise_at_level(
    network: nn.Module,
    noisy: Image,
    noise: FrameNoise,
    run: Callable[[Image], Image],
    *,
    trained: float | None = None,
    exact: bool = True,
    copies: float = 1,
) -> Image:
    """Denoise an image of known noise.

    Parameters
    ----------
    network
        Normalised, or not.
    noisy
        ``(C, H, W)``, white being 1.0, unclipped.
    noise
        Of the image.
    run
        Applies `core` of the network to an image of any size, ``(C, H, W)``.
    trained
        The level of noise that a network that is not normalised was trained on, white being 1.0: the image is brought
        to that. None to leave it as it is.
    exact
        Whether the level of the noise is that of the training: there it was known, not measured.
    copies
        So many channels are copies of one, noise included, which is then stronger along gray than that of independent
        channels, by the root of this number. At least what `FrameNoise.shared` tells.

    Returns
    -------
    ndarray
        ``(C, H, W)``. No area changes its mean by more than noise does, nor, if the level is exact and the noise of
        neighbouring pixels independent, by more than its variance.
    """
    if noise.nothing:
        return noisy.copy()
    batch = as_batch(noisy)
    level = noise.level(batch)
    copies = max(copies, 1 + (len(noisy) - 1) * noise.shared)
    if isinstance(network, Normalised) or trained is not None:
        seen, middle = normal(batch, copies**0.5 * level if exact else level), 0.0
        if trained is not None:
            factor, middle = trained / LEVEL, MIDDLE
            seen = Normal(seen.images * factor + middle, seen.mean, seen.scale * factor)
        shown = seen.images[0].numpy()
        made = run(shown)
        clean = seen.undo(as_batch(made) - middle)
    else:
        clean = as_batch(run(noisy))
    if exact and noise.blotched == 1.0:
        # Of noise that channels share in part nothing is known from the outside.
        told = isinstance(network, Normalised) and (copies == 1 or copies > ALIKE * len(noisy))
        share = noise_share(shown, made, run, copies) if told else None
        clean = without_detail(batch, clean, level) if share is None else batch - share * (batch - clean)
    result: Image = without_cast(batch, clean, noise.blotched * level)[0].numpy()
    return result if noise.known is None else np.where(noise.known > 0, result, noisy)


@torch.inference_mode()
def denoise(
    network: nn.Module, noisy: Image, *, square: bool, device: torch.device, noise: FrameNoise | None = None
) -> Image:
    """Denoise one image.

    Parameters
    ----------
    network
        See `self2align.networks.network.Network`; one that is not normalised gets the image as it is.
    noisy
        ``(C, H, W)``, white being 1.0, unclipped.
    square
        Whether to reflect-pad to a square whose side is a multiple of 32, as the benchmark's protocol does; else to the
        network's next multiple.
    noise
        Of the image; None to measure it. Only normalised networks need it.

    Returns
    -------
    ndarray
        ``(C, H, W)``, float32, unclipped.
    """

    def run(image: Image) -> Image:
        return _padded(core(network), image, square=square, margin=margin_of(network), device=device)

    if not isinstance(network, Normalised):
        return run(noisy)
    return denoise_at_level(network, noisy, frame_noise(noisy) if noise is None else noise, run)


def _padded(network: nn.Module, image: Image, *, square: bool, margin: int, device: torch.device) -> Image:
    """Return what a network makes of an image that is padded for it."""
    _, height, width = image.shape
    multiple = multiple_of(network)
    padding: tuple[tuple[int, int], ...]
    if square:
        step, margin = math.lcm(32, multiple), 0
        side = -(-max(height, width) // step) * step
        padding = ((0, 0), (0, side - height), (0, side - width))
    else:
        padding = framed(height, width, multiple, margin)
    # NumPy repeats the reflection if an image is smaller than its padding.
    padded = np.pad(image, padding, mode="reflect")
    batch = torch.from_numpy(padded)[None].to(device, memory_format=torch.channels_last)
    inside = (slice(margin, margin + height), slice(margin, margin + width))
    clean: Image = network(batch)[0, :, *inside].float().cpu().numpy()
    return clean


def framed(height: int, width: int, multiple: int, margin: int) -> tuple[tuple[int, int], ...]:
    """Return the padding of an image: a margin on all sides, then to a multiple."""
    sides = ((margin, margin + -(length + 2 * margin) % multiple) for length in (height, width))
    return ((0, 0), *sides)


def margin_of(network: nn.Module) -> int:
    """Return the margin, px, mirrored around what a network sees: at an edge it knows less and does worse."""
    return MARGIN if isinstance(network, Normalised) else 0
