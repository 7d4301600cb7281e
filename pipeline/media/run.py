"""Denoising from file to file."""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from self2align.denoising.frames import DenoiseFrames
from self2align.media import MEDIA
from self2align.media.finishing import finish_series
from self2align.media.footage import footage
from self2align.media.jobs import Job
from self2align.media.medium import Choices, Medium, Pictures
from self2align.media.rounding import is_coarse, rounding_note
from self2align.media.staging import publish, staging, unfinished_bytes, work_folder
from self2align.media.trust import saved_map
from self2align.media.trust_file import write_trust
from self2align.runtime.disk import at, check_room, move, move_into_place
from self2align.runtime.families import load
from self2align.runtime.progress import Progress, ignore

PARTS = "parts"  # folder of the finished frames of a file
# Finishes frames of files, each with the folder for them: see `self2align.media.spans.finish_on_cluster`.
Elsewhere = Callable[[Sequence[tuple[Medium, Path]], Progress], None]


def open_media(jobs: list[Job], choices: Choices, progress: Progress = ignore) -> list[tuple[Job, Medium]]:
    """Open the files to denoise and check every one before any work is done.

    Parameters
    ----------
    jobs
        See `self2align.media.staging.asked`.
    choices
        See `Choices`.
    progress
        Called with files checked, of all; of a single video with its frames.

    Raises
    ------
    ValueError
        If a file cannot be denoised, or its result cannot be written.
    """
    media: list[tuple[Job, Medium]] = []
    types: dict[Path, str] = {}  # of the results of a folder's pictures, which may be frames of one footage
    looked_at: set[Path] = set()
    within = progress if len(jobs) == 1 else ignore
    for number, job in enumerate(jobs, 1):
        told = replace(choices, dtype=types.get(job.source.parent, choices.dtype))
        chosen = told if job.kind == "tiff" else choices
        medium: Medium = load(MEDIA, job.kind, "kind")(job.source, job.target, chosen, within)
        media.append((job, medium))
        if len(jobs) > 1:
            progress(number, len(jobs))
        if not isinstance(medium, Pictures) or medium.count > 1:
            continue
        if job.kind == "tiff":
            types.setdefault(job.source.parent, medium.choice)
        elif job.source.parent not in looked_at:  # the first picture of a folder speaks for all
            looked_at.add(job.source.parent)
            still = medium.still()
            if is_coarse(still.decode(0, still.read(0)), still.coding.scale, still.level):
                medium.notes.append(rounding_note(job.source))
    return media


def denoise_media(
    media: list[tuple[Job, Medium]],
    output: Path,
    denoise: DenoiseFrames,
    inputs: Mapping[str, Any],
    progress: Progress,
    trust: Path | None = None,
    elsewhere: Elsewhere | None = None,
) -> None:
    """Denoise files; a killed run of the same work is resumed.

    Parameters
    ----------
    media
        See `open_media`.
    output
        Appears when all results are complete.
    denoise
        Denoises frames.
    inputs
        Everything else that decides the results; JSON values only.
    progress
        Called with frames done and to do, of all files together; of a single frame, with tiles.
    trust
        File of the maps of trust of the only footage; see `self2align.media.trust_file.check_trust`.
    elsewhere
        Finishes the frames of files, each with the folder for them, where there is a cluster; None for this process.
        Pictures that are the frames of one footage, and files with maps, are left to this process.
    """
    total = sum(medium.count for _, medium in media)
    check_room(output.parent, _missing(media, output), "finished frames")
    made: dict[Path, Path] = {}
    beside: dict[Path, Path] = {}
    with staging(output) as staged:
        before = 0
        groups = footage(media) if denoise.radius else [[one] for one in media]
        if elsewhere is not None and trust is None:
            single = [(*one, _folders(staged, [one], denoise, inputs)[0]) for one, *more in groups if not more]
            elsewhere([(medium, at / PARTS) for job, medium, at in single if not _made(at, job).exists()], progress)
        for members in groups:
            folders = _folders(staged, members, denoise, inputs)
            places = [_made(folder, job) for folder, (job, _) in zip(folders, members, strict=True)]
            count = sum(medium.count for _, medium in members)
            if not all(place.exists() for place in places):
                shown = progress if len(media) == 1 else _part_of_all(progress, before, count, total)
                _make([medium for _, medium in members], folders, places, denoise, shown)
            before += count
            made |= {job.target: place for (job, _), place in zip(members, places, strict=True)}
            if trust is not None:
                beside[trust] = _with_maps([medium for _, medium in members], folders, trust.suffix)
        publish(made, output, staged, beside)


def _folders(
    staged: Path, members: Sequence[tuple[Job, Medium]], denoise: DenoiseFrames, inputs: Mapping[str, Any]
) -> list[Path]:
    """Return the folder of the work of each file of one footage; see `work_folder`."""
    names = [job.source for job, _ in members]
    near = [names[max(0, at - denoise.radius) : at + denoise.radius + 1] for at in range(len(names))]
    return [work_folder(staged, job, some, inputs) for (job, _), some in zip(members, near, strict=True)]


def _made(folder: Path, job: Job) -> Path:
    """Return the path of the result of a file in the folder of its work."""
    return folder / f"made{job.target.suffix}"


def _missing(media: list[tuple[Job, Medium]], output: Path) -> int:
    """Return how many bytes the frames of pictures take that are not yet finished."""
    pictures = [medium for _, medium in media if isinstance(medium, Pictures)]
    sizes = [one.count * math.prod(one.shape) * np.dtype(one.still().coding.dtype).itemsize for one in pictures]
    return max(0, sum(sizes) - unfinished_bytes(output))


def _make(
    media: list[Medium], folders: list[Path], places: list[Path], denoise: DenoiseFrames, progress: Progress
) -> None:
    """Denoise one file, or the pictures of one footage, and store the results at their paths."""
    parts = [folder / PARTS for folder in folders]
    for folder in parts:
        folder.mkdir(parents=True, exist_ok=True)
    if len(media) == 1:
        media[0].work(parts[0], denoise, progress)
    else:
        stills = [medium.still() for medium in media if isinstance(medium, Pictures)]
        finish_series(list(zip(stills, parts, strict=True)), denoise, progress)
    for medium, folder, place in zip(media, parts, places, strict=True):
        if not place.exists():
            _assemble(medium, folder, place)


def _with_maps(media: list[Medium], folders: list[Path], suffix: str) -> Path:
    """Return the path of the maps of trust of one footage, written from its finished frames."""
    place = folders[0] / f"trust{suffix}"
    partial = place.with_name(f"partial-{place.name}")
    if partial.is_dir():
        shutil.rmtree(partial)
    parts = [(folder / PARTS, index) for folder, one in zip(folders, media, strict=True) for index in range(one.count)]
    write_trust(partial, (saved_map(*part) for part in parts), len(parts), media[0].rate)
    move_into_place(partial, place)
    return place


def _part_of_all(progress: Progress, before: int, count: int, total: int) -> Progress:
    """Return the progress of one file as part of the whole."""
    return lambda done, of: progress(before + count * done // of, total)


def _assemble(medium: Medium, parts: Path, place: Path) -> None:
    """Assemble a result; it gets its name when it is complete."""
    partial = place.with_name(f"partial{place.suffix}")
    if partial.is_dir():
        shutil.rmtree(partial)
    with at(place):
        medium.assemble(parts, partial)
    move(partial, place)
