"""PSNR and blotches of camera footage: one frame at a time, and several.

::

    python benchmarks/camera_in_time.py clip.mp4 JPEGImages/480p/dog denoiser.safetensors refined_dis.safetensors \
        --first 9 --frames 5 --side 160

The clip is a video or a folder of pictures; the clean frames are a folder of larger or equal pictures, whose middle
it shows. "As white" filters the mean as if the noise were white, and takes the result as it is.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from typer import Argument, Option, run

from self2align.alignment.loading import load_aligner
from self2align.denoising.frames import WithNeighbours
from self2align.denoising.fusion import Pilot, fuse
from self2align.denoising.tiled import TiledDenoiser
from self2align.evaluation.metrics import psnr
from self2align.images.levels import to_levels
from self2align.runtime.devices import device

Frames = NDArray[np.float32]


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    """Read a video or a folder of pictures, each ``(H, W, 3)``."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in {".png", ".jpg"})
        return [np.asarray(cv2.imread(str(file))[..., ::-1], np.uint8) for file in files]
    with av.open(str(path)) as video:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in video.decode(video=0)]


def middle(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Cut out the middle of a picture."""
    y, x = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[y : y + height, x : x + width]


def blotches(image: Frames, clean: Frames) -> float:
    """Return the standard deviation of 8 px means of the error of R - G, of 255."""
    error = torch.from_numpy(image - clean)
    return 255 * float(functional.avg_pool2d((error[0] - error[1])[None], 8).std())


def measure(
    clip: Annotated[Path, Argument(help="Noisy video, or folder of pictures.")],
    clean: Annotated[Path, Argument(help="Folder of clean pictures.")],
    weights: Annotated[Path, Argument(help="Denoiser.")],
    aligner: Annotated[Path, Argument(help="Aligner.")],
    first: Annotated[int, Option(help="First frame.")] = 0,
    frames: Annotated[int, Option(help="Frames.")] = 5,
    side: Annotated[int, Option(help="Side of the middle that is measured, px; 0 for whole frames.")] = 0,
    sigma: Annotated[float, Option(help="Noise level that is told, of 255; 0 to measure it.")] = 0.0,
    radii: Annotated[str, Option(help="Neighbours in each direction, separated by commas.")] = "1,2",
) -> None:
    """Print dB / blotches of each frame: noisy, single, and for each radius as white and judged by neighbours."""
    seen = pictures(clip)[first : first + frames]
    height, width = seen[0].shape[:2]
    truth = [middle(picture, height, width) for picture in pictures(clean)[first : first + frames]]
    if side:
        seen, truth = ([middle(one, side, side) for one in those] for those in (seen, truth))
    noisy, known = (np.float32(np.stack(those).transpose(0, 3, 1, 2)) / 255 for those in (seen, truth))
    denoiser = TiledDenoiser.load(weights, device=device(), memory=2**31)
    align, told = load_aligner(aligner, device()), sigma / 255 if sigma else None
    made = {}  # of each frame once: told levels and single estimates take most of the time

    def remembered(noisy: Frames) -> Frames:
        if (key := noisy.tobytes()) not in made:
            made[key] = denoiser(noisy, sigma=told)
        return made[key]

    def white(frame: Tensor) -> Pilot:
        return Pilot(torch.from_numpy(remembered(frame.cpu().numpy())).to(device()))

    columns: dict[str, Callable[[], list[Frames]]] = {
        "noisy": lambda: list(noisy),
        "single": lambda: [remembered(frame) for frame in noisy],
    }
    for radius in (int(text) for text in radii.split(",")):
        placed = torch.from_numpy(noisy).to(device())
        columns[f"{radius} as white"] = lambda radius=radius, placed=placed: [
            one.cpu().numpy() for one in fuse(placed, white, align, radius=radius, exposure=True)
        ]
        columns[f"{radius} judged"] = lambda radius=radius: list(
            WithNeighbours(denoiser, align, radius)(iter(noisy), sigma=told)
        )
    print("frame", *(name.rjust(12) for name in columns))
    results = {name: make() for name, make in columns.items()}
    rows = []
    for at, sharp in enumerate(known):
        rows.append(
            [(psnr(to_levels(those[at]), to_levels(sharp)), blotches(those[at], sharp)) for those in results.values()]
        )
        print(f"{first + at:5d}", *(f"{quality:6.2f} /{rest:4.1f}" for quality, rest in rows[-1]), flush=True)
    print(" mean", *(f"{quality:6.2f} /{rest:4.1f}" for quality, rest in np.mean(rows, 0)))


if __name__ == "__main__":
    run(measure)
