"""What `measure_noise` finds in footage of a simulated camera, beside the truth.

::

    python benchmarks/measured_noise.py data/DAVIS/JPEGImages/480p blackswan car-roundabout

The truth is the difference of two recordings of the same frames by seeds 0 and 1. Variances are those of the frames'
own brightnesses; correlations are with the next pixel across and down, and of red and green. *Next frame*: what is
found to be carried there. *Error*: of the variance, as the profile itself states it; "or more": it is a lower bound.
"""

from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
from camera import HEIGHT, KINDS, WIDTH, Frames, recorded
from numpy.typing import NDArray
from typer import Argument, Option, run

from self2align.measuring.profile import measure_profile
from self2align.media.clean import open_clean
from self2align.noise.camera import Camera
from self2align.noise.profile import NoiseProfile


def measured(frames: Frames, targets: int) -> NoiseProfile:
    """Return the noise that is found in frames, ``(T, H, W, 3)``."""
    values = (frames / 255).astype(np.float32).transpose(0, 3, 1, 2)
    return measure_profile(lambda at: values[at], len(values), targets)


def true_correlations(noise: Frames) -> list[float]:
    """Return those with the next pixel across and down, and of red and green, of noise ``(T, H, W, 3)``."""
    noise = noise - noise.mean((1, 2), keepdims=True)
    pairs = (
        (noise[:, :, 1:], noise[:, :, :-1]),
        (noise[:, 1:], noise[:, :-1]),
        (noise[..., :1], noise[..., 1:2]),
    )
    return [float((one * other).mean() / (noise**2).mean()) for one, other in pairs]


def found_correlations(profile: NoiseProfile) -> list[float]:
    """Return the same of a profile."""
    shared, middle = profile.covariance, profile.reach
    if not middle:
        return [0.0, 0.0, float(shared[0, 1].ravel()[0])]
    own = np.mean([shared[at, at] for at in range(len(shared))], 0)
    return [float(own[middle, middle + 1]), float(own[middle + 1, middle]), float(shared[0, 1, middle, middle])]


def row(first: Frames, second: Frames, clean: NDArray[np.uint8], targets: int) -> list[str]:
    """Return the columns of the table after the first three."""
    noise, profile = (first - second) / 2**0.5, measured(first, targets)
    shades = clean[::4].astype(np.float64) / 255
    variances = [np.interp(shades[..., at], profile.levels, profile.variances[at]).mean() for at in range(3)]
    ratio = 255**2 * float(np.mean(variances)) / (noise**2).mean()
    shown = [
        ", ".join(f"{one:.2f}" for one in many) for many in (true_correlations(noise), found_correlations(profile))
    ]
    carried = f"{profile.along[0]:.2f}" if profile.along.size else "-"
    return [f"{ratio:.2f}", *shown, carried, f"{profile.error:.2f}{' or more' if profile.least else ''}"]


def table(
    frames: Annotated[Path, Argument(help="Folder of folders of frames.")],
    scenes: list[str],
    count: Annotated[int, Option(help="Frames of each.")] = 28,
    targets: Annotated[int, Option(help="Frames that are measured.")] = 3,
    exposures: Annotated[str, Option(help="Photons at white, with commas.")] = "300,100",
    kinds: Annotated[str, Option(help="Of recordings, with commas.")] = "pictures,h264 18,h264 28",
) -> None:
    """Print the table."""
    print("| scene | photons | recording | found / true | correlations, true | found | next frame | error |")
    print("|---|--:|---|--:|---|---|--:|--:|")
    for scene in scenes:
        shots = np.stack(list(islice(open_clean(frames / scene).frames(), count)))
        top, left = (shots.shape[1] - HEIGHT) // 2, (shots.shape[2] - WIDTH) // 2
        clean = shots[:, top : top + HEIGHT, left : left + WIDTH]
        for peak in exposures.split(","):
            for kind in kinds.split(","):
                both = [recorded(Camera(peak=float(peak)), clean, seed, KINDS[kind]) for seed in (0, 1)]
                print("|", " | ".join([scene, peak, kind, *row(*both, clean, targets)]), "|", flush=True)


if __name__ == "__main__":
    run(table)
