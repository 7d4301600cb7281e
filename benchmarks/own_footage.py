"""Denoisers on a shaky clip with signal-dependent noise, whose level they are not given.

::

    python benchmarks/own_footage.py make data/DAVIS/JPEGImages/480p/dog clip
    self2align init work --source clip/noisy.mkv        # as docs/your-footage.md says
    cd work && dvc repro && self2align bundle camera.safetensors && cd ..
    self2align denoise clip/noisy.mkv clip/single.mkv --codec ffv1 --weights work/camera.safetensors
    self2align denoise clip/noisy.mkv clip/temporal.mkv --codec ffv1 --weights work/camera.safetensors --temporal 2
    python benchmarks/own_footage.py measure clip single.mkv temporal.mkv

The clip is a window of a real one, shaken as in a hand-held recording, with photon and read noise at 20 dB, clipped and
rounded to 8 bits. Non-local means is tuned on the clip's own clean frames, which favours it. BM3D, if its package is
installed, runs after the variance-stabilising transform with the true parameters.
"""

import json
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from typer import Argument, Option, Typer

from self2align.evaluation.metrics import psnr, ssim
from self2align.images.files import read_image
from self2align.images.levels import to_levels
from self2align.methods.bm3d import bm3d
from self2align.methods.nlm import nlm
from self2align.noise.estimation.estimate import estimate_noise

HEIGHT, WIDTH = 384, 640
SHAKE, TURN = 6.0, 0.4  # standard deviations: px, degrees
READ = 8 / 255  # standard deviation of the noise at black
TARGET = 20.0  # dB, PSNR of the noisy clip
application = Typer(help=__doc__)
Clip = Annotated[Path, Argument(help="Folder of the clip.")]
Frames = NDArray[np.uint8]


def shaken(frames: list[Frames], draw: np.random.Generator) -> Frames:
    """Return a window of each frame, moved and turned as in a hand-held recording, ``(T, H, W, 3)``."""
    path = gaussian_filter1d(draw.standard_normal((len(frames), 3)), 1.5, axis=0)
    path *= np.array([SHAKE, SHAKE, TURN]) / path.std(0)
    found = []
    for frame, (x, y, angle) in zip(frames, path, strict=True):
        height, width = frame.shape[:2]
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        turn[:, 2] -= (width - WIDTH) / 2 + x, (height - HEIGHT) / 2 + y
        found.append(cv2.warpAffine(frame, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LANCZOS4))
    return np.stack(found)


def noisy_of(clean: Frames, gain: float, seed: int) -> Frames:
    """Return frames with noise of variance ``gain x + READ^2``, as an 8-bit camera records them."""
    draw = np.random.default_rng(seed)
    values = gain * draw.poisson(clean / 255 / gain) + READ * draw.standard_normal(clean.shape)
    return np.rint(255 * values).clip(0, 255).astype(np.uint8)


def write_video(path: Path, frames: Frames) -> None:
    """Write frames losslessly."""
    with av.open(path, "w") as file:
        stream = file.add_stream("ffv1", rate=Fraction(24))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "bgr0"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())


def read_video(path: Path) -> Frames:
    """Return all frames, ``(T, H, W, 3)``."""
    with av.open(path) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


