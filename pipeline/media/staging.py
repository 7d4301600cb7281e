"""Unfinished work beside its output, and the single step that turns it into the output.

::

    .NAME.unfinished/       beside NAME, so that a rename moves what is finished
      lock
      0123456789abcdef/     one file's work, named by the hash of all that decides its result
        parts/              finished frames or segments
        made.tif            the result, whole
      result                the only result, or
      results/              all of them, just before the folder becomes
      beside/           what belongs to the result and lies elsewhere, and beside.json, which tells where
    .NAME.finished/         which the next run on NAME moves into place if this one is killed meanwhile
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import Timeout

from self2align.media import MEDIA
from self2align.media.jobs import Job, find_jobs
from self2align.runtime.disk import move, move_into_place, written
from self2align.runtime.families import load
from self2align.runtime.locks import locked
from self2align.runtime.provenance import code_digest
from self2align.stores.presence import is_zarr

LOCKS = ("lock", "lock.soft")
_BESIDE, _WHERE = "beside", "beside.json"
LONGEST = 255  # bytes of a name


def asked(source: str, output: Path, overwrite: bool) -> list[Job]:
    """Return the files to denoise; what names alone tell is refused, before anything heavy is loaded.

    Parameters
    ----------
    source
        A file, a folder or a pattern.
    output
        A file, or a folder for a folder or pattern.
    overwrite
        Whether an existing output is replaced.

    Raises
    ------
    ValueError
        See `self2align.media.jobs.find_jobs` and `check_output`.
    """
    jobs = find_jobs(source, output)
    check_output(jobs, output, overwrite)
    return jobs


def check_output(jobs: Sequence[Job], output: Path, overwrite: bool) -> None:
    """Refuse an existing output, unless it is to be replaced by one of the same kind.

    Parameters
    ----------
    jobs
        Their targets are ``output`` itself or lie in it; other files there are kept.
    output
        Path of the result, or of a folder of results.
    overwrite
        Whether existing results are replaced.
    """
    if output.name in ("", ".."):
        raise ValueError(f"{output}: found no name, expected the output's")
    _finish(output)
    if not os.path.lexists(output) or (output.is_dir() and not any(output.iterdir())):
        return
    if not overwrite:
        raise ValueError(f"{output}: found it there already, expected a new name, or --overwrite to replace it")
    for job in jobs:
        if job.target.is_dir() and not (job.kind == "zarr" and is_zarr(job.target)):
            raise ValueError(f"{job.target}: found a folder, which is not replaced; expected none there")
        if job.target.is_file() and job.kind == "zarr":
            raise ValueError(f"{job.target}: found a file, expected a Zarr array to replace")
    if not output.is_dir() and [job.target for job in jobs] != [output]:
        raise ValueError(f"{output}: found a file, expected a folder for the results")


@contextmanager
def staging(output: Path) -> Iterator[Path]:
    """Yield the folder of an output's unfinished work. It is removed when the work succeeds or has not started.

    Raises
    ------
    ValueError
        If another run works on the same output.
    """
    folder = _unfinished(output)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(output, folder):
        try:
            yield folder
        except BaseException:
            _remove_empty(folder)
            raise


@contextmanager
def _alone(output: Path, folder: Path) -> Iterator[None]:
    try:
        with locked(folder / "lock", timeout=0):
            yield
    except Timeout as error:
        raise ValueError(f"{output}: found another run at work on it, expected one at a time") from error


def _unfinished(output: Path) -> Path:
    return _beside(output, "unfinished")


def _finished(output: Path) -> Path:
    return _beside(output, "finished")


def _beside(output: Path, what: str) -> Path:
    """Return the path of an output's work beside it; a name that is too long for more is hashed."""
    name = f".{output.name}.{what}"
    if len(os.fsencode(name)) > LONGEST:
        name = f".{hashlib.sha256(os.fsencode(output.name)).hexdigest()[:16]}.{what}"
    return output.parent / name


