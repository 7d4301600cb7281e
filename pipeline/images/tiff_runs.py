"""Pages of a TIFF file that belong together: the series that it describes, else those that are alike."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tifffile import TiffFile, TiffPage, TiffPageSeries

from self2align.images.axes import UNKNOWN, Axes
from self2align.images.tiff import page_of

# Kinds of files that say what their axes mean, by tifffile's names. Of others, pages that are alike are taken together.
_TELLING: tuple[str, ...] = ("shaped", "lsm", "mmstack", "ome", "imagej", "ndtiff", "fluoview", "stk", "sis", "svs")
_TELLING += ("scn", "qpi", "ndpi", "bif", "avs", "philips", "scanimage")


@dataclass(frozen=True)
class Run:
    """Pages that belong together.

    Attributes
    ----------
    axes
        As the file tells them: those across pages, then those within a page.
    numbers
        Of the pages.
    first
        The first that is listed.
    virtual
        Whether it is the only one.
    levels
        Pages that show the same at fewer pixels.
    parts
        Of how many series of the file they are.
    """

    axes: Axes
    numbers: tuple[int, ...]
    first: int
    virtual: bool = False
    levels: tuple[int, ...] = ()
    parts: int = 1

    @property
    def rank(self) -> tuple[int, int]:
        """Number of frames, then of values: the footage is the run that has most."""
        usual = {"Y", "X"} <= set(self.axes.letters)
        return self.axes.count if usual else len(self.numbers), math.prod(self.axes.shape)


def runs_of(path: Path, file: TiffFile) -> list[Run]:
    """Return the pages of a file that belong together.

    Raises
    ------
    ValueError
        If pages are missing that the file describes.
    """
    return _joined(file, _told_runs(path, file)) or _alike_runs(file)


def kind_of(page: TiffPage) -> tuple[Any, ...]:
    """Return what pages of one series have in common. Compression and strips may differ."""
    return page.shape, page.axes, page.dtype, page.photometric, page.samplesperpixel, page.extrasamples


def _joined(file: TiffFile, runs: list[Run]) -> list[Run]:
    """Return series with those in one that say nothing of frames and are alike.

    Footage that is written frame by frame, or a few frames at a time, is described as so many series.
    """
    groups: dict[Any, list[Run]] = {}
    for number, run in enumerate(runs):
        page = page_of(file, run.first)
        own, lone = run.axes.trimmed().letters, Axes(page.axes, page.shape).trimmed().letters
        plain = own == lone or own in {f"{letter}{lone}" for letter in UNKNOWN}
        joinable = plain and not run.virtual and not page.is_reduced
        groups.setdefault(kind_of(page) if joinable else number, []).append(run)
    return [group[0] if len(group) == 1 else _one(page_of(file, group[0].first), group) for group in groups.values()]


def _one(page: TiffPage, group: list[Run]) -> Run:
    """Return series as one, in their order."""
    numbers = tuple(number for run in group for number in run.numbers)
    # The axis of frames that were written together may be another, as if channels lay last.
    letter = UNKNOWN[0] if len(numbers) == len(group) else UNKNOWN[1]
    levels = tuple(level for run in group for level in run.levels)
    axes = Axes(f"{letter}{page.axes}", (len(numbers), *page.shape))
    return Run(axes, numbers, group[0].first, levels=levels, parts=len(group))


def _alike_runs(file: TiffFile) -> list[Run]:
    """Return the pages of each size and type, in their order."""
    found: dict[tuple[Any, ...], list[int]] = {}
    reduced = []
    for number in range(len(file.pages)):
        page = page_of(file, number)
        if page.is_reduced and number:
            reduced.append(number)
        else:
            found.setdefault(kind_of(page), []).append(number)
    return [
        Run(Axes(f"I{kind[1]}", (len(numbers), *kind[0])), tuple(numbers), numbers[0], levels=tuple(reduced))
        for kind, numbers in found.items()
    ]


def _told_runs(path: Path, file: TiffFile) -> list[Run]:
    """Return the series that a file describes; none if it does not."""
    if not any(getattr(file, f"is_{kind}") for kind in _TELLING):
        return []
    told = file.series
    if any(series.kind in ("uniform", "generic") for series in told):
        return []
    return [run for series in told if (run := _told_run(path, file, series)) is not None]


def _told_run(path: Path, file: TiffFile, series: TiffPageSeries) -> Run | None:
    """Return the pages of a series; None if they lie in another place than the file's list of pages."""
    axes = Axes(series.axes, tuple(int(length) for length in series.shape))
    key = series.keyframe
    count = math.prod(axes.shape) // math.prod(key.shape)
    if series.is_truncated or (count > 1 and len(file.pages) == 1):
        return _virtual_run(file, axes, key, count)
    own = [page.index if page is not None and page.parent is file else -1 for page in series]
    if any(isinstance(number, tuple) for number in own) or max(own, default=-1) < 0:
        return None
    levels = tuple(
        page.index
        for level in series.levels[1:]
        for page in level
        if page is not None and page.parent is file and isinstance(page.index, int)
    )
    if min(own) < 0:
        held = sum(number >= 0 for number in own)
        raise ValueError(f"{path}: found {held} of the {len(own)} pages that its description lists, expected all")
    return Run(axes, tuple(own), own[0], levels=levels)


def _virtual_run(file: TiffFile, axes: Axes, first: TiffPage, count: int) -> Run:
    """Return pages of which only the first is listed; ImageJ does so above 4 GiB, and tifffile can."""
    end = first.dataoffsets[0] + count * first.nbytes
    if not first.is_contiguous or end > file.filehandle.size:
        raise ValueError(f"{count} pages declared until byte {end}")
    return Run(axes, tuple(range(count)), int(first.index), virtual=True)
