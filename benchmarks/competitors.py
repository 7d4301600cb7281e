"""Filters to compare with, at the setting that is best on the clean frames: FFmpeg's, OpenCV's, and BM3D."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from camera_clips import Levels, Values, Window
from climbing import Lattice, Settings, climb
from told_bm3d import told_bm3d

from self2align.evaluation.metrics import psnr
from self2align.images.levels import to_levels
from self2align.videos.yuv import Yuv

STRENGTHS = (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24, 28, 33, 40, 50, 60)
MEANS = (*(value for value in STRENGTHS if value <= 28), 30)  # FFmpeg's non-local means take 30 at most
SEARCH = 21  # px, of OpenCV's non-local means: its default
FULL_BT709 = (0.2126, 0.0722)


@dataclass(frozen=True)
class Clip:
    """A noisy clip, and what is known of it.

    Attributes
    ----------
    path
        Video or folder of pictures.
    noisy, clean
        Its frames and the clean ones, ``(T, 3, H, W)``.
    noise
        Its noise alone, ``(N, 3, H', W')``: differences of two draws over sqrt(2).
    ffmpeg
        The program.
    window
        Part of the frames in the file that ``noisy`` and ``clean`` are; None for all.
    """

    path: Path
    noisy: Values
    clean: Levels
    noise: Values
    ffmpeg: str
    window: Window | None = None

    @property
    def is_video(self) -> bool:
        """Return whether the clip is a video, thus YUV with half of the chroma samples."""
        return self.path.is_file()

    def cropped(self, window: Window) -> "Clip":
        """Return the clip of which filters see a part alone; the noise stays whole."""
        return replace(self, noisy=window.of(self.noisy), clean=window.of(self.clean), window=window)


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
    slow
        Whether it is run on the window alone, and tuned on the middle of that; the others filter whole frames.
    """

    run: Callable[[Clip, Settings, Sequence[int]], Values]
    lattice: Callable[[bool], Lattice]
    first: Callable[[float], Settings]
    slow: bool = False