def unfinished_bytes(output: Path) -> int:
    """Return the size of what former runs on an output have finished."""
    return sum(path.stat().st_size for path in _unfinished(output).rglob("*") if path.is_file())


def _remove_empty(folder: Path) -> None:
    """Remove folders without finished parts."""
    for path, _, files in os.walk(folder, topdown=False):
        if not [name for name in files if name not in LOCKS] and not any(
            item.is_dir() for item in Path(path).iterdir()
        ):
            shutil.rmtree(path)


def work_folder(staged: Path, job: Job, series: Sequence[Path], inputs: Mapping[str, Any]) -> Path:
    """Return the folder of one file's work.

    Parameters
    ----------
    staged
        See `staging`.
    job
        The file.
    series
        The files whose frames decide its result, including itself, in order.
    inputs
        Everything else that decides its result (weights, choices); JSON values only.
    """
    # Imported here: what names alone tell is checked above, before torch is loaded.
    from self2align.denoising.frames import choose_denoise

    told = [
        job.kind,
        job.target.suffix,
        [_identity(path) for path in series],
        series.index(job.source),
        dict(inputs),
        code_digest(choose_denoise, load(MEDIA, job.kind, "kind")),
    ]
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return staged / hashlib.sha256(text.encode()).hexdigest()[:16]


def _identity(source: Path) -> list[tuple[str, int, int]]:
    """Return names, sizes and times of a file, or of all files of a Zarr array."""
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    found = [(file, file.stat()) for file in files]
    return [(str(file.resolve()), status.st_size, status.st_mtime_ns) for file, status in found]


def publish(made: Mapping[Path, Path], output: Path, staged: Path, beside: Mapping[Path, Path]) -> None:
    """Move finished results to their final places: one file, or a whole folder in one step if it is new.

    A single rename decides that the work is finished; what is killed after it is moved by the next run.

    Parameters
    ----------
    made
        Path of each finished result, by target.
    output
        The only target, or the folder of all.
    staged
        See `staging`.
    beside
        Path of each finished file that lies elsewhere, on the same file system, by its final path.
    """
    if list(made) == [output]:
        move_into_place(made[output], staged / "result")
    else:
        shutil.rmtree(staged / "results", ignore_errors=True)  # a kill has left some, which are made again
        for target, place in made.items():
            move_into_place(place, staged / "results" / target.relative_to(output))
    if beside:
        names = {f"{number}{target.suffix}": target for number, target in enumerate(beside)}
        for name, target in names.items():
            move_into_place(beside[target], staged / _BESIDE / name)
        with written(staged / _WHERE, staged / f"{_WHERE}.partial") as file:
            file.write(json.dumps({name: str(target.absolute()) for name, target in names.items()}).encode())
    move(staged, _finished(output))
    _move_results(output)


def _finish(output: Path) -> None:
    """Move the results of a run into place that was killed while it did so."""
    folder = _finished(output)
    if folder.is_dir():
        with _alone(output, folder):
            _move_results(output)


def _move_results(output: Path) -> None:
    folder = _finished(output)
    result, results = folder / "result", folder / "results"
    if result.exists():
        move_into_place(result, output)
    if results.is_dir() and (not output.exists() or not any(output.iterdir())):
        move(results, output)
    for place in sorted(_each(results)):
        move_into_place(place, output / place.relative_to(results))
    if (folder / _WHERE).exists():
        for name, target in json.loads((folder / _WHERE).read_text()).items():
            if (place := folder / _BESIDE / name).exists():
                move_into_place(place, Path(target))
    shutil.rmtree(folder)


def _each(folder: Path) -> Iterator[Path]:
    """Yield the files and the Zarr arrays in a tree."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        arrays = [name for name in folders if is_zarr(here / name)]
        folders[:] = [name for name in folders if name not in arrays]
        yield from (here / name for name in (*arrays, *files))