@application.command()
def make(
    sequence: Annotated[Path, Argument(help="Folder of clean frames.")],
    out: Clip,
    seed: Annotated[int, Option(help="Of the shaking and the noise.")] = 0,
) -> None:
    """Make the clip."""
    frames = [read_image(path)[0].transpose(1, 2, 0) for path in sorted(sequence.iterdir())]
    clean = shaken(frames, np.random.default_rng(seed))
    low, high = 1e-3, 1.0
    for _ in range(12):
        gain = float(np.sqrt(low * high))
        quality = psnr(noisy_of(clean[:4], gain, seed), clean[:4])
        low, high = (gain, high) if quality > TARGET else (low, gain)
    out.mkdir(parents=True)
    noisy = noisy_of(clean, gain, seed)
    write_video(out / "clean.mkv", clean)
    write_video(out / "noisy.mkv", noisy)
    truth = {"gain": gain, "read": READ**2}
    (out / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    print(f"frames {clean.shape}, variance {gain:.4f} x + {READ**2:.5f}, {psnr(noisy, clean):.2f} dB")


def stabilised(image: NDArray[np.float32], gain: float, read: float) -> NDArray[np.float32]:
    """Return the generalised Anscombe transform of an image, whose noise then has a standard deviation of 1."""
    inside = gain * image + 0.375 * gain**2 + read
    return np.asarray(2 / gain * np.sqrt(np.maximum(inside, 0)), np.float32)


def destabilised(image: NDArray[np.float32], gain: float, read: float) -> NDArray[np.float32]:
    """Return the inverse of `stabilised` (closed form of the exact unbiased inverse, Mäkitalo and Foi 2013)."""
    y = np.maximum(image.astype(np.float64), 1e-3)
    photons = y**2 / 4 + np.sqrt(1.5) / 4 / y - 11 / 8 / y**2 + 5 / 8 * np.sqrt(1.5) / y**3 - 1 / 8
    return np.asarray(gain * (np.maximum(photons, 0) - read / gain**2), np.float32)


def filtered(method: str, image: NDArray[np.float32], truth: dict[str, float], **settings: Any) -> NDArray[np.float32]:
    """Return an image denoised by a filter for white noise, after stabilisation; see `stabilised`."""
    steady = stabilised(image, **truth)
    scale = float(stabilised(np.float32(1.0), **truth))
    kernel = {"nlm": nlm, "bm3d": bm3d}[method]
    return destabilised(kernel(steady / scale, 1 / scale, **settings) * scale, **truth)


def quality(images: list[NDArray[np.float32]], clean: list[Frames]) -> float:
    """Return the mean PSNR of images, white being 1.0, dB."""
    return float(np.mean([psnr(to_levels(one), known) for one, known in zip(images, clean, strict=True)]))


def tuned_nlm(noisy: list[NDArray[np.float32]], clean: list[Frames], truth: dict[str, float]) -> None:
    """Print the best results of non-local means: with an estimated noise level, and after stabilisation."""
    grid = [
        {"patch_size": patch, "patch_distance": distance, "strength": strength}
        for patch, distance, strength in product((3, 5), (6, 9), (0.5, 0.6, 0.7, 0.8, 1.0))
    ]
    levels = [estimate_noise(one[None], 1 / 255).sigma for one in noisy]
    plain = [[nlm(one, sigma, **chosen) for one, sigma in zip(noisy, levels, strict=True)] for chosen in grid]
    steady = [[filtered("nlm", one, truth, **chosen) for one in noisy] for chosen in grid]
    for name, tried in (("with an estimated level", plain), ("stabilised with the true parameters", steady)):
        best, at = max((quality(made, clean), at) for at, made in enumerate(tried))
        print(f"NLM, {name}: {best:.2f} dB, {grid[at]}", flush=True)


@application.command()
def measure(
    clip: Clip,
    results: Annotated[list[str], Argument(help="Denoised videos in that folder.")],
    frames: Annotated[int, Option(help="Number of evenly spaced frames that the filters are measured on.")] = 4,
    filters: Annotated[str, Option(help="Filters to measure: nlm, bm3d.")] = "nlm,bm3d",
) -> None:
    """Print PSNR and SSIM of the videos, over all frames and over those of the filters, and PSNR of the filters."""
    clean = [frame.transpose(2, 0, 1) for frame in read_video(clip / "clean.mkv")]
    noisy = read_video(clip / "noisy.mkv")
    truth = json.loads((clip / "truth.json").read_text(encoding="utf-8"))
    some = np.linspace(0, len(clean) - 1, frames).astype(int).tolist()
    for name in ("noisy.mkv", *results):
        video = [frame.transpose(2, 0, 1) for frame in read_video(clip / name)]
        each = [psnr(one, known) for one, known in zip(video, clean, strict=True)]
        part = np.mean([each[at] for at in some])
        likeness = np.mean([ssim(video[at], clean[at]) for at in some])
        print(f"{name}: {np.mean(each):.2f} dB; of {frames} frames {part:.2f} / {likeness:.3f}", flush=True)
    values = [(noisy[at].transpose(2, 0, 1) / 255).astype(np.float32) for at in some]
    known = [clean[at] for at in some]
    if "nlm" in filters:
        tuned_nlm(values, known, truth)
    if "bm3d" in filters:
        found = quality([filtered("bm3d", one, truth) for one in values], known)
        print(f"BM3D, stabilised with the true parameters: {found:.2f} dB")


if __name__ == "__main__":
    application()
