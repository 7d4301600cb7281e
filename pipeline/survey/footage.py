"""A survey of footage: kind of source, frames, motion and noise."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from self2align.images.tiff import SUFFIXES as TIFF
from self2align.noise.estimation.estimate import NoiseEstimate
from self2align.noise.profile import NoiseProfile
from self2align.runtime.spacing import evenly_spaced
from self2align.sources import stack
from self2align.sources.array import list_arrays
from self2align.sources.folder import scenes_root, walk
from self2align.sources.ingest import open_source, shows_nothing, summarised
from self2align.sources.source import Selection
from self2align.stores.presence import is_zarr
from self2align.survey.counting import count_frames
from self2align.survey.place import check_source
from self2align.survey.scene import LAGS, SceneSurvey, survey_scene
from self2align.videos.opening import SUFFIXES as VIDEOS
from self2align.videos.opening import stated_frames

SCENES = 4  # scenes that are surveyed, evenly spaced over folders or files
FRAMES = 17  # frames that are read of each scene


@dataclass(frozen=True)
class FootageSurvey:
    """Survey of footage.

    Attributes
    ----------
    kind
        A key of `self2align.sources.SOURCES`.
    path
        File or folder of the footage.
    parts
        Patterns over scene names. Each selects a part that can be held out: a scene, or a video file.
    scenes
        Number of scenes. Files that were not opened count as many as the opened ones have on average.
    frames
        Mean number of frames per scene; of videos that were not opened as their headers say.
    surveyed
        The surveyed scenes.
    axes
        What the axes of its stacks or arrays mean, if the user said so.
    readings
        Lines that say how stacks and arrays are read.
    told
        What to know about its files, a line each.
    skip_damaged
        Whether damaged frames are left out.
    """

    kind: str
    path: Path
    parts: tuple[str, ...]
    scenes: int
    frames: int
    surveyed: tuple[SceneSurvey, ...]
    axes: str | None = None
    readings: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    skip_damaged: bool = False

    @property
    def gray(self) -> bool:
        """Return whether all surveyed scenes are gray."""
        return all(scene.gray for scene in self.surveyed)

    @property
    def size(self) -> tuple[int, int]:
        """Return the smallest height and the smallest width of the surveyed scenes, px."""
        return min(scene.height for scene in self.surveyed), min(scene.width for scene in self.surveyed)

    @property
    def motion(self) -> tuple[float, float]:
        """Return the usual and the largest motion, px per frame: median of medians, maximum of 95 % quantiles."""
        medians, quantiles = zip(*(scene.motion for scene in self.surveyed), strict=True)
        return float(np.median(medians)), max(quantiles)

    @property
    def shared(self) -> dict[int, float]:
        """Return, by distance in frames, the share of the noise's variance in common: medians of the scenes."""
        common = min(len(scene.shared) for scene in self.surveyed)
        return {
            lag: float(np.median([scene.shared[at] for scene in self.surveyed])) for at, lag in enumerate(LAGS[:common])
        }

    @property
    def profile(self) -> NoiseProfile | None:
        """Return the noise between aligned frames of the scene with the median variance; None if no pixels share it."""
        known = [scene.profile for scene in self.surveyed if scene.profile is not None]
        return sorted(known, key=lambda one: float(one.variances.mean()))[len(known) // 2] if known else None

    @property
    def noise(self) -> NoiseEstimate:
        """Return the noise of the scene with the median sigma; ``unevenness`` and ``fixed`` are medians of all."""
        order = sorted((scene.noise for scene in self.surveyed), key=lambda noise: noise.sigma)
        fixed = [noise.fixed for noise in order if noise.fixed is not None]
        return replace(
            order[len(order) // 2],
            unevenness=float(np.median([noise.unevenness for noise in order])),
            fixed=float(np.median(fixed)) if fixed else None,
        )


def source_kind(path: Path, axes: str | None = None) -> str:
    """Return the kind of source that reads a path: "video", "folder", "stack" or "array".

    Raises
    ------
    ValueError
        If the path holds neither videos nor images, or is a file of another kind.
    """
    check_source(path)
    if path.is_file():
        return "stack" if path.suffix.lower() in TIFF else "video"
    if is_zarr(path):
        return "array"
    images = next(walk(path), None)
    if images is not None:
        stacks = (images[0] / name for name in sorted(images[1]) if Path(name).suffix.lower() in TIFF)
        return "stack" if any(stack.count_frames(file, axes) > 1 for file in stacks) else "folder"
    if any(file.suffix.lower() in VIDEOS for file in path.rglob("*")):
        return "video"
    if list_arrays(path):
        return "array"
    raise ValueError(f"{path}: found neither images nor videos, expected footage")


def survey_footage(path: Path, axes: str | None = None, skip_damaged: bool = False) -> FootageSurvey:
    """Survey footage: the first frames of at most four scenes, and the heads of all files.

    Parameters
    ----------
    path
        File or folder of the footage.
    axes
        What the axes of stacks and arrays mean, a letter each; None for what the files say.
    skip_damaged
        Whether damaged frames of videos are left out; else they are an error.

    Raises
    ------
    ValueError
        If it cannot be read, or no scene has two frames and shows something.
    """
    kind = source_kind(path, axes)
    if kind == "folder":
        path = scenes_root(path)  # DVC hashes all of the folder: masks and lists beside the frames need not be in it
    selection = Selection(max_frames=FRAMES, skip_damaged=skip_damaged, axes=axes)
    units = open_source(kind, path, selection).units()
    # Whatever is refused later is refused now; all frames of a folder, not only those that are surveyed.
    whole = open_source(kind, path, Selection(axes=axes))
    readings = summarised([whole.check(unit) for unit in units])
    opened = [units[at] for at in evenly_spaced(len(units), SCENES)]
    surveyed: list[SceneSurvey] = []
    names: list[str] = []
    lengths: list[int] = []
    lost: list[str] = []
    nothing = ""
    for unit in opened:
        for scene in open_source(kind, path, selection).read(unit):
            lost += [f"{path / unit if path.is_dir() else path}: left out: {line}" for line in scene.lost]
            if len(scene.frames) < 2 or shows_nothing(scene, known=False):
                why = "one frame alone" if len(scene.frames) < 2 else "frames that are black, or of one value"
                nothing = nothing or f"{why} in {unit}"
                continue
            names.append(scene.name)
            lengths.append(scene.length or 0)
            if len(surveyed) < SCENES:
                surveyed.append(survey_scene(scene))
    if not surveyed:
        raise ValueError(
            f"{path}: found {nothing or 'no frames'}{f' (read as {readings[0]})' if readings else ''}, expected two "
            "frames or more that show a scene: a video, a stack, or folders that each hold the frames of one scene"
        )
    scenes = len(names) * len(units) // len(opened) if kind == "video" else len(units)
    if kind == "video":  # what a header says may differ from what decodes
        files = [path if path.is_file() else path / unit for unit in units if unit not in opened]
        frames = max(2, (sum(lengths) + sum(map(stated_frames, files))) // scenes)
    else:
        frames = max(2, count_frames(kind, path, axes) // scenes)
    parts = tuple(_parts(kind, units, names))
    return FootageSurvey(kind, path, parts, scenes, frames, tuple(surveyed), axes, readings, tuple(lost), skip_damaged)


def _parts(kind: str, units: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    if kind != "video":
        yield from map(_exactly, units)
    elif len(units) > 1:
        yield from (f"{_exactly(Path(unit).with_suffix('').as_posix())}/*" for unit in units)
    else:
        yield from map(_exactly, names)


def _exactly(name: str) -> str:
    """Return the pattern that matches this name alone; an "@" at the start would name a list of patterns."""
    pattern = glob.escape(name)
    return f"[@]{pattern[1:]}" if pattern.startswith("@") else pattern
