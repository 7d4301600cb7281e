"""Methods that are trained on one image: PSNR against iterations, with the seconds.

Run: ``python benchmarks/single_image.py IMAGE dip 1800`` or ``... self2self 3000 --crop 128 --every 100``.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from self2align.evaluation.metrics import psnr, ssim
from self2align.images.files import read_image
from self2align.images.levels import to_levels
from self2align.methods import METHODS
from self2align.methods.method import load_method
from self2align.runtime.devices import device


def main() -> None:
    """Print PSNR and SSIM at regular numbers of iterations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("method", choices=[name for name in METHODS if load_method(name).network])
    parser.add_argument("iterations", type=int)
    parser.add_argument("--sigma", type=float, default=25.0, help="of the noise, on the scale of 0 to 255")
    parser.add_argument("--crop", type=int, help="px, the centre; the whole image without")
    parser.add_argument("--every", type=int, default=100, help="iterations between two rows")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    pixels, white = read_image(chosen.image)
    clean = (pixels / np.float32(white)).astype(np.float32)
    if chosen.crop:
        top, left = ((side - chosen.crop) // 2 for side in clean.shape[1:])
        clean = clean[:, top : top + chosen.crop, left : left + chosen.crop]
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    noisy = (clean + chosen.sigma / 255 * noise).astype(np.float32)
    levels_clean, began, paused = to_levels(clean), time.perf_counter(), 0.0
    print(f"{chosen.image.name} {clean.shape}, {device()}, noisy {psnr(to_levels(noisy), levels_clean):.2f} dB\n")
    print("| iterations | PSNR, dB | SSIM | s |\n|---|---|---|---|")

    def watch(count: int, result: Callable[[], NDArray[np.float32]]) -> None:
        nonlocal paused
        if count % chosen.every and count != chosen.iterations:
            return
        asked = time.perf_counter()
        levels = to_levels(result())
        paused += time.perf_counter() - asked
        row = f"| {count} | {psnr(levels, levels_clean):.2f} | {ssim(levels, levels_clean):.3f} |"
        print(f"{row} {time.perf_counter() - began - paused:.0f} |", flush=True)

    load_method(chosen.method).denoise(noisy, chosen.sigma / 255, watch, iterations=chosen.iterations)


if __name__ == "__main__":
    main()
