"""The CPU seconds and rates that docs/scale.md takes as measured, on one core, in less than a minute.

::

    OMP_NUM_THREADS=1 python benchmarks/scale_measured.py

CPU seconds are those of this process, which other work on the machine changes little; the median of three.
"""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from self2align.alignment.aligned import align_both
from self2align.alignment.loading import load_aligner
from self2align.denoising.tiled import TiledDenoiser
from self2align.noise.model import NoiseSettings
from self2align.noise.synthesis import add_noise
from self2align.pairs.generate import crop_rows
from self2align.pairs.plan import PairCrop
from self2align.runtime.progress import ignore, silent
from self2align.runtime.workers import exact_threads
from self2align.stores.codes import Coding
from self2align.stores.frames import FrameStore, Part, SceneRecord, write_frames

STARTS = Path(__file__).parents[1] / "starts"
NOISE = NoiseSettings("gaussian", 25.0, None, 30.0)
FRAMES, HEIGHT, WIDTH = 16, 480, 854
CROPS, CROP, MARGIN, SIDE = 8, 128, 16, 256
HASHED = 2**28  # bytes
CPU = torch.device("cpu")


def smooth(frame: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Return a frame of a texture that moves by half a pixel a frame, ``(3, H, W)``."""
    y, x = np.mgrid[:height, :width] + 0.5 * frame
    waves = np.sin(x / 5) * np.cos(y / 7) + np.sin((x + y) / 11)
    return (128 + 40 * np.stack([waves, waves * 0.8, waves * 0.6])).astype(np.uint8)


def noisy(frame: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.float32]:
    """Return such a frame with white noise of 25 of 255, ``(3, H, W)``, white being 1.0."""
    noise = 25 / 255 * np.random.default_rng(frame).standard_normal((3, height, width))
    return (smooth(frame, height, width) / 255 + noise).astype(np.float32)


def spent(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work, user and system: the median of three."""
    found = []
    for _ in range(3):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return median(found)


def measure_stores(folder: Path) -> None:
    """Print what writing a store of frames and adding noise to it take."""
    frames = np.stack([smooth(number) for number in range(FRAMES)])

    def fetch(part: Part, start: int, stop: int) -> NDArray[Any]:
        return frames[start:stop]

    part = Part(
        SceneRecord("clip", "0", ("align", "pairs"), "", 0, FRAMES, HEIGHT, WIDTH), Coding("uint8", 1 / 255), 3, ""
    )
    numbers = iter(range(6))

    def ingest() -> None:
        number = next(numbers)
        scratch = folder / f"scratch{number}"
        scratch.mkdir()
        write_frames(folder / f"clean{number}.zarr", [part], fetch, {"noise": {}}, scratch, ignore)

    def synthesize() -> None:
        out = folder / f"noisy{next(numbers)}.zarr"
        add_noise([FrameStore(folder / "clean0.zarr")], noise=NOISE, seed=0, out=out, bars=silent)

    megapixels = FRAMES * HEIGHT * WIDTH / 1e6
    print(f"ingest, the store alone: {spent(ingest) / megapixels:.3f} CPU s a megapixel", flush=True)
    print(f"synthesize: {spent(synthesize) / megapixels:.3f} CPU s a megapixel", flush=True)


def measure_pair() -> None:
    """Print what two frames take: aligned both ways, then warped, cropped and scored."""
    aligner = load_aligner(STARTS / "davis_motion.safetensors", CPU)
    first, second = (torch.from_numpy(noisy(number)) for number in range(2))
    crops = [PairCrop(0, 0, 1, 40 * number, 90 * number) for number in range(CROPS)]

    def pair() -> None:
        there, back = align_both(first, second, aligner, True)
        for aligned, target, source in ((there, first, second), (back, second, first)):
            crop_rows(aligned, target, source, crops, CROP, MARGIN, "sinc")

    print(f"generate_pairs: {spent(pair) / (HEIGHT * WIDTH / 1e6):.2f} CPU s a megapixel aligned", flush=True)


def measure_denoiser() -> None:
    """Print what a small frame takes, and the rate of its operations."""
    denoiser = TiledDenoiser.load(STARTS / "davis_levels.safetensors", device=CPU, memory=2 * 2**30)
    frame = noisy(0, SIDE, SIDE)
    with FlopCounterMode(display=False) as counter:
        denoiser(frame)
    flops = counter.get_total_flops()
    seconds = spent(lambda: denoiser(frame))
    print(f"denoise, {SIDE} x {SIDE}: {seconds:.2f} CPU s, {flops:.3g} FLOP, {flops / seconds:.3g} FLOP/s", flush=True)


def measure() -> None:
    """Print all rates."""
    os.environ["SELF2ALIGN_WORKERS"] = "1"
    with TemporaryDirectory() as name, exact_threads(1):
        os.environ["SELF2ALIGN_SCRATCH"] = str(Path(name) / "work")
        measure_stores(Path(name))
        measure_pair()
        measure_denoiser()
        data = bytes(HASHED)
        print(f"SHA-256: {HASHED / spent(lambda: hashlib.sha256(data).digest()):.3g} bytes/s", flush=True)


if __name__ == "__main__":
    measure()
