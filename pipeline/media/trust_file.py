"""The file of the maps of trust of some footage: a video, a TIFF stack or a Zarr array of 8 bits, 255 being 1."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffWriter

from self2align.media.footage import footage
from self2align.media.jobs import Job
from self2align.media.medium import Medium
from self2align.media.recording import SUFFIXES as VIDEOS
from self2align.media.recording import encode
from self2align.media.trust import WHITE
from self2align.runtime.disk import at
from self2align.stores.arrays import write_frames
from self2align.stores.presence import is_zarr

Map = NDArray[np.uint8]

ARRAYS, STACKS = (".zarr",), (".tif", ".tiff")
SUFFIXES = (*STACKS, *VIDEOS, *ARRAYS)
_BIG = 2**31  # bytes of maps: above, 32-bit offsets may not be enough
QUALITY = 10  # constant rate factor of H.264: within two or three levels of 255
RATE = Fraction(25)  # frames a second, where the footage tells none


def check_trust(path: Path, source: str, media: list[tuple[Job, Medium]], output: Path, overwrite: bool) -> None:
    """Refuse a file of maps that cannot be written, before any work.

    Parameters
    ----------
    path
        The file.
    source, media, output
        Of the work: what was given, its files, and where the result goes.
    overwrite
        Whether an existing file is replaced.

    Raises
    ------
    ValueError
        For another suffix, several footages, a file that exists or lies within another, or another file system.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"trust: found {path} with suffix {path.suffix!r}, expected one of {', '.join(SUFFIXES)}")
    count = len(footage(media))
    if count != 1:
        raise ValueError(f"trust: found {count} videos, stacks or folders in {source}, expected one for {path}")
    mine = path.resolve()
    for other in {output, *([Path(source)] if Path(source).exists() else []), *(job.source for job, _ in media)}:
        theirs = other.resolve()
        if mine.is_relative_to(theirs) or theirs.is_relative_to(mine):
            raise ValueError(f"trust: found {path} and {other} one within the other, expected them apart")
    if path.exists() and not overwrite:
        raise ValueError(f"{path}: found it there already, expected a new name, or --overwrite to replace it")
    if path.exists() and (is_zarr(path) if suffix in ARRAYS else path.is_file()) is False:
        found, expected = ("a folder", "file") if path.is_dir() else ("a file", "Zarr array")
        raise ValueError(f"{path}: found {found}, expected a {expected} to replace")
    # The result and its maps are moved into place together; a rename does not cross file systems.
    if _device(path) != _device(output):
        raise ValueError(f"trust: found {path} on another file system than {output}, expected both on one")


def _device(path: Path) -> int:
    parents = path.absolute().parents
    return next(one for one in parents if one.is_dir()).stat().st_dev


def write_trust(made: Path, maps: Iterator[Map], count: int, rate: Fraction | None) -> None:
    """Write the maps of some footage.

    Parameters
    ----------
    made
        Path to write; its suffix, one of `SUFFIXES`, chooses the kind.
    maps
        ``(H, W)``, read one by one.
    count
        How many.
    rate
        Frames a second, for a video; None for 25.
    """
    suffix = made.suffix.lower()
    with at(made):
        if suffix in VIDEOS:
            encode(made, (_even(one) for one in maps), "h264", QUALITY, rate or RATE, suffix)
        elif suffix in STACKS:
            _write_stack(made, maps, count)
        else:
            write_frames(made, maps, count, {"scale_factor": 1 / WHITE, "add_offset": 0.0})


def _even(one: Map) -> Map:
    """Return a map of even sides, as 4:2:0 takes: the last row and column are repeated."""
    height, width = one.shape
    return np.pad(one, ((0, height % 2), (0, width % 2)), mode="edge")


def _write_stack(made: Path, maps: Iterator[Map], count: int) -> None:
    first = next(maps)
    with TiffWriter(made, bigtiff=count * first.size > _BIG) as out:
        for one in chain([first], maps):
            out.write(one, photometric="minisblack", compression="zlib", metadata=None, software=False)
