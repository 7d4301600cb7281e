r"""Aligners on footage of cameras: ``starts/davis_motion.safetensors``, and how well it aligns beside DIS.

::

    python benchmarks/camera_alignment.py train data/DAVIS/JPEGImages/480p starts/davis_motion.safetensors
    python benchmarks/camera_alignment.py measure data/DAVIS/JPEGImages/480p blackswan car-roundabout \
        --weights starts/davis_motion.safetensors

``train`` films 12 sequences (the four of `HELD` are left out), each four times: with white noise, as pictures of a
camera, and these through H.264 at CRF 18 and 28. ``measure`` films a sequence at three exposures, as pictures and
through H.264, and prints the PSNR of its clean frames, warped by fields of the noisy ones.
"""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
from camera_clips import read_clip
from numpy.typing import NDArray
from torch import Tensor
from typer import Option, Typer

from self2align.alignment.dis import Dis
from self2align.alignment.loading import load_aligner, save_aligner
from self2align.alignment.losses.split import split
from self2align.alignment.refined_dis import RefinedDis
from self2align.evaluation.alignment_measures import aligned_psnr, warped_noise
from self2align.images.files import read_image
from self2align.media.recording import encode
from self2align.noise.camera import Camera, film
from self2align.noise.drawing import NoiseDrawing
from self2align.noise.model import FrameDraw
from self2align.noise.profile import REACH, NoiseProfile
from self2align.params.loading import load
from self2align.runtime.seeding import generator
from self2align.runtime.workers import exact_threads
from self2align.stores.codes import Coding
from self2align.training.aligner import noise_header
from self2align.training.feed import FrameFeed
from self2align.training.loop import train as descend
from self2align.training.settings import TrainingSettings

HELD = ("blackswan", "car-roundabout", "dog", "horsejump-high")
SIZE = (384, 640)
TAKEN = 12  # frames of each sequence, from its middle
LEVELS, PHOTONS = (4.0, 60.0), (80.0, 1500.0)
EXPOSURES = {"bright": 1000.0, "mid": 300.0, "dark": 100.0}
QUALITIES = (None, 18, 28)
CLASSES = 16  # of brightness
PROFILE = Path(__file__).parent.parent / "profiles" / "default.yaml"
application = Typer(help=__doc__)


@dataclass(frozen=True)
class Filmed:
    """One recording of a scene: its name, its frames ``(T, 3, H, W)`` and the noise in them."""

    name: str
    frames: NDArray[np.float32]
    noise: NoiseProfile


