"""PSNR of single frames and of fused ones, on the held-out scenes of a pipeline.

::

    python benchmarks/temporal.py data data/train_ian/refined_dis.safetensors data/train_denoiser/denoiser.safetensors

The first argument has ``synthesize/noisy.zarr`` and ``ingest``; frames around the middle of each scene are measured.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from typer import Argument, Option, run

from self2align.alignment.loading import load_aligner
from self2align.denoising.agreement import SecondLook
from self2align.denoising.fusion import Pilot, fuse
from self2align.denoising.inference import denoise, load_denoiser
from self2align.denoising.levels import frame_noise
from self2align.evaluation.metrics import psnr
from self2align.images.levels import to_levels
from self2align.runtime.devices import device
from self2align.stores.frames import FrameStore


def measure(
    data: Annotated[Path, Argument(help="Folder of the outputs of stages.")],
    aligner: Annotated[Path, Argument(help="Aligner.")],
    weights: Annotated[Path, Argument(help="Denoiser.")],
    frames: Annotated[int, Option(help="Frames measured in each scene.")] = 3,
    radii: Annotated[str, Option(help="Neighbours in each direction, separated by commas.")] = "0,1,2",
) -> None:
    """Print dB by scene and radius."""
    network, _ = load_denoiser(weights, device())
    align = load_aligner(aligner, device())

    def single(frame: Tensor) -> Tensor:
        return torch.from_numpy(denoise(network, frame.cpu().numpy(), square=False, device=device())).to(device())

    def pilot(frame: Tensor) -> Pilot:
        level = frame_noise(frame.cpu().numpy()).level(frame[None].cpu())[0]
        return Pilot(single(frame), SecondLook(single, level.square().expand_as(frame).to(frame)))

    chosen = [int(text) for text in radii.split(",")]
    store = FrameStore(data / "synthesize/noisy.zarr")
    print("scene".ljust(24), "single".rjust(8), *(f"radius {one}".rjust(9) for one in chosen))
    rows = []
    for scene in store.with_role("test"):
        first, margin = max(0, (scene.count - frames) // 2), max(chosen)
        start, stop = max(0, first - margin), min(scene.count, first + frames + margin)
        noisy = torch.from_numpy(store.frames(scene, start, stop)).to(device())
        clean_store = FrameStore(data / "ingest" / f"{scene.source}.zarr")
        clean = clean_store.frames(clean_store.scene(scene.title), start, stop)
        measured = range(first - start, min(first - start + frames, stop - start))

        def quality(found: list[Tensor], truth: np.ndarray = clean, these: range = measured) -> float:
            return float(np.mean([psnr(to_levels(found[at].cpu().numpy()), to_levels(truth[at])) for at in these]))

        row = [quality([single(frame) for frame in noisy])]
        row += [quality(list(fuse(noisy, pilot, align, radius=one, exposure=True))) for one in chosen]
        print(scene.title.ljust(24), *(f"{value:8.2f} " for value in row), flush=True)
        rows.append(row)
    print("mean".ljust(24), *(f"{value:8.2f} " for value in np.mean(rows, 0)))


if __name__ == "__main__":
    run(measure)
