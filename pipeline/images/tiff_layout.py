"""Which pages of a TIFF file are its footage, and what their axes mean."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage

from self2align.images.axes import CHANNELS, UNKNOWN, Axes, check_unnamed, named
from self2align.images.ome import Alone
from self2align.images.tiff import TiffArray, as_line, colours_of, opened, page_of, unread, untold_alpha
from self2align.images.tiff_checks import check_page, check_tags
from self2align.images.tiff_runs import Run, kind_of, runs_of

# The version that tifffile writes. It calls frames channels unless told their axes, and the file is the same where it
# was told that they are channels: so they are frames, and a line says what else they may be where they are few.
_TIFFFILE_AS_IMAGEJ = "1.11a"
_FEW = 4  # pages that may be channels of one moment
_THUMBNAIL = 3  # times fewer pixels than the footage has a page that is no more than a thumbnail
_UIC2 = 33629  # MetaMorph's tag with an entry for each plane


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
    rivals
        Of both, those that are more than a level, a mask or a thumbnail: they may be footage as well.
    remarks
        What else to know of how the file was read.
    alone
        What the file holds of an OME series; None if it is of none.
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
    rivals: tuple[int, ...]
    remarks: tuple[str, ...]
    alone: Alone | None = None

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
def footage(path: Path, axes: str | None = None) -> Iterator[tuple[TiffFile, Layout]]:
    """Open a TIFF file and find its footage.

    Of several series, or runs of pages of another size or type, the one with most frames is the footage; of two with
    as many, that of more pixels.

    Parameters
    ----------
    path
        The file.
    axes
        A letter for each axis of the footage; None for what the file says.

    Raises
    ------
    ValueError
        If it is broken, or holds what is not read.
    """
    told: list[Alone] = []
    with opened(path, told) as file:
        with as_line(path):
            found = _layout(path, file, axes)
        yield file, replace(found, alone=told[0] if told else None)


def _layout(path: Path, file: TiffFile, given: str | None) -> Layout:
    runs = runs_of(path, file)
    run = max(runs, key=lambda one: one.rank)
    first = _checked(path, file, run)
    _check_counted(path, first, len(run.numbers))
    axes, remarks = _meaning(path, file, run, first, given)
    if not {"Y", "X"} <= set(axes.letters):
        raise ValueError(
            f"{path}: found axes {axes.told()}, expected Y and X among them, or axes (--axes) to name them"
        )
    lead = _across(axes.shape, len(run.numbers))
    inside, samples = axes.shape[lead:], None
    place = _samples(run.axes if given else axes)
    alpha = CHANNELS[1] if untold_alpha(first) else CHANNELS  # the letters by which a user leaves it alpha
    if place is not None and axes.letters[place] in alpha and colours_of(first) < first.samplesperpixel:
        samples = place - lead, colours_of(first)
        axes = Axes(axes.letters, (*axes.shape[:place], colours_of(first), *axes.shape[place + 1 :]))
        if given is not None and "S" not in axes.letters:
            remarks.append(f"the last of its {first.samplesperpixel} samples is alpha and no channel")
    used = {run.first, *run.levels} if run.virtual else {*run.numbers, *run.levels}
    rest = [number for number in range(len(file.pages)) if number not in used]
    for number in rest:
        check_tags(path, page_of(file, number), number)
    copied = [number for number in rest if _is_copied(page_of(file, number))]
    for number in copied:
        check_page(path, page_of(file, number), number)
    if len(runs) > 1:
        where = f"pages {run.numbers[0]} to {run.numbers[-1]}" if len(run.numbers) > 1 else f"page {run.numbers[0]}"
        remarks.append(f"the series of most frames of {len(runs)}, {where} of {len(file.pages)}")
    if run.parts > 1:
        remarks.append(f"{run.parts} series of the file are alike and taken for one")
    if rivals := [number for number in rest if _is_rival(page_of(file, number), first)]:
        remarks.append(f"pages {listed(rivals)} may be footage as well and are no part of it")
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
        rivals=tuple(rivals),
        remarks=tuple(remarks),
    )


def listed(numbers: Sequence[int]) -> str:
    """Return the first few numbers of pages."""
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")


def _checked(path: Path, file: TiffFile, run: Run) -> TiffPage:
    """Return the first page of a run, all of whose pages are whole, of one size and type, as far as their heads say."""
    first = page_of(file, run.first)
    check_page(path, first, run.first, len(run.numbers) - 1 if run.virtual else 0)
    kind = kind_of(first)
    for number in () if run.virtual else run.numbers[1:]:
        page = page_of(file, number)
        check_page(path, page, number)
        if kind_of(page) != kind:
            raise ValueError(f"{path}: found page {number} of another size or type, expected that of {run.first}")
    return first


def _samples(axes: Axes) -> int | None:
    """Return which axis the file says are the samples of a pixel; a user may call them otherwise."""
    return axes.letters.index("S") if "S" in axes.letters else None


def _is_rival(page: TiffPage, first: TiffPage) -> bool:
    """Whether a page beside the footage may be footage itself."""
    pixels = first.imagewidth * first.imagelength
    return not page.is_reduced and not page.is_mask and page.imagewidth * page.imagelength * _THUMBNAIL > pixels


def _check_counted(path: Path, first: TiffPage, held: int) -> None:
    """Refuse a stack of MetaMorph of which fewer planes are found than its table counts: pages do not list them."""
    table = first.tags.get(_UIC2)
    if table is not None and table.count > held:
        raise ValueError(
            f"{path}: found {held} of the {table.count} planes that MetaMorph's table (UIC2) counts, expected all; "
            "save them as TIFF pages"
        )


def _across(shape: tuple[int, ...], pages: int) -> int:
    """Return how many axes lie across pages."""
    lead = next((count for count in range(len(shape) + 1) if math.prod(shape[:count]) == pages), None)
    assert lead is not None, (shape, pages)
    return lead


def _is_copied(page: TiffPage) -> bool:
    """Whether a page beside the footage can be copied. Levels of a pyramid would show the noise."""
    return not page.is_reduced and unread(page) is None


def _meaning(path: Path, file: TiffFile, run: Run, first: TiffPage, given: str | None) -> tuple[Axes, list[str]]:
    """Return what the axes of a run mean, and what to know about that."""
    remarks: list[str] = []
    if given is not None:
        return named(path, given, run.axes.shape), remarks
    axes = run.axes.trimmed()
    told = file.imagej_metadata or {}
    plain = told.get("ImageJ") == _TIFFFILE_AS_IMAGEJ and told.get("mode", "grayscale") == "grayscale"
    across = axes.letters.translate(str.maketrans("", "", "YXS"))
    if set(across) & set(UNKNOWN[1] + "C" * plain):
        check_unnamed(
            path, tuple(length for length, letter in zip(axes.shape, axes.letters, strict=True) if letter != "S")
        )
    if plain and across == "C":
        frames = Axes(axes.letters.replace("C", UNKNOWN[0]), axes.shape)
        if frames.count <= _FEW and frames.channel is None:
            remarks.append(f"if they are channels of one moment, axes (--axes) {axes.letters} says so")
        return frames, remarks
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
    elif untold_alpha(first) and "S" in axes.letters:
        letters = axes.letters.replace("S", "C")
        remarks.append(f"its fourth sample is taken for alpha; if it is a channel, axes (--axes) {letters} says so")
    if first.photometric == PHOTOMETRIC.MINISWHITE and 262 in first.tags:
        remarks.append("zero is white, and values are taken as they are")
    return axes, remarks
