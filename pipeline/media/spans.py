"""Frames of files denoised as tasks of a cluster; the run that asked for them finds them finished."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from self2align.denoising.frames import Kept, choose_denoise
from self2align.denoising.levels import FrameNoise
from self2align.denoising.tiled import TiledDenoiser
from self2align.media.medium import Medium
from self2align.runtime.devices import device
from self2align.runtime.progress import Progress, ignore, noted
from self2align.runtime.workers import run_tasks, scheduler

SEGMENT = 24  # frames: what a kill can lose, and the largest distance of key frames of a video
MOST = 256  # tasks of a file: each decodes a video from its start


@dataclass(frozen=True)
class Recipe:
    """What a worker makes the denoiser from; see `TiledDenoiser.load` and `choose_denoise`."""

    weights: Path
    memory: int
    radius: int
    aligner: Path
    unclip: bool
    one_pass: bool

    def ready(self, watch: Callable[[FrameNoise], None]) -> Kept:
        """Return what denoises frames; ``watch`` is called with the noise of each."""
        denoiser = TiledDenoiser.load(self.weights, device=device(), memory=self.memory, watch=watch)
        return choose_denoise(
            denoiser, radius=self.radius, aligner=self.aligner, unclip=self.unclip, one_pass=self.one_pass
        )


@dataclass(frozen=True)
class Seen:
    """What a task tells of its frames: their noise, and the counts of `Kept`."""

    noise: Sequence[FrameNoise]
    missing: int
    outliers: int
    frames: int


def finish_on_cluster(
    recipe: Recipe,
    denoise: Kept,
    watch: Callable[[FrameNoise], None],
    media: Sequence[tuple[Medium, Path]],
    progress: Progress,
) -> None:
    """Finish the frames of files on the workers of a cluster, if one is named; otherwise do nothing.

    Parameters
    ----------
    recipe
        Of the denoiser.
    denoise, watch
        Those of this process: they are told what the workers found.
    media
        Files to denoise, and the folder of finished frames of each.
    progress
        Called with frames done and to do.
    """
    if not scheduler():
        return
    tasks = [(medium, parts, span) for medium, parts in media for span in spans(medium.count)]
    total = sum(len(span) for *_, span in tasks)

    def shown(done: int, of: int, note: str = "") -> None:
        noted(progress)(total * done // max(1, of), total, note)

    for seen in run_tasks(finish_span, tasks, shown, common=(recipe,)):
        denoise.missing, denoise.outliers = denoise.missing + seen.missing, denoise.outliers + seen.outliers
        denoise.frames += seen.frames
        for noise in seen.noise:
            watch(noise)


def spans(count: int) -> list[range]:
    """Return consecutive frames by task: whole segments, at most `MOST` tasks a file."""
    segments = -(-count // SEGMENT)
    step = SEGMENT * max(1, -(-segments // MOST))
    return [range(at, min(at + step, count)) for at in range(0, count, step)]


def finish_span(recipe: Recipe, medium: Medium, parts: Path, span: range) -> Seen:
    """Finish some frames of a file, on a worker."""
    denoise, noise = _ready(recipe, recipe.weights.resolve().stat().st_mtime_ns)
    noise.clear()
    denoise.missing = denoise.outliers = denoise.frames = 0
    parts.mkdir(parents=True, exist_ok=True)
    medium.work(parts, denoise, ignore, span)
    # A level at each pixel is large, and nothing that is said needs it.
    slim = [replace(one, known=None) for one in noise]
    return Seen(slim, denoise.missing, denoise.outliers, denoise.frames)


@lru_cache(maxsize=1)
def _ready(recipe: Recipe, made: int) -> tuple[Kept, list[FrameNoise]]:
    noise: list[FrameNoise] = []
    return recipe.ready(noise.append), noise
