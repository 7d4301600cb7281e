"""PSNR of the first, middle and last frame of a clip: alone, with neighbours, and with neighbours as far as they help.

::

    python benchmarks/edges_in_time.py JPEGImages/480p starts/davis_levels.safetensors \
        data/train_ian/refined_dis.safetensors

Clips of seven frames of 192 x 192 px: clouds that drift and change (drawn), dissolves, and sequences of DAVIS.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typer import Argument, Option, run

from self2align.alignment.loading import load_aligner
from self2align.denoising.frames import WithNeighbours
from self2align.denoising.fusion import Pilot, fuse
from self2align.denoising.tiled import TiledDenoiser
from self2align.runtime.devices import device

FRAMES, SIDE = 7, 192
MEASURED = {"first": 0, "middle": 3, "last": 6}
SKIES = ((0.05, 25, 1.0), (0.1, 25, 1.0), (0.05, 10, 2.0))  # change a frame (radians), contrast (of 255), drift (px)


def sky(seed: int, change: float, contrast: float, drift: float) -> NDArray[np.float32]:
    """Draw clouds, ``(T, 3, H, W)``: two random fields that drift while one turns into the other."""
    draw, side = np.random.default_rng(seed), SIDE + 32
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = np.inf
    spectra = np.fft.fft2(draw.standard_normal((2, side, side))) / frequency**1.2
    first, second = (field / field.std() for field in np.fft.ifft2(spectra).real)
    frames = []
    for at in range(FRAMES):
        field = np.cos(change * at) * first + np.sin(change * at) * second
        shift = np.float32([[1, 0, -drift * at], [0, 1, -0.5 * drift * at]])
        moved = cv2.warpAffine(field, shift, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
        frames.append(np.stack([150 + contrast * moved[:SIDE, :SIDE] * part for part in (1.0, 0.9, 0.8)]))
    return np.float32(frames) / 255


def sequence(folder: Path, first: int) -> NDArray[np.float32]:
    """Read the middle of frames of a folder, ``(T, 3, H, W)``."""
    pictures = [cv2.imread(str(file))[..., ::-1] for file in sorted(folder.glob("*.jpg"))[first : first + FRAMES]]
    y, x = ((length - SIDE) // 2 for length in pictures[0].shape[:2])
    return np.float32([picture[y : y + SIDE, x : x + SIDE].transpose(2, 0, 1) for picture in pictures]) / 255


def clips(davis: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield kind and frames of each clip."""
    for seed, settings in enumerate(SKIES):
        yield "clouds", sky(seed, *settings)
    scenes = sorted(folder for folder in davis.iterdir() if folder.is_dir())
    for one, other in zip(scenes[::4], scenes[2::4], strict=False):
        start, end = sequence(one, 5)[0], sequence(other, 5)[0]
        yield "dissolve", np.stack([start + (end - start) * np.float32(at / (FRAMES - 1)) for at in range(FRAMES)])
    for folder in scenes[:8]:
        yield "DAVIS", sequence(folder, 20)


def measure(
    davis: Annotated[Path, Argument(help="Folder of sequences.")],
    weights: Annotated[Path, Argument(help="Denoiser.")],
    aligner: Annotated[Path, Argument(help="Aligner.")],
    sigmas: Annotated[str, Option(help="Levels of noise, of 255, separated by commas.")] = "10,25",
) -> None:
    """Print the mean gain over single frames, dB, and the least, by kind of clip."""
    denoiser = TiledDenoiser.load(weights, device=device(), memory=2**31)
    align = load_aligner(aligner, device())
    with_neighbours = WithNeighbours(denoiser, align, 2)

    def always(frame: Tensor) -> Pilot:
        return Pilot(torch.from_numpy(denoiser(frame.cpu().numpy())).to(device()))

    print("sigma kind     frame   always        as far as they help")
    for sigma in (float(text) for text in sigmas.split(",")):
        gains: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for number, (kind, clean) in enumerate(clips(davis)):
            noise = np.random.default_rng(number).standard_normal(clean.shape).astype(np.float32)
            noisy = clean + np.float32(sigma / 255) * noise
            placed = (torch.from_numpy(frame).to(device()) for frame in noisy)
            found = [one.cpu().numpy() for one in fuse(placed, always, align, radius=2, exposure=True)]
            guarded = list(with_neighbours(iter(noisy)))
            for name, at in MEASURED.items():
                errors = [np.square(one - clean[at]).mean() for one in (denoiser(noisy[at]), found[at], guarded[at])]
                gain = (10 * np.log10(errors[0] / errors[1]), 10 * np.log10(errors[0] / errors[2]))
                gains.setdefault((kind, name), []).append(gain)
        for (kind, name), values in gains.items():
            mean, least = np.mean(values, 0), np.min(values, 0)
            columns = "  ".join(f"{mean[at]:+.2f} ({least[at]:+.2f})" for at in (0, 1))
            print(f"{sigma:5g} {kind:8} {name:7} {columns}", flush=True)


if __name__ == "__main__":
    run(measure)
