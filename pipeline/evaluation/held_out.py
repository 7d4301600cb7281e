"""Measuring denoisers on held-out frames whose clean form is known; nothing here feeds a training."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.inference import denoise, load_denoiser
from self2align.evaluation.metrics import psnr, ssim
from self2align.images.levels import to_levels
from self2align.runtime.devices import device
from self2align.stores.frames import FrameStore

NOISY = "noisy"
Figures = dict[str, tuple[float, float]]


def measure_scene(noisy: Path, frames: Path, denoisers: dict[str, Path], title: str, count: int) -> Figures:
    """Return mean PSNR (dB) and SSIM over frames of one scene: of the noisy frames, and of each denoiser.

    Parameters
    ----------
    noisy, frames
        Store of noisy frames, the very ones that the pipeline made; folder of stores of clean ones.
    denoisers
        Name -> weights.
    title
        Of the scene.
    count
        At most so many frames, spread over the scene.
    """
    store = FrameStore(noisy)
    scene = store.scene(title)
    clean_store = FrameStore(frames / f"{scene.source}.zarr")
    clean_scene = clean_store.scene(title)
    networks = {name: load_denoiser(path, device())[0] for name, path in denoisers.items()}
    found: dict[str, list[tuple[float, float]]] = {}
    for frame in np.unique(np.linspace(0, scene.count - 1, min(count, scene.count)).round().astype(int)).tolist():
        clean = to_levels(clean_store.frames(clean_scene, frame, frame + 1)[0])
        image = store.frames(scene, frame, frame + 1)[0]
        shown: dict[str, NDArray[np.float32]] = {NOISY: image}
        for name, network in networks.items():
            shown[name] = denoise(network, image, square=False, device=device())
        for name, result in shown.items():
            levels = to_levels(result)
            found.setdefault(name, []).append((psnr(levels, clean), ssim(levels, clean)))
    return {name: (float(np.mean(rows, 0)[0]), float(np.mean(rows, 0)[1])) for name, rows in found.items()}
