"""One file of weights at every noise level: dB, the worst colour cast, and noise that is uneven over the image.

::

    python benchmarks/levels.py table data --weights starts/davis_levels.safetensors --plain old.safetensors --bm3d
    python benchmarks/levels.py uneven data --weights starts/davis_levels.safetensors

The folder has Kodak, BSD300/test and Set14. Weights measure the level of each image themselves; BM3D is told it; the
network of ``--plain`` sees images as they are.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from typer import Argument, Option, Typer

from self2align.denoising.inference import denoise, load_denoiser
from self2align.denoising.levels import FrameNoise
from self2align.evaluation.metrics import psnr
from self2align.images.files import read_image
from self2align.images.levels import to_levels
from self2align.methods.method import load_method
from self2align.runtime.devices import device

SETS = {"Kodak": "Kodak", "BSD300": "BSD300/test", "Set14": "Set14"}
SIGMAS = [5.0, 10.0, 15.0, 25.0, 35.0, 50.0]
CELL = 64  # px, of the means in which a cast is looked for
BANDS = 8
Image = NDArray[np.float32]
application = Typer(help=__doc__)
Folder = Annotated[Path, Argument(help="Folder of test sets.")]
Count = Annotated[int, Option(help="Images of each set, evenly spaced; 0 for all.")]
Crop = Annotated[int, Option(help="px, the middle of each image; 0 for all of it.")]
Weights = Annotated[Path, Option(help="Denoiser.")]


def images_of(folder: Path, count: int, crop: int) -> dict[str, list[Image]]:
    """Return the clean images of each set, ``(3, H, W)``."""
    found = {}
    for name, place in SETS.items():
        paths = sorted((folder / place).glob("*.*"))
        paths = paths[:: max(1, len(paths) // count)][:count] if count else paths
        found[name] = [_cut(*read_image(path), crop) for path in paths]
    return found


def _cut(pixels: NDArray[np.generic], white: float, crop: int) -> Image:
    image = (pixels / np.float32(white)).astype(np.float32)
    if len(image) == 1:
        image = image.repeat(3, axis=0)
    if not crop:
        return image
    top, left = (max(0, (side - crop) // 2) for side in image.shape[1:])
    return image[:, top : top + crop, left : left + crop]


def noisy_version(clean: Image, sigma: float | Image, seed: int) -> Image:
    """Return an image with unclipped white noise; sigma is of 255, one value or a map."""
    noise = np.random.default_rng(seed).standard_normal(clean.shape, np.float32)
    return (clean + np.float32(1 / 255) * np.asarray(sigma, np.float32) * noise).astype(np.float32)


def worst_cast(result: Image, clean: Image) -> float:
    """Return the largest shift of the mean of a cell in one channel, of 255."""
    rows, columns = (side // CELL for side in clean.shape[1:])
    away = 255 * (result - clean)[:, : rows * CELL, : columns * CELL]
    return float(np.abs(away.reshape(3, rows, CELL, columns, CELL).mean((2, 4))).max())


@application.command()
def table(
    folder: Folder,
    weights: Weights,
    plain: Annotated[Path | None, Option(help="A denoiser that is not normalised.")] = None,
    bm3d: Annotated[bool, Option("--bm3d", help="Measure BM3D too (a minute a megapixel and level).")] = False,
    count: Count = 0,
    crop: Crop = 0,
) -> None:
    """Print dB of each set at each level, and the worst cast of all."""
    methods: dict[str, Callable[[Image, float], Image]] = {"noisy": lambda noisy, _: noisy}
    if bm3d:
        method = load_method("bm3d")
        methods["BM3D, told sigma"] = lambda noisy, sigma: method.denoise(noisy, sigma)
    if plain is not None:
        methods["plain"] = _weights(plain)
    methods["normalised, level measured"] = _weights(weights)
    print("| method | set | " + " | ".join(f"{sigma:g}" for sigma in SIGMAS) + " |")
    print("|---|---|" + "--:|" * len(SIGMAS))
    sets = images_of(folder, count, crop)
    casts = {}
    for name, method_of in methods.items():
        worst: list[float] = []
        for title, images in sets.items():
            row = []
            for sigma in SIGMAS:
                found = []
                for seed, clean in enumerate(images):
                    result = method_of(noisy_version(clean, sigma, seed), sigma / 255)
                    found.append(psnr(to_levels(result), to_levels(clean)))
                    worst.append(worst_cast(result, clean) if min(clean.shape[1:]) >= CELL else 0.0)
                row.append(f"{np.mean(found):.2f}")
            print(f"| {name} | {title} | {' | '.join(row)} |", flush=True)
        casts[name] = max(worst)
    print("\nworst cast, of 255: " + ", ".join(f"{name} {value:.1f}" for name, value in casts.items()))


def _weights(path: Path) -> Callable[[Image, float], Image]:
    network, _ = load_denoiser(path, device())
    run = partial(denoise, network, square=False, device=device())
    return lambda noisy, _: run(noisy)


@application.command()
def uneven(folder: Folder, weights: Weights, count: Count = 4, crop: Crop = 256) -> None:
    """Print dB in bands of an image whose noise grows from left to right, and of the same bands under even noise."""
    network, _ = load_denoiser(weights, device())
    sums = np.zeros((BANDS, 2))
    images = [image for images in images_of(folder, count, crop).values() for image in images]
    for seed, clean in enumerate(images):
        width = clean.shape[2]
        sigma = np.linspace(5, 50, width, dtype=np.float32)
        known = FrameNoise.told(np.tile(sigma / np.float32(255), (clean.shape[1], 1)))
        result = denoise(network, noisy_version(clean, sigma, seed), square=False, device=device(), noise=known)
        for band in range(BANDS):
            part = slice(band * width // BANDS, (band + 1) * width // BANDS)
            level = float(np.sqrt(np.mean(sigma[part] ** 2)))
            told = FrameNoise.told(level / 255)
            even = denoise(network, noisy_version(clean, level, seed), square=False, device=device(), noise=told)
            for column, one in enumerate((result, even)):
                sums[band, column] += psnr(to_levels(one[..., part]), to_levels(clean[..., part])) / len(images)
    print("| sigma of the band | uneven noise | even noise | difference |\n|--:|--:|--:|--:|")
    for band, (one, other) in enumerate(sums):
        print(f"| {5 + 45 * (band + 0.5) / BANDS:.0f} | {one:.2f} | {other:.2f} | {one - other:+.2f} |")


if __name__ == "__main__":
    application()
