"""Which pages of a TIFF file are its footage, and what their axes mean."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage, TiffPageSeries

from self2align.images.axes import Axes, named
from self2align.images.tiff import TiffArray, as_line, check_page, colours_of, opened, page_of, unread

# Kinds of files that say what their axes mean, by tifffile's names. Of others, pages that are alike are taken together.
_TELLING: tuple[str, ...] = ("shaped", "lsm", "mmstack", "ome", "imagej", "ndtiff", "fluoview", "stk", "sis", "svs")
_TELLING += ("scn", "qpi", "ndpi", "bif", "avs", "philips", "scanimage")
_TIFFFILE_AS_IMAGEJ = "1.11a"  # the version that tifffile writes; it calls frames channels unless told their axes


@dataclass(frozen=True)
class Layout:
    """What a TIFF file holds.

    Attributes
    ----------
    axes
        Of the footage: axes across pages, then those within a page; without alpha.
    numbers
        The file's pages that are its footage, in the order of the axes across pages.
    inside
        Lengths of the axes within a page, as stored.
    samples
        Which of these are samples, and how many samples are light; None if all are.
    dtype
        Type of the values.
    white
        The greatest value of packed bits, 4095 for 12; None for whole bytes.
    first
        The first of them that is listed.
    virtual
        Whether it is the only one listed, as in ImageJ's stacks of more than 4 GiB; `numbers` then count from 0.
    others
        Pages that are no part of the footage and can be copied; thumbnails, labels.
    left_out
        Pages that are neither read nor copied, such as levels of a pyramid.
    remarks
        What else to know of how the file was read.
    """

    axes: Axes
    numbers: tuple[int, ...]
    inside: tuple[int, ...]
    samples: tuple[int, int] | None
    dtype: np.dtype[Any]
    white: float | None
    first: int
    virtual: bool
    others: tuple[int, ...]
    left_out: tuple[int, ...]
    remarks: tuple[str, ...]

    def describe(self, path: Path) -> str:
        """Return the line that says how the file is read."""
        return "; ".join([self.axes.describe(path, self.dtype.name), *self.remarks])

    def array(self, file: TiffFile) -> TiffArray:
        """Return the footage of the open file."""
        lead = len(self.axes.shape) - len(self.inside)
        return TiffArray(
            file,
            numbers=np.array(self.numbers, dtype=np.int64).reshape(self.axes.shape[:lead]),
            inside=self.inside,
            cut=self.samples,
            dtype=self.dtype,
            virtual=self.first if self.virtual else None,
            # Whether a frame has rows or columns across pages.
            scattered=bool({"Y", "X"} & set(self.axes.letters[:lead])),
        )


@contextmanager
def footage(path: Path, axes: str | None = None, told: list[str] | None = None) -> Iterator[tuple[TiffFile, Layout]]:
    """Open a TIFF file and find its footage.

    Of several series, or runs of pages of another size or type, the one with most frames is the footage; of two with
    as many, that of more pixels.

    Parameters
    ----------
    path
        The file.
    axes
        A letter for each axis of the footage; None for what the file says.
    told
        See `self2align.images.tiff.opened`.

    Raises
    ------
    ValueError
        If it is broken, or holds what is not read.
    """
    with opened(path, told) as file:
        with as_line(path):
            found = _layout(path, file, axes)
        yield file, found


@dataclass(frozen=True)
class _Run:
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
    """

    axes: Axes
    numbers: tuple[int, ...]
    first: int
    virtual: bool = False
    levels: tuple[int, ...] = ()

    @property
    def rank(self) -> tuple[int, int]:
        """Number of frames, then of values: the footage is the run that has most."""
        usual = {"Y", "X"} <= set(self.axes.letters)
        return self.axes.count if usual else len(self.numbers), math.prod(self.axes.shape)


def _layout(path: Path, file: TiffFile, given: str | None) -> Layout:
    runs = _told_runs(path, file) or _alike_runs(file)
    run = max(runs, key=lambda one: one.rank)
    first = _checked(path, file, run)
    axes, remarks = _meaning(path, file, run, first, given)
    if not {"Y", "X"} <= set(axes.letters):
        raise ValueError(
            f"{path}: found axes {axes.told()}, expected Y and X among them, or axes (--axes) to name them"
        )
    lead = _across(axes.shape, len(run.numbers))
    inside, samples = axes.shape[lead:], None
    if "S" in axes.letters[lead:] and colours_of(first) < first.samplesperpixel:
        place = axes.letters.index("S")
        samples = place - lead, colours_of(first)
        axes = Axes(axes.letters, (*axes.shape[:place], colours_of(first), *axes.shape[place + 1 :]))
    used = {run.first, *run.levels} if run.virtual else {*run.numbers, *run.levels}
    rest = [number for number in range(len(file.pages)) if number not in used]
    copied = [number for number in rest if _is_copied(page_of(file, number))]
    if len(runs) > 1:
        where = f"pages {run.numbers[0]} to {run.numbers[-1]}" if len(run.numbers) > 1 else f"page {run.numbers[0]}"
        remarks.append(f"the series of most frames of {len(runs)}, {where} of {len(file.pages)}")
    dtype, bits = np.dtype(first.dtype), first.bitspersample
    packed = dtype.kind == "u" and bits != 8 * dtype.itemsize
    return Layout(
        axes=axes,
        numbers=run.numbers,
        inside=inside,
        samples=samples,
        dtype=dtype.newbyteorder("="),
        white=float(2**bits - 1) if packed else None,
        first=run.first,
        virtual=run.virtual,
        others=tuple(copied),
        left_out=(*run.levels, *(number for number in rest if number not in set(copied))),
        remarks=tuple(remarks),
    )


