"""Estimated over true noise levels, for white Gaussian noise on clean images and sequences.

::

    python benchmarks/noise_estimation.py shared/data/Kodak shared/data/BSD300/test --count 100

Each folder is searched for images, of which ``--count`` are taken, evenly spaced. With ``--frames 5`` each estimate is
made from that many successive images of one folder.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typer import Argument, Option, run

from self2align.noise.estimation.estimate import estimate_noise
from self2align.runtime.spacing import evenly_spaced

Values = NDArray[np.float32]
SIGMAS = (2, 3, 5, 10, 15, 25, 35, 50, 75)
NEAR = 0.03


def load(paths: list[Path], halved: bool, gray: bool) -> Values:
    """Return images, ``(T, C, H, W)``, white being 1.0."""
    images = [Image.open(path).convert("L" if gray else "RGB") for path in paths]
    frames = np.stack([np.atleast_3d(np.asarray(image, np.float32)) for image in images]).transpose(0, 3, 1, 2) / 255
    if not halved:
        return np.ascontiguousarray(frames)
    height, width = (side // 2 * 2 for side in frames.shape[-2:])
    cut = frames[..., :height, :width].reshape(*frames.shape[:2], height // 2, 2, width // 2, 2)
    return np.asarray(cut.mean((3, 5)))


def measure(clean: Values, sigma: float, clipped: bool, seed: int) -> tuple[float, bool]:
    """Return estimated over true standard deviation, and whether the estimate is certain."""
    noise = np.random.default_rng(seed).standard_normal(clean.shape, np.float32)
    noisy = clean + np.float32(sigma / 255) * noise
    step = 1 / 255 if clipped else 0.0
    if clipped:
        noisy = np.rint(255 * noisy.clip(0, 1)) / np.float32(255)
    found = estimate_noise(noisy, step)
    return found.sigma / float(np.sqrt((sigma / 255) ** 2 + step**2 / 12)), getattr(found, "certain", True)


def main(
    folders: Annotated[list[Path], Argument(help="Folders of clean images.")],
    count: Annotated[int, Option(help="Number of images or sequences of each folder.")] = 40,
    frames: Annotated[int, Option(help="Number of frames that an estimate is made from.")] = 1,
    halved: Annotated[bool, Option(help="Average 2 x 2 px: sharper and cleaner.")] = False,
    gray: Annotated[bool, Option(help="Measure gray images.")] = False,
    sigmas: Annotated[str, Option(help="Noise levels of 255, separated by commas.")] = ",".join(map(str, SIGMAS)),
) -> None:
    """Print median and quantiles of the ratio, shares of images within 3 %, and what is certain."""
    for folder in folders:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))
        starts = [at for at in range(len(paths) - frames + 1) if paths[at].parent == paths[at + frames - 1].parent]
        chosen = [starts[at] for at in evenly_spaced(len(starts), count)]
        images = [load(paths[at : at + frames], halved, gray) for at in chosen]
        own = [255 * estimate_noise(clean, 1 / 255).sigma for clean in images]
        print(f"{folder}: {len(images)} of {frames}, own noise", *np.quantile(own, (0.05, 0.5, 0.95)).round(2))
        print("          sigma  median     5 %    95 %  within  certain  certain and within")
        for clipped in (False, True):
            for sigma in map(float, sigmas.split(",")):
                rows = [measure(clean, sigma, clipped, at) for at, clean in enumerate(images)]
                ratio, certain = np.array(rows).T
                near = np.abs(ratio - 1) <= NEAR
                low, middle, high = np.quantile(ratio, (0.05, 0.5, 0.95))
                print(
                    f"{'8 bit' if clipped else 'float':8} {sigma:6g} {middle:7.3f} {low:7.3f} {high:7.3f} "
                    f"{near.mean():7.0%} {certain.mean():8.0%} {near[certain > 0].mean() if certain.any() else 1:8.0%}",
                    flush=True,
                )


if __name__ == "__main__":
    run(main)