def clean_frames(folder: Path, count: int, first: int | None = None) -> NDArray[np.uint8]:
    """Return the middle of frames of a sequence, ``(T, H, W, 3)``; from its middle if no first one is told."""
    files = sorted(folder.glob("*.jpg"))
    start = (len(files) - count) // 2 if first is None else first
    frames = np.stack([read_image(file)[0] for file in files[start : start + count]])
    top, left = ((have - need) // 2 for have, need in zip(frames.shape[-2:], SIZE, strict=True))
    cut = frames[..., top : top + SIZE[0], left : left + SIZE[1]]
    return np.ascontiguousarray(cut.transpose(0, 2, 3, 1))


def recorded(frames: NDArray[np.uint8], quality: int | None) -> NDArray[np.float32]:
    """Return frames, ``(T, H, W, 3)``, as they are read again: ``(T, 3, H, W)``, white being 1.0."""
    if quality is None:
        return (frames.transpose(0, 3, 1, 2) / np.float32(255)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mkv"
        encode(path, frames, "h264", quality, Fraction(25), ".mkv")
        return read_clip(path)


def profile_of_draws(first: NDArray[np.float32], second: NDArray[np.float32]) -> NoiseProfile:
    """Return the noise of two draws of the same frames, ``(T, C, H, W)``: what differs between them."""
    apart = ((first - second) / math.sqrt(2)).astype(np.float64)
    shade = np.stack([[cv2.GaussianBlur(one, (0, 0), 1.5) for one in frame] for frame in (first + second) / 2])
    edges = np.quantile(shade, np.linspace(0, 1, CLASSES + 1))
    levels, variances = (edges[1:] + edges[:-1]) / 2, np.empty((apart.shape[1], CLASSES))
    for channel, out in enumerate(variances):
        part = np.clip(np.searchsorted(edges, shade[:, channel]) - 1, 0, CLASSES - 1)
        counts = np.bincount(part.ravel(), minlength=CLASSES)
        sums = np.bincount(part.ravel(), (apart[:, channel] ** 2).ravel(), CLASSES)
        known = counts > 200
        out[:] = np.interp(levels, levels[known], sums[known] / counts[known])
        apart[:, channel] /= np.sqrt(np.interp(shade[:, channel], levels, out) + 1e-12)
    apart /= np.sqrt((apart**2).mean((0, 2, 3), keepdims=True))
    height, width = (side + 2 * REACH for side in apart.shape[-2:])
    spectrum = np.fft.rfft2(apart, (height, width))
    power = np.einsum("tiyx,tjyx->ijyx", spectrum.conj(), spectrum) / len(apart)
    shared = np.fft.irfft2(power, (height, width)) / math.prod(apart.shape[-2:])
    return NoiseProfile(
        levels, variances, np.roll(shared, (REACH, REACH), (2, 3))[..., : 2 * REACH + 1, : 2 * REACH + 1]
    )


def footage(davis: Path) -> Iterator[Filmed]:
    """Yield the recordings of every sequence that is not held out; every sequence has its own camera and level."""
    for number, folder in enumerate(sorted(one for one in davis.iterdir() if one.is_dir() and one.name not in HELD)):
        draw = generator(0, "camera of", folder.name)
        sigma, photons = (low * (high / low) ** float(draw.random()) for low, high in (LEVELS, PHOTONS))
        clean = clean_frames(folder, TAKEN)
        white = NoiseProfile.white(3, 0.0, (sigma / 255) ** 2)
        noise = FrameDraw(draw).normal((TAKEN, 3, *SIZE)).astype(np.float32) * np.float32(sigma / 255)
        yield Filmed(f"{folder.name}, white {sigma:.1f}", recorded(clean, None) + noise, white)
        camera = Camera(peak=photons, demosaic=("edge_aware", "bilinear")[number % 2])
        draws = [film(camera, clean, seed, folder.name) for seed in (0, 1)]
        for quality in QUALITIES:
            one, other = (recorded(frames, quality) for frames in draws)
            yield Filmed(f"{folder.name}, {camera.describe()}, CRF {quality}", one, profile_of_draws(one, other))


@application.command()
def train(
    davis: Path, out: Path, steps: int = 1500, seed: int = 0, threads: Annotated[int, Option(help="CPU threads.")] = 1
) -> None:
    """Film the sequences and train an aligner on the recordings."""
    settings = _settings(steps, threads)
    filmed = list(footage(davis))
    feed = FrameFeed(
        [{"frames": one.frames} for one in filmed],
        [Coding("float32", 1.0)] * len(filmed),
        {"target": ("frames", 0), "source": ("frames", 1)},
        crop=settings.crop,
        batch=settings.batch,
        seed=seed,
        purpose="camera alignment",
        noise=[NoiseDrawing(one.noise, settings.crop, settings.crop) for one in filmed],
    )
    torch.manual_seed(seed)
    network = RefinedDis(3)
    with tempfile.TemporaryDirectory() as scratch, exact_threads(threads):
        descend(
            network,
            split,
            feed,
            settings,
            bfloat16=False,
            device=torch.device("cpu"),
            seed=seed,
            purpose="camera alignment",
            checkpoint=Path(scratch) / "checkpoint.safetensors",
            validation=[],
            watch=lambda done, loss, _: print(done, f"{loss:.5f}", flush=True) if done % 100 == 0 else None,
        )
    save_aligner(out, network.eval(), header([one.noise for one in filmed], settings, seed))


def _settings(steps: int, threads: int) -> TrainingSettings:
    row = load(PROFILE).train_ian.aligners["refined_dis"].training
    assert row is not None
    return row.model_copy(update={"steps": steps, "threads": threads}).settings()


def header(noise: list[NoiseProfile], settings: TrainingSettings, seed: int) -> dict[str, Any]:
    """Return what the weights say of themselves."""
    made: dict[str, Any] = {"aligner": "refined_dis", "arguments": {"levels": 1, "start": "dis"}, "channels": 3}
    return made | {"loss": "split", "noise": noise_header(noise), "seed": seed, "training": asdict(settings)}


@application.command()
def measure(
    davis: Path,
    scenes: list[str],
    weights: Annotated[Path, Option(help="Of the aligner.")] = Path("starts/davis_motion.safetensors"),
    pairs: int = 4,
    frames: int = 24,
) -> None:
    """Print dB of aligned clean frames, noise ratio and correlation with the target's noise, one and two frames apart.

    The noise is what differs between two draws. Ratio and correlation are those beyond a field of the clean frames.
    """
    torch.set_num_threads(1)
    methods: dict[str, Any] = {"DIS": Dis(3, blur=1.0), weights.stem: load_aligner(weights, torch.device("cpu"))}
    print("| scene | exposure | CRF | apart | method | dB | noise ratio | correlation |")
    print("| --- | --- | --- | --- | --- | --: | --: | --: |")
    for scene in scenes:
        clean = clean_frames(davis / scene, frames, 0)
        for exposure, photons in EXPOSURES.items():
            draws = [film(Camera(peak=photons), clean, seed, scene) for seed in (7, 8)]
            for quality in QUALITIES:
                noisy, other = (recorded(one, quality) for one in draws)
                for apart in (1, 2):
                    places = np.linspace(1, frames - 1 - apart, pairs).astype(int)
                    found = [_measured(methods, recorded(clean, None), noisy, other, at, at + apart) for at in places]
                    for name in methods:
                        values = np.mean([one[name] for one in found], 0)
                        cells = f"{values[0]:.2f} | {values[1]:.3f} | {values[2]:.4f}"
                        print(f"| {scene} | {exposure} | {quality} | {apart} | {name} | {cells} |", flush=True)


@torch.no_grad()
def _measured(
    methods: dict[str, Any],
    clean: NDArray[np.float32],
    noisy: NDArray[np.float32],
    other: NDArray[np.float32],
    target: int,
    source: int,
) -> dict[str, tuple[float, ...]]:
    def both(stack: NDArray[np.float32]) -> list[Tensor]:
        return [torch.from_numpy(np.ascontiguousarray(stack[at]))[None] for at in (target, source)]

    still, seen, unseen = both(clean), both(noisy), both(other)
    noise = [a - b for a, b in zip(seen, unseen, strict=True)]
    ratio, shared = warped_noise(*noise, Dis(3, blur=0.0)(*still))
    found = {}
    for name, align in methods.items():
        field = align(*seen)
        own = warped_noise(*noise, field)
        # Half of the difference is noise that the aligner has seen.
        found[name] = (aligned_psnr(*still, field), own[0] / ratio, 2 * (own[1] - shared))
    return found


if __name__ == "__main__":
    application()
