"""What a simulated camera does to clean frames: PSNR, and variance and correlation of its noise, at three exposures.

::

    python benchmarks/camera.py data/DAVIS/JPEGImages/480p dog horsejump-high

The noise is the difference of two recordings of the same frames by seeds 0 and 1, over the root of 2: what
demosaicking and a codec lose in both is none. ``--matrix`` and ``--demosaic bilinear`` are options of the camera.
"""

import tempfile
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from typer import Argument, Option, run

from self2align.media.clean import open_clean
from self2align.media.recording import encode
from self2align.noise.camera import Camera, film

EXPOSURES = {"bright": 1000.0, "mid": 300.0, "dark": 100.0}
KINDS: dict[str, tuple[str, int] | None] = {
    "pictures": None,
    "h264 18": ("h264", 18),
    "h264 28": ("h264", 28),
    "hevc 28": ("hevc", 28),
}
HEIGHT, WIDTH = 384, 640
Frames = NDArray[np.float64]


def recorded(camera: Camera, clean: NDArray[np.uint8], seed: int, kind: tuple[str, int] | None) -> Frames:
    """Return the frames of a recording, ``(T, H, W, 3)``."""
    filmed = film(camera, clean, seed)
    if kind is None:
        return filmed.astype(np.float64)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mkv"
        encode(file, filmed, *kind, Fraction(25), ".mkv")
        return np.stack(list(open_clean(file).frames())).astype(np.float64)


def described(first: Frames, second: Frames, clean: NDArray[np.uint8]) -> list[str]:
    """Return the columns of the table after the first three."""
    error, noise = first - clean, (first - second) / 2**0.5
    power = (noise**2).mean()
    means = error.reshape(len(error), HEIGHT // 8, 8, WIDTH // 8, 8, 3).mean((2, 4))
    red, green, _ = np.moveaxis(noise, -1, 0)
    channels = (red * green).mean() / np.sqrt((red**2).mean() * (green**2).mean())
    shared = ((noise[:, :, 1:], noise[:, :, :-1]), (noise[:, 1:], noise[:, :-1]), (noise[1:], noise[:-1]))
    across, down, along = ((one * other).mean() / power for one, other in shared)
    figures = (10 * np.log10(255**2 / (error**2).mean()), power**0.5)
    correlations = (across, down, channels, along)
    blotches = means.std(), (means[..., 0] - means[..., 1]).std()
    return [f"{one:.2f}" for one in (*figures, *correlations, *blotches)]


def table(
    frames: Annotated[Path, Argument(help="Folder of folders of frames.")],
    scenes: list[str],
    count: int = 8,
    demosaic: Annotated[str, Option(help="edge_aware or bilinear.")] = "edge_aware",
    matrix: bool = False,
    kinds: Annotated[str, Option(help="Of recordings, with commas.")] = ",".join(KINDS),
) -> None:
    """Print the table."""
    print("| scene | exposure | recording | dB | sigma | across | down | red, green | in time | 8 px | 8 px, R - G |")
    print("|---|---|---|" + "--:|" * 8)
    for scene in scenes:
        shots = np.stack(list(islice(open_clean(frames / scene).frames(), count)))
        top, left = (shots.shape[1] - HEIGHT) // 2, (shots.shape[2] - WIDTH) // 2
        clean = shots[:, top : top + HEIGHT, left : left + WIDTH]
        for exposure, peak in EXPOSURES.items():
            camera = Camera(peak=peak, demosaic=demosaic, matrix=matrix)  # type: ignore[arg-type]
            for kind in kinds.split(","):
                both = [recorded(camera, clean, seed, KINDS[kind]) for seed in (0, 1)]
                print("|", " | ".join([scene, exposure, kind, *described(*both, clean)]), "|", flush=True)


if __name__ == "__main__":
    run(table)