def _checked(path: Path, file: TiffFile, run: _Run) -> TiffPage:
    """Return the first page of a run, all of whose pages are whole, of one size and type, as far as their heads say."""
    first = page_of(file, run.first)
    check_page(path, first, run.first, len(run.numbers) - 1 if run.virtual else 0)
    kind = _kind(first)
    for number in () if run.virtual else run.numbers[1:]:
        page = page_of(file, number)
        check_page(path, page, number)
        if _kind(page) != kind:
            raise ValueError(f"{path}: found page {number} of another size or type, expected that of {run.first}")
    return first


def _kind(page: TiffPage) -> tuple[Any, ...]:
    """Return what pages of one series have in common. Compression and strips may differ."""
    return page.shape, page.axes, page.dtype, page.photometric, page.samplesperpixel, page.extrasamples


def _across(shape: tuple[int, ...], pages: int) -> int:
    """Return how many axes lie across pages."""
    lead = next((count for count in range(len(shape) + 1) if math.prod(shape[:count]) == pages), None)
    assert lead is not None, (shape, pages)
    return lead


def _is_copied(page: TiffPage) -> bool:
    """Whether a page beside the footage can be copied. Levels of a pyramid would show the noise."""
    return not page.is_reduced and unread(page) is None


def _alike_runs(file: TiffFile) -> list[_Run]:
    """Return the pages of each size and type, in their order."""
    found: dict[tuple[Any, ...], list[int]] = {}
    reduced = []
    for number in range(len(file.pages)):
        page = page_of(file, number)
        if page.is_reduced and number:
            reduced.append(number)
        else:
            found.setdefault(_kind(page), []).append(number)
    return [
        _Run(Axes(f"I{kind[1]}", (len(numbers), *kind[0])), tuple(numbers), numbers[0], levels=tuple(reduced))
        for kind, numbers in found.items()
    ]


def _told_runs(path: Path, file: TiffFile) -> list[_Run]:
    """Return the series that a file describes; none if it does not."""
    if not any(getattr(file, f"is_{kind}") for kind in _TELLING):
        return []
    told = file.series
    if any(series.kind in ("uniform", "generic") for series in told):
        return []
    return [run for series in told if (run := _told_run(path, file, series)) is not None]


def _told_run(path: Path, file: TiffFile, series: TiffPageSeries) -> _Run | None:
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
    return _Run(axes, tuple(own), own[0], levels=levels)


def _virtual_run(file: TiffFile, axes: Axes, first: TiffPage, count: int) -> _Run:
    """Return pages of which only the first is listed; ImageJ does so above 4 GiB, and tifffile can."""
    end = first.dataoffsets[0] + count * first.nbytes
    if not first.is_contiguous or end > file.filehandle.size:
        raise ValueError(f"{count} pages declared until byte {end}")
    return _Run(axes, tuple(range(count)), int(first.index), virtual=True)


def _meaning(path: Path, file: TiffFile, run: _Run, first: TiffPage, given: str | None) -> tuple[Axes, list[str]]:
    """Return what the axes of a run mean, and what to know about that."""
    remarks: list[str] = []
    if given is not None:
        return named(path, given, run.axes.shape), remarks
    axes = run.axes.trimmed()
    told = file.imagej_metadata or {}
    plain = told.get("ImageJ") == _TIFFFILE_AS_IMAGEJ and told.get("mode", "grayscale") == "grayscale"
    across = axes.letters.translate(str.maketrans("", "", "YXS"))
    if plain and across == "C":
        return Axes(axes.letters.replace("C", "I"), axes.shape), remarks
    planes = file.is_shaped and first.axes == "SYX" and not (file.shaped_metadata or ({},))[0].get("axes")
    if planes and first.photometric == PHOTOMETRIC.RGB and first.extrasamples in ((), (EXTRASAMPLE.UNASSALPHA,)):
        # What tifffile.imwrite makes of three or four gray frames, unless told otherwise; the files are the same.
        if first.extrasamples:
            further = "N" * (len(axes.letters) - 3)
            raise ValueError(
                f"{path}: found four planes that may be gray frames, or RGB with alpha, expected axes (--axes) to say "
                f"which, {further}TYX or {further}SYX, or a file written with photometric='minisblack'"
            )
        remarks.append("its three planes are taken for RGB; if they are gray frames, axes (--axes) TYX says so")
    if first.photometric == PHOTOMETRIC.MINISWHITE and 262 in first.tags:
        remarks.append("zero is white, and values are taken as they are")
    return axes, remarks
