"""Filters to compare with, at the setting that is best on the clean frames: FFmpeg's, OpenCV's, and BM3D."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bm3d
import cv2
import numpy as np
from camera_clips import Levels, Values, read_clip
from numpy.typing import NDArray

from self2align.evaluation.metrics import psnr
from self2align.images.levels import to_levels
from self2align.videos.yuv import Yuv

# The package bm4d, which bm3d rests on, calls the old name for correlated noise; numpy 2.4 has only the new one.
np.trapz = np.trapezoid  # noqa: NPY201
Settings = dict[str, Any]
Lattice = Mapping[str, Sequence[Any]]
STRENGTHS = (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24, 28, 33, 40, 50, 60)
REACH = 7  # px: further away noise of a camera shares nothing that could be measured
# Opponent colours (Dabov et al. 2007): luminance, in which blocks are matched, and two differences.
OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0.0, -0.5], [0.25, -0.5, 0.25]])
FULL_BT709 = (0.2126, 0.0722)


@dataclass(frozen=True)
class Clip:
    """A noisy clip, and what is known of it.

    Attributes
    ----------
    path
        Video or folder of pictures.
    clean
        Its clean frames at ``frames``, ``(K, 3, H, W)``.
    frames
        Numbers of the frames that are scored, rising.
    noise
        Its noise alone, ``(N, 3, H, W)``: differences of two draws over sqrt(2).
    ffmpeg
        The program.
    """

    path: Path
    clean: Levels
    frames: list[int]
    noise: Values
    ffmpeg: str

    @property
    def is_video(self) -> bool:
        """Return whether the clip is a video, thus YUV with half of the chroma samples."""
        return self.path.is_file()


@dataclass(frozen=True)
class Competitor:
    """A filter and the settings that are tried.

    Attributes
    ----------
    run
        (clip, settings, frames to return) -> frames ``(K, 3, H, W)``.
    lattice
        (whether the clip is a video) -> setting -> values in order.
    first
        (standard deviation of the noise, of 255) -> settings to begin with.
    tuned_on
        Number of the scored frames that settings are compared on; those in the middle.
    """

    run: Callable[[Clip, Settings, list[int]], Values]
    lattice: Callable[[bool], Lattice]
    first: Callable[[float], Settings]
    tuned_on: int


def climb(lattice: Lattice, first: Settings, score: Callable[[Settings], float]) -> Settings:
    """Return the settings from which no step of one of them to a neighbouring value scores higher.

    Settings are not tried twice.
    """
    known: dict[tuple[int, ...], float] = {}
    names = list(lattice)

    def scored(at: tuple[int, ...]) -> float:
        if at not in known:
            known[at] = score({name: lattice[name][index] for name, index in zip(names, at, strict=True)})
        return known[at]

    def nearest(name: str) -> int:
        values = list(lattice[name])
        if isinstance(first[name], str):
            return values.index(first[name])
        return int(np.argmin([abs(value - first[name]) for value in values]))

    best = tuple(nearest(name) for name in names)
    moved = True
    while moved:
        moved = False
        for place, name in enumerate(names):
            for step in (1, -1):
                while 0 <= best[place] + step < len(lattice[name]):
                    tried = (*best[:place], best[place] + step, *best[place + 1 :])
                    if scored(tried) <= scored(best):
                        break
                    best, moved = tried, True
    return {name: lattice[name][index] for name, index in zip(names, best, strict=True)}


def ffmpeg_frames(clip: Clip, graph: str, pixels: str, frames: list[int]) -> Values:
    """Return frames that FFmpeg filtered: planes as they leave the filter, made R'G'B' by our decoder's equations."""
    source = [clip.path] if clip.is_video else ["-framerate", "25", "-pattern_type", "glob", "-i", clip.path / "*.png"]
    words = [clip.ffmpeg, "-loglevel", "error", "-threads", "1", "-filter_threads", "1"]
    words += map(str, ["-i", *source] if clip.is_video else source)
    words += ["-vf", graph, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", pixels, "-"]
    data = np.frombuffer(subprocess.run(words, check=True, capture_output=True).stdout, np.uint8)
    height, width = clip.clean.shape[2:]
    if pixels == "gbrp":
        planes = data.reshape(len(frames), 3, height, width)
        return np.ascontiguousarray(planes[:, [2, 0, 1]] / np.float32(255))
    block = (2, 2) if pixels == "yuv420p" else (1, 1)
    yuv = Yuv(8, block, not clip.is_video, FULL_BT709)
    part = (height // block[0], width // block[1])
    sizes = [height * width, part[0] * part[1], part[0] * part[1]]
    found = []
    for frame in data.reshape(len(frames), sum(sizes)):
        y, u, v = np.split(frame, np.cumsum(sizes)[:2])
        found.append(yuv.rgb([y.reshape(height, width), u.reshape(part), v.reshape(part)]))
    return np.stack(found)


def of_ffmpeg(name: str, temporal: bool) -> Callable[[Clip, Settings, list[int]], Values]:
    """Return how a filter of FFmpeg runs; one that looks at other frames runs on all of them."""

    def run(clip: Clip, settings: Settings, frames: list[int]) -> Values:
        chosen = dict(settings)
        pixels = str(chosen.pop("pixels"))
        two_steps = chosen.pop("estim", "basic") == "final"
        words = ":".join(f"{key}={value}" for key, value in chosen.items())
        graph = f"{name}={words}"
        if two_steps:
            graph = f"split[a][b];[a]{graph}:estim=basic[r];[b][r]{graph}:estim=final:ref=1"
        wanted = "select='" + "+".join(f"eq(n,{frame})" for frame in frames) + "'"
        scale = "" if clip.is_video or pixels == "gbrp" else "scale=out_color_matrix=bt709:out_range=full,"
        graph = f"{scale}format={pixels},{graph}"
        return ffmpeg_frames(clip, f"{graph},{wanted}" if temporal else f"{wanted},{graph}", pixels, frames)

    return run


def pixel_formats(video: bool) -> Sequence[str]:
    """Return the formats that a filter may work in: that of a video, or of pictures any."""
    return ("yuv420p",) if video else ("yuv444p", "gbrp")


def opencv_means(clip: Clip, settings: Settings, frames: list[int]) -> Values:
    """Return frames of `fastNlMeansDenoisingColoredMulti`, over ``window`` frames."""
    noisy = np.ascontiguousarray(to_levels(read_clip(clip.path)).transpose(0, 2, 3, 1)[..., ::-1])
    found = []
    for frame in frames:
        image = cv2.fastNlMeansDenoisingColoredMulti(
            list(noisy), frame, settings["window"], None, settings["h"], settings["color"], settings["patch"], 21
        )
        found.append((image[..., ::-1].transpose(2, 0, 1) / 255).astype(np.float32))
    return np.stack(found)


def spectrum_of(noise: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the power spectrum of noise for an image of a shape, ``(h, w)``, as the package bm3d wants it.

    The covariance is measured over all fields of ``noise``, ``(N, H, W)``, up to `REACH` px, with a triangular window,
    which keeps the spectrum positive. White noise has the variance times h w everywhere.
    """
    fields = noise - noise.mean()
    power = (np.abs(np.fft.fft2(fields)) ** 2).mean(0)
    covariance = np.fft.ifft2(power).real / fields[0].size
    laid = np.zeros(shape)
    for y in range(-REACH, REACH + 1):
        for x in range(-REACH, REACH + 1):
            laid[y % shape[0], x % shape[1]] = covariance[y, x] * (1 - abs(y) / 16) * (1 - abs(x) / 16)
    return np.maximum(np.fft.fft2(laid).real, 1e-12) * shape[0] * shape[1]


