"""Measuring denoisers on held-out frames whose clean frames are known. No training reads these figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.inference import denoise, load_denoiser
from self2align.evaluation.metrics import psnr, ssim
from self2align.images.levels import to_levels
from self2align.noise.model import NoiseSettings
from self2align.runtime.devices import device
from self2align.runtime.progress import Progress
from self2align.runtime.spacing import evenly_spaced
from self2align.runtime.workers import run_tasks
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
    for frame in evenly_spaced(scene.count, count).tolist():
        clean = to_levels(clean_store.frames(clean_scene, frame, frame + 1)[0])
        image = store.frames(scene, frame, frame + 1)[0]
        shown: dict[str, NDArray[np.float32]] = {NOISY: image}
        for name, network in networks.items():
            shown[name] = denoise(network, image, square=False, device=device())
        for name, result in shown.items():
            levels = to_levels(result)
            found.setdefault(name, []).append((psnr(levels, clean), ssim(levels, clean)))
    return {name: (float(np.mean(rows, 0)[0]), float(np.mean(rows, 0)[1])) for name, rows in found.items()}


@dataclass(frozen=True)
class HeldOutResults:
    """PSNR (dB) and SSIM of denoisers on held-out frames.

    Attributes
    ----------
    skipped
        Why nothing was measured; None if something was.
    rows
        One per denoiser and scene: denoiser, scene, PSNR, SSIM.
    means
        Denoiser -> "psnr", "ssim": means over scenes; the first is the noisy frames themselves.
    """

    skipped: str | None
    rows: list[list[str]]
    means: dict[str, dict[str, float]]


def evaluate_denoisers(
    noisy: Path, frames: Path, denoisers: Mapping[str, Path], *, frames_per_scene: int, progress: Progress
) -> HeldOutResults:
    """Measure denoisers on the scenes with the role test.

    Parameters
    ----------
    noisy, frames
        Store of noisy frames; folder of stores of clean ones.
    denoisers
        Name -> weights.
    frames_per_scene
        Frames of each scene, evenly spaced; at most so many.
    progress
        Called with scenes done and all scenes.
    """
    store = FrameStore(noisy)
    scenes = store.with_role("test")
    real = not NoiseSettings.recorded(store.attributes).at().synthetic
    if real or not scenes:
        why = "the footage has no clean frames" if real else "there is no scene with the role test"
        return HeldOutResults(why, [], {})
    tasks = [(noisy, frames, dict(denoisers), scene.title, frames_per_scene) for scene in scenes]
    results = run_tasks(measure_scene, tasks, progress)
    rows = [
        [name, scene.title, f"{figures[0]:.4f}", f"{figures[1]:.5f}"]
        for scene, measured in zip(scenes, results, strict=True)
        for name, figures in measured.items()
    ]
    sums = {name: [sum(one[name][k] for one in results) for k in (0, 1)] for name in (NOISY, *denoisers)}
    means = {
        name: {"psnr": round(both[0] / len(scenes), 4), "ssim": round(both[1] / len(scenes), 5)}
        for name, both in sums.items()
    }
    return HeldOutResults(None, rows, means)