def ffmpeg_frames(clip: Clip, graph: str, pixels: str, count: int) -> Values:
    """Return frames that FFmpeg filtered: planes as they leave the filter, made R'G'B' by our decoder's equations."""
    source = [clip.path] if clip.is_video else ["-framerate", "25", "-pattern_type", "glob", "-i", clip.path / "*.png"]
    words = [clip.ffmpeg, "-loglevel", "error", "-threads", "1", "-filter_threads", "1"]
    words += map(str, ["-i", *source] if clip.is_video else source)
    words += ["-vf", graph, "-frames:v", str(count), "-fps_mode", "passthrough", "-f", "rawvideo"]
    run = subprocess.run([*words, "-pix_fmt", pixels, "-"], check=True, capture_output=True)
    data = np.frombuffer(run.stdout, np.uint8)
    height, width = clip.clean.shape[2:]
    if pixels == "gbrp":
        planes = data.reshape(count, 3, height, width)
        return np.ascontiguousarray(planes[:, [2, 0, 1]] / np.float32(255))
    block = (2, 2) if pixels == "yuv420p" else (1, 1)
    yuv = Yuv(8, block, not clip.is_video, FULL_BT709)
    part = (height // block[0], width // block[1])
    sizes = [height * width, part[0] * part[1], part[0] * part[1]]
    found = []
    for frame in data.reshape(count, sum(sizes)):
        y, u, v = np.split(frame, np.cumsum(sizes)[:2])
        found.append(yuv.rgb([y.reshape(height, width), u.reshape(part), v.reshape(part)]))
    return np.stack(found)


def of_ffmpeg(name: str, temporal: bool) -> Callable[[Clip, Settings, Sequence[int]], Values]:
    """Return how a filter of FFmpeg runs; one that looks at other frames runs on all of them."""

    def run(clip: Clip, settings: Settings, frames: Sequence[int]) -> Values:
        chosen = dict(settings)
        pixels = str(chosen.pop("pixels"))
        two_steps = chosen.pop("estim", "basic") == "final"
        words = ":".join(f"{key}={value}" for key, value in chosen.items())
        graph = f"{name}={words}"
        if two_steps:
            graph = f"split[a][b];[a]{graph}:estim=basic[r];[b][r]{graph}:estim=final:ref=1"
        wanted = "select='" + "+".join(f"eq(n,{frame})" for frame in frames) + "'"
        seen = clip.window
        crop = f"crop={seen.width}:{seen.height}:{seen.left}:{seen.top}," if seen else ""
        scale = "" if clip.is_video or pixels == "gbrp" else "scale=out_color_matrix=bt709:out_range=full,"
        graph = f"{crop}{scale}format={pixels},{graph}"
        return ffmpeg_frames(clip, f"{graph},{wanted}" if temporal else f"{wanted},{graph}", pixels, len(frames))

    return run


def pixel_formats(video: bool) -> Sequence[str]:
    """Return the formats that a filter may work in: that of a video, or of pictures any."""
    return ("yuv420p",) if video else ("yuv444p", "gbrp")


def opencv_means(clip: Clip, settings: Settings, frames: Sequence[int]) -> Values:
    """Return frames of `fastNlMeansDenoisingColoredMulti`, over ``window`` frames."""
    noisy = np.ascontiguousarray(to_levels(clip.noisy).transpose(0, 2, 3, 1)[..., ::-1])
    count = settings["window"]
    found = []
    for frame in frames:
        near = list(noisy[frame - count // 2 : frame + count // 2 + 1])
        image = cv2.fastNlMeansDenoisingColoredMulti(
            near, count // 2, count, None, settings["h"], settings["color"], settings["patch"], SEARCH
        )
        found.append((image[..., ::-1].transpose(2, 0, 1) / 255).astype(np.float32))
    return np.stack(found)


def clip_bm3d(clip: Clip, settings: Settings, frames: Sequence[int]) -> Values:
    """Return frames of `told_bm3d`, in opponent colours."""
    noisy = clip.noisy[list(frames)]
    return np.stack(
        [told_bm3d(one, clip.noise, settings["scale"], settings["profile"], opponent=True) for one in noisy]
    )


COMPETITORS = {
    "BM3D, told the covariance": Competitor(
        clip_bm3d,
        lambda video: {"scale": (0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0), "profile": ("np",)},
        lambda sigma: {"scale": 1.0, "profile": "np"},
        slow=True,
    ),
    "FFmpeg nlmeans": Competitor(
        of_ffmpeg("nlmeans", temporal=False),
        lambda video: {
            "pixels": pixel_formats(video),
            "s": MEANS,
            "p": (3, 5, 7, 9, 11),
            "pc": (3, 5, 7, 9, 11, 15, 21),
            "r": (7, 11, 15, 21, 27),
        },
        lambda sigma: {"pixels": "yuv420p", "s": sigma, "p": 7, "pc": 7, "r": 15},
    ),
    "FFmpeg bm3d": Competitor(
        of_ffmpeg("bm3d", temporal=False),
        lambda video: {
            "estim": ("basic", "final"),
            "pixels": pixel_formats(video),
            "sigma": STRENGTHS,
            "block": (8, 16, 32),
            "group": (1, 8),
            "bstep": (4,),
            "range": (9,),
            "thmse": (400,),
        },
        lambda sigma: {
            **{"estim": "basic", "pixels": "yuv420p", "sigma": sigma, "block": 16},
            **{"group": 1, "bstep": 4, "range": 9, "thmse": 400},
        },
    ),
    "FFmpeg hqdn3d": Competitor(
        of_ffmpeg("hqdn3d", temporal=True),
        lambda video: {
            "pixels": pixel_formats(video)[:1],  # it takes no R'G'B'
            **dict.fromkeys(("luma_spatial", "chroma_spatial", "luma_tmp", "chroma_tmp"), STRENGTHS),
        },
        lambda sigma: {
            "pixels": "yuv420p",
            **dict.fromkeys(("luma_spatial", "chroma_spatial", "luma_tmp", "chroma_tmp"), sigma),
        },
    ),
    "OpenCV multi-frame NLM": Competitor(
        opencv_means,
        lambda video: {"h": STRENGTHS, "color": STRENGTHS, "window": (3, 5), "patch": (3, 5, 7)},
        lambda sigma: {"h": sigma, "color": 2 * sigma, "window": 3, "patch": 5},
    ),
}


def best_of(
    clip: Clip, competitor: Competitor, window: Window, tuned_on: int, frames: Sequence[int]
) -> tuple[Settings, Values, float]:
    """Return the best settings of a competitor on a clip, its frames, and the seconds of each.

    Parameters
    ----------
    window
        Settings are compared here; a slow filter is not run elsewhere.
    tuned_on
        Number of the frame that settings are compared on.
    frames
        Numbers of those that are returned.
    """
    tuned = clip.cropped(window.middle() if competitor.slow else window)

    def score(settings: Settings) -> float:
        (made,) = competitor.run(tuned, settings, [tuned_on])
        return psnr(to_levels(made), tuned.clean[tuned_on])

    sigma = float(255 * clip.noise.std())
    settings = climb(competitor.lattice(clip.is_video), competitor.first(sigma), score)
    began = time.perf_counter()
    made = competitor.run(clip.cropped(window) if competitor.slow else clip, settings, frames)
    return settings, made, (time.perf_counter() - began) / len(frames)
