"""Looking at footage before anything is chosen for it: what kind of source it is, its frames, motion and noise."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray

from self2align.alignment.dis import Dis
from self2align.noise.estimation import SHIFT, SIDE, NoiseEstimate, code_step, estimate_noise, shared_noise
from self2align.runtime.spacing import evenly_spaced
from self2align.sources import stack, video
from self2align.sources.folder import scenes_root, walk
from self2align.sources.ingest import BLACK, open_source
from self2align.sources.source import Selection
from self2align.stores.scene import Scene

SCENES = 4  # that are looked at, evenly spaced over folders or files
FRAMES = 17  # of each
LAGS = (1, 2, 4)  # frames between two of which is asked whether they share noise
APART = 4  # frames between two whose noise is compared
BLUR = 2.0  # px, before motion is looked for: its size is wanted, not its edges


@dataclass(frozen=True)
class Look:
    """One scene, as its first frames show it.

    Attributes
    ----------
    name
        Within its source.
    height, width
        px.
    gray
        Whether all channels are equal.
    bits
        Bits of its values that are used; 32 for floats.
    white
        The value that stands for 1.0 in its type: 255, 65535 or 1.
    brightest
        Its highest value, white being 1.0.
    motion
        Median and 95 % quantile of how far pixels move from one frame to the next, px.
    noise
        What its frames' noise is.
    shared
        Shares of the noise's variance that frames 1, 2 and 4 apart have in common (`LAGS`; fewer in a short scene).
    frames
        Two neighbouring frames, ``(2, C, H, W)``, C = 1 for gray.
    """

    name: str
    height: int
    width: int
    gray: bool
    bits: int
    white: float
    brightest: float
    motion: tuple[float, float]
    noise: NoiseEstimate
    shared: tuple[float, ...]
    frames: NDArray[np.float32]


@dataclass(frozen=True)
class Survey:
    """What there is to know of footage.

    Attributes
    ----------
    kind
        Member of `self2align.sources.SOURCES`.
    path
        Where it lies.
    parts
        Patterns over scene names, each of which takes a part that can be held out: a scene, or a video file.
    scenes
        Scenes in it; where files were not opened, as many as in those that were.
    frames
        Frames of a scene, in the mean.
    looks
        The scenes that were looked at.
    """

    kind: str
    path: Path
    parts: tuple[str, ...]
    scenes: int
    frames: int
    looks: tuple[Look, ...]

    @property
    def gray(self) -> bool:
        """Return whether all of it is gray."""
        return all(look.gray for look in self.looks)

    @property
    def size(self) -> tuple[int, int]:
        """Return the height and the width that fit into all scenes that were looked at, px."""
        return min(look.height for look in self.looks), min(look.width for look in self.looks)

    @property
    def motion(self) -> tuple[float, float]:
        """Return the usual motion and the largest, px a frame: medians and quantiles of the scenes."""
        usual, most = zip(*(look.motion for look in self.looks), strict=True)
        return float(np.median(usual)), max(most)

    @property
    def shared(self) -> dict[int, float]:
        """Return the share of the noise's variance that frames so far apart have in common, medians of the scenes."""
        common = min(len(look.shared) for look in self.looks)
        return {lag: float(np.median([look.shared[at] for look in self.looks])) for at, lag in enumerate(LAGS[:common])}

    @property
    def noise(self) -> NoiseEstimate:
        """Return the noise of the scene whose sigma is the median; what is correlated or fixed is the median of all."""
        order = sorted((look.noise for look in self.looks), key=lambda noise: noise.sigma)
        shared = [noise.fixed for noise in order if noise.fixed is not None]
        return replace(
            order[len(order) // 2],
            unevenness=float(np.median([noise.unevenness for noise in order])),
            fixed=float(np.median(shared)) if shared else None,
        )


def source_kind(path: Path) -> str:
    """Return which kind of source reads a path: "video", "folder" or "stack".

    Raises
    ------
    ValueError
        When it holds neither videos nor images.
    """
    if path.is_file():
        return "stack" if path.suffix.lower() in stack.SUFFIXES else "video"
    if not path.is_dir():
        raise ValueError(
            f"{path}: found nothing, expected a video, a TIFF stack, or a folder of videos, stacks or images"
        )
    images = next(walk(path), None)
    if images is not None:
        file = images[0] / min(images[1])
        return "stack" if file.suffix.lower() in stack.SUFFIXES and stack.count_frames(file) > 1 else "folder"
    if any(file.suffix.lower() in video.SUFFIXES for file in path.rglob("*")):
        return "video"
    raise ValueError(f"{path}: found neither images nor videos, expected footage")


def survey(path: Path) -> Survey:
    """Look at footage: at the first frames of at most four scenes.

    Raises
    ------
    ValueError
        When it cannot be read, or no scene of it has two frames that are not black.
    """
    kind = source_kind(path)
    selection = Selection(max_frames=FRAMES)
    units = open_source(kind, path, selection).units()
    chosen = [units[at] for at in evenly_spaced(len(units), SCENES)]
    looks: list[Look] = []
    names: list[str] = []
    for unit in chosen:
        for scene in open_source(kind, path, selection).read(unit):
            if len(scene.frames) < 2 or _is_black(scene):
                continue
            names.append(scene.name)
            if len(looks) < SCENES:
                looks.append(look_at(scene))
    if not looks:
        raise ValueError(
            f"{path}: found no scene of two frames or more that is not black, expected a video, or folders that each "
            "hold the frames of one scene"
        )
    scenes = len(names) * len(units) // len(chosen) if kind == "video" else len(units)
    frames = max(2, count_frames(kind, path) // scenes)
    return Survey(kind, path, tuple(_parts(kind, units, names)), scenes, frames, tuple(looks))


def _is_black(scene: Scene) -> bool:
    # Of 16 bits and of floats nobody knows yet what white is.
    least = BLACK * scene.white if scene.frames.dtype == np.uint8 else 0.0
    return float(scene.frames.max()) <= least


def look_at(scene: Scene) -> Look:
    """Return what the frames of a scene show."""
    codes = scene.frames
    *_, height, width = codes.shape
    if min(height, width) < SIDE + SHIFT:
        raise ValueError(f"{scene.name}: found {height} x {width} px, expected at least {SIDE + SHIFT} px each way")
    gray = bool((codes == codes[:, :1]).all())
    values = (codes[:, :1] if gray else codes).astype(np.float32) / np.float32(scene.white)
    if not np.isfinite(values).all():
        raise ValueError(f"{scene.name}: found values that are not finite, expected numbers")
    whole = np.issubdtype(codes.dtype, np.integer)
    step = code_step(codes[0]) if whole else 0
    return Look(
        name=scene.name,
        height=height,
        width=width,
        gray=gray,
        bits=round(np.log2((scene.white + 1) / step)) if whole else 32,
        white=scene.white,
        brightest=float(values.max()),
        motion=_motion(values),
        noise=estimate_noise(values[::APART], step / scene.white),
        shared=tuple(shared_noise(values[[0, lag]]) for lag in LAGS if lag < len(values)),
        frames=values[:2].copy(),
    )


def _motion(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return median and 95 % quantile of the lengths of motion between neighbouring frames, px.

    Frames that repeat the one before, as a film has them in a faster video, tell nothing.
    """
    flow = Dis(values.shape[1], blur=BLUR)
    moving = [at for at in range(len(values) - 1) if not np.array_equal(values[at], values[at + 1])] or [0]
    lengths = []
    for start in sorted({moving[0], moving[len(moving) // 2], moving[-1]}):
        target, source = (torch.from_numpy(values[at : at + 1]) for at in (start, start + 1))
        lengths.append(np.linalg.norm(flow(target, source)[0].numpy(), axis=0).ravel())
    middle, high = np.quantile(np.concatenate(lengths), (0.5, 0.95))
    return float(middle), float(high)


def count_frames(kind: str, path: Path) -> int:
    """Return how many frames there are; of a video what its header tells, or its length makes likely."""
    if kind == "folder":
        return sum(len(files) for _, files in walk(scenes_root(path)))
    if kind == "stack":
        return sum(map(stack.count_frames, [path] if path.is_file() else stack.list_stacks(path)))
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.suffix.lower() in video.SUFFIXES]
    return sum(map(_told_frames, files))


def _told_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.frames or container.duration is None:
            return int(stream.frames)
        return int(container.duration / av.time_base * float(stream.average_rate or 25))


def _parts(kind: str, units: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    if kind != "video":
        yield from map(_exactly, units)
    elif len(units) > 1:
        yield from (f"{_exactly(Path(unit).with_suffix('').as_posix())}/*" for unit in units)
    else:
        yield from map(_exactly, names)


def _exactly(name: str) -> str:
    """Return the pattern that takes this name alone; "@" at its start would stand for a list."""
    pattern = glob.escape(name)
    return f"[@]{pattern[1:]}" if pattern.startswith("@") else pattern