def told_bm3d(image: Values, noise: Values, scale: float, profile: str, opponent: bool) -> Values:
    """Return an image filtered by BM3D for correlated noise (Mäkinen et al. 2020), told the true spectrum.

    Parameters
    ----------
    image
        ``(C, H, W)``, white being 1.0.
    noise
        Noise alone, ``(N, C, H', W')``.
    scale
        Factor of the standard deviation that it is told.
    profile
        The package's: "np" or "refilter".
    opponent
        Whether colours are filtered as luminance and two differences, whose noise is measured as such.
    """
    if len(image) == 1:
        spectrum = scale**2 * spectrum_of(noise[:, 0].astype(np.float64), image.shape[1:])
        return np.asarray(bm3d.bm3d(image[0], spectrum, profile), np.float32)[None]
    matrix = OPPONENT if opponent else np.eye(3)
    mixed = np.einsum("dc,chw->hwd", matrix, image.astype(np.float64))
    fields = np.einsum("dc,nchw->dnhw", matrix, noise.astype(np.float64))
    spectra = np.stack([scale**2 * spectrum_of(one, image.shape[1:]) for one in fields], -1)
    result = bm3d.bm3d(mixed, spectra, profile)
    return np.einsum("cd,hwd->chw", np.linalg.inv(matrix), result).astype(np.float32)


