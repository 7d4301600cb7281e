"""The files that a path or pattern stands for, and where each result goes."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from self2align.images.names import natural
from self2align.media import SUFFIXES
from self2align.media.containers import ANY, CONTAINERS
from self2align.stores.presence import is_zarr

# What to do with formats that are not read, by the end of the name.
_VOLUME = "save its frames as a TIFF stack or a Zarr array"
_ADVICE = {
    ".gif": "convert it to a video without loss (ffmpeg -i IN.gif -c:v ffv1 OUT.mkv)",
    **dict.fromkeys((".heic", ".heif", ".avif", ".jxl", ".jp2"), "convert it to PNG"),
    **dict.fromkeys((".nii", ".nii.gz", ".dcm", ".mrc", ".map", ".h5", ".hdf5", ".npy", ".npz"), _VOLUME),
    **dict.fromkeys((".czi", ".lif", ".nd2", ".lsm", ".oib", ".stk"), f"{_VOLUME} (bioformats2raw, Fiji)"),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw"), "develop it to TIFF of 16 bits"),
}


@dataclass(frozen=True)
class Job:
    """One file to denoise.

    Attributes
    ----------
    kind
        A key of `self2align.media.KINDS`.
    source
        Its path.
    target
        Path of its result.
    """

    kind: str
    source: Path
    target: Path


def kind_of(path: Path) -> str | None:
    """Return the kind of a file, by its suffix, or of a folder that is a Zarr array; None for anything else."""
    if path.is_dir():
        return "zarr" if is_zarr(path) else None
    suffix = path.suffix.lower()
    return next((kind for kind, known in SUFFIXES.items() if suffix in known), None)


def find_jobs(source: str, output: Path) -> list[Job]:
    """Return the files of a path or pattern: one file, or all files of a folder or pattern.

    Raises
    ------
    ValueError
        If there are no files, if kinds are mixed, or if a result would overwrite its input.
    """
    path = Path(source)
    if path.is_dir() and not is_zarr(path):
        _keep_apart(path, output)
        return _many(source, path, sorted(_walk(path), key=lambda file: natural(file.as_posix())), output)
    if path.exists():
        kind = kind_of(path)
        if kind is None:
            raise ValueError(f"{path}: found suffix {path.suffix!r}, expected {known_kinds()}{_advice(path)}")
        if output.is_dir() and kind != "zarr":
            raise ValueError(f"{output}: found a folder, expected the name of the file to write")
        _keep_apart(path, output)
        return [Job(kind, path, output)]
    if glob.has_magic(source):
        base = _fixed_part(path)
        files = sorted(_matching(base, path), key=lambda file: natural(file.as_posix()))
        for file in files:
            _keep_apart(file, output)
        return _many(source, base, files, output)
    raise ValueError(f"{path}: found nothing there, expected {known_kinds()}, a folder or a pattern of them")


def _advice(path: Path) -> str:
    """Return what to do with a file of a common format that is not read; nothing for others."""
    name = path.name.lower()
    return next((f"; {what}" for suffix, what in _ADVICE.items() if name.endswith(suffix)), "")


def known_kinds() -> str:
    """Return the kinds of files that are read, in words."""
    known = sorted(frozenset[str]().union(*SUFFIXES.values()))
    return f"a picture, video ({', '.join(known)}) or Zarr array"


def _keep_apart(source: Path, output: Path) -> None:
    """Refuse an output that is the input, lies in it, or contains it."""
    inner, outer = source.resolve(), output.resolve()
    if inner == outer or (source.exists() and output.exists() and source.samefile(output)):
        raise ValueError(f"{output}: found the input itself, expected another path for the output")
    if outer.is_relative_to(inner) or inner.is_relative_to(outer):
        raise ValueError(f"{output}: found input and output ({source}) one within the other, expected them apart")


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files in a tree that can be denoised; hidden names are skipped, a Zarr array counts as one file."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        shown = sorted(name for name in folders if not name.startswith("."))
        arrays = [name for name in shown if is_zarr(here / name)]
        folders[:] = [name for name in shown if name not in arrays]
        for name in [*arrays, *files]:
            if not name.startswith(".") and kind_of(here / name) is not None:
                yield here / name


def _fixed_part(pattern: Path) -> Path:
    """Return the folder of a pattern that precedes its first wildcard."""
    fixed = Path(pattern.anchor)
    for part in pattern.relative_to(fixed).parts:
        if glob.has_magic(part):
            break
        fixed /= part
    return fixed


def _matching(base: Path, pattern: Path) -> Iterator[Path]:
    """Yield the files that match a pattern below its fixed part and can be denoised; hidden names are skipped."""
    for file in base.glob(pattern.relative_to(base).as_posix()):
        parts = file.relative_to(base).parts
        if not any(part.startswith(".") and part != ".." for part in parts) and kind_of(file) is not None:
            yield file


def _many(source: str, base: Path, files: Sequence[Path], output: Path) -> list[Job]:
    if not files:
        raise ValueError(f"{source}: found no file to denoise, expected {known_kinds()}")
    jobs: dict[Path, Job] = {}
    for file in files:
        kind = kind_of(file)
        assert kind is not None, file
        target = _target(kind, Path(os.path.normpath(output / file.relative_to(base))))
        if not target.resolve().is_relative_to(output.resolve()):
            raise ValueError(f"{file}: found a path that leads out of {output}, expected one within {base}")
        if target in jobs:
            raise ValueError(
                f"{file}: found {jobs[target].source.name} beside it, expected one result by {target.name}"
            )
        jobs[target] = Job(kind, file, target)
    kinds = sorted({"picture" if job.kind in ("image", "tiff") else job.kind for job in jobs.values()})
    if len(kinds) > 1:
        raise ValueError(
            f"{source}: found files of kinds {' and '.join(kinds)}, expected one kind; "
            "a quoted pattern takes some of them"
        )
    return list(jobs.values())


def _target(kind: str, path: Path) -> Path:
    """Return the path of a result: the suffix of its input, or that of a container that can be written."""
    if kind == "video" and path.suffix.lower() not in CONTAINERS:
        return path.with_suffix(ANY)
    return path
