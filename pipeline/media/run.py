"""Denoising from file to file."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.families import load
from pipeline.media import MEDIA
from pipeline.media.jobs import Job, find_jobs
from pipeline.media.medium import Choices, Clean, Medium, Progress
from pipeline.media.staging import check_output, publish, staging, work_folder


def open_media(source: str, output: Path, choices: Choices, overwrite: bool) -> list[tuple[Job, Medium]]:
    """Find what is to be denoised and look at every file, before any work is done.

    Parameters
    ----------
    source
        A file, a folder or a pattern.
    output
        A file, or a folder for a folder or pattern.
    choices
        See `Choices`.
    overwrite
        Whether an output that is there is replaced.

    Raises
    ------
    ValueError
        When a file cannot be denoised, or its result not be written.
    """
    jobs = find_jobs(source, output)
    check_output(jobs, output, overwrite)
    return [(job, load(MEDIA, job.kind, "kind")(job.source, job.target, choices)) for job in jobs]


def denoise_media(
    media: list[tuple[Job, Medium]],
    output: Path,
    clean: Clean,
    inputs: Mapping[str, Any],
    progress: Progress,
) -> None:
    """Denoise files; go on from where a killed run of the same work ended.

    Parameters
    ----------
    media
        See `open_media`.
    output
        Appears when all of them are whole.
    clean
        What denoises frames.
    inputs
        What beside the files decides the results; JSON values only.
    progress
        Called with frames done and to do, of all files together; of a single frame, with tiles.
    """
    total = sum(medium.count for _, medium in media)
    made = {}
    with staging(output) as staged:
        before = 0
        for job, medium in media:
            folder = work_folder(staged, job, inputs)
            place = folder / f"made{job.target.suffix}"
            if not place.exists():
                parts = folder / "parts"
                parts.mkdir(parents=True, exist_ok=True)
                shown = progress if len(media) == 1 else _part(progress, before, medium.count, total)
                medium.work(parts, clean, shown)
                _assemble(medium, parts, place)
            before += medium.count
            made[job.target] = place
        publish(made, output, staged)


def _part(progress: Progress, before: int, count: int, total: int) -> Progress:
    """Return what tells of one file as of a part of all."""
    return lambda done, of: progress(before + count * done // of, total)


def _assemble(medium: Medium, parts: Path, place: Path) -> None:
    """Put a result together and give it its name when it is whole."""
    partial = place.with_name(f"partial{place.suffix}")
    if partial.is_dir():
        shutil.rmtree(partial)
    medium.assemble(parts, partial)
    partial.replace(place)