def clip_bm3d(clip: Clip, settings: Settings, frames: list[int]) -> Values:
    """Return frames of `told_bm3d`."""
    noisy = read_clip(clip.path, frames)
    return np.stack(
        [
            told_bm3d(one, clip.noise, settings["scale"], settings["profile"], settings["colors"] == "opp")
            for one in noisy
        ]
    )


COMPETITORS = {
    "FFmpeg nlmeans": Competitor(
        of_ffmpeg("nlmeans", temporal=False),
        lambda video: {
            "pixels": pixel_formats(video),
            "s": [value for value in STRENGTHS if value <= 28] + [30],
            "p": (3, 5, 7, 9, 11),
            "pc": (3, 5, 7, 9, 11, 15, 21),
            "r": (7, 11, 15, 21, 27),
        },
        lambda sigma: {"pixels": "yuv420p", "s": sigma, "p": 7, "pc": 7, "r": 15},
        5,
    ),
    "FFmpeg bm3d": Competitor(
        of_ffmpeg("bm3d", temporal=False),
        lambda video: {
            "estim": ("basic", "final"),
            "pixels": pixel_formats(video),
            "sigma": STRENGTHS,
            "block": (8, 16, 32),
            "bstep": (4,),
            "group": (1, 8),
            "range": (9,),
            "thmse": (400,),
        },
        lambda sigma: {
            "estim": "basic",
            "pixels": "yuv420p",
            "sigma": sigma,
            "block": 16,
            "bstep": 4,
            "group": 1,
            "range": 9,
            "thmse": 400,
        },
        5,
    ),
    "FFmpeg hqdn3d": Competitor(
        of_ffmpeg("hqdn3d", temporal=True),
        lambda video: {
            "pixels": ("yuv420p",) if video else ("yuv444p",),
            "luma_spatial": STRENGTHS,
            "chroma_spatial": STRENGTHS,
            "luma_tmp": STRENGTHS,
            "chroma_tmp": STRENGTHS,
        },
        lambda sigma: {
            "pixels": "yuv420p",
            "luma_spatial": sigma,
            "chroma_spatial": sigma,
            "luma_tmp": sigma,
            "chroma_tmp": sigma,
        },
        5,
    ),
    "OpenCV multi-frame NLM": Competitor(
        opencv_means,
        lambda video: {"h": STRENGTHS, "color": STRENGTHS, "window": (3, 5), "patch": (3, 5, 7)},
        lambda sigma: {"h": sigma, "color": 2 * sigma, "window": 3, "patch": 5},
        1,
    ),
    "BM3D, told the covariance": Competitor(
        clip_bm3d,
        lambda video: {"scale": (0.8, 1.0, 1.25, 1.5, 1.9), "profile": ("np", "refilter"), "colors": ("opp",)},
        lambda sigma: {"scale": 1.0, "profile": "np", "colors": "opp"},
        1,
    ),
}


def best_of(clip: Clip, competitor: Competitor, sigma: float) -> tuple[Settings, Values, float]:
    """Return the best settings of a competitor on a clip, its frames, and the seconds of each.

    Parameters
    ----------
    sigma
        Standard deviation of the noise, of 255.
    """
    lattice = competitor.lattice(clip.is_video)
    first = {
        name: value if value in lattice[name] or not isinstance(value, str) else lattice[name][0]
        for name, value in competitor.first(sigma).items()
    }
    skip = (len(clip.frames) - competitor.tuned_on) // 2
    chosen = slice(skip, skip + competitor.tuned_on)

    def score(settings: Settings) -> float:
        made = to_levels(competitor.run(clip, settings, clip.frames[chosen]))
        return float(np.mean([psnr(one, known) for one, known in zip(made, clip.clean[chosen], strict=True)]))

    settings = climb(lattice, first, score)
    began = time.perf_counter()
    made = competitor.run(clip, settings, clip.frames)
    return settings, made, (time.perf_counter() - began) / len(clip.frames)
