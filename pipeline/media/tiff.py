"""TIFF files of any number of pages: ImageJ, OME and others."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, PLANARCONFIG, TiffFile, TiffPage

from self2align.denoising.frames import DenoiseFrames
from self2align.images.tiff import SUFFIXES, TiffArray, as_line, decoded, opened, page_of
from self2align.images.tiff_layout import footage, listed
from self2align.media.finishing import finish_frames, finished_frame
from self2align.media.medium import (
    OF_VIDEO,
    Choices,
    Frames,
    check_channels,
    check_finite,
    check_size,
    coding_of,
    fitted,
)
from self2align.media.planes import Planes
from self2align.media.rounding import result_type
from self2align.media.tiff_writing import not_written, write_stack
from self2align.runtime.progress import Progress, ignore
from self2align.stores.codes import Coding, trained_white


class TiffStack:
    """Frames of a stack, whatever its axes; pages beside it are copied, and tags that stay valid are kept.

    See `self2align.images.tiff_layout` for what is the footage of a file, and `Pictures`.
    """

    rate: Fraction | None = None

    def __init__(self, source: Path, target: Path, choices: Choices, progress: Progress = ignore) -> None:
        choices.refuse(source, *OF_VIDEO)
        if target.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{target}: found suffix {target.suffix!r}, expected {' or '.join(sorted(SUFFIXES))}")
        self.source, self.target, self.sigma = source, target, choices.sigma
        self.pattern, self.strength, self.trust = choices.pattern, choices.strength, choices.trust
        with footage(source, choices.axes) as (file, layout):
            self.layout = layout
            self.planes = Planes(layout.axes, choices.channels)
            self.count, self.lines, self.shape = self.planes.count, self.planes.lines, self.planes.shape
            check_size(source, *self.shape)
            check_channels(source, self.planes.channels, choices)
            choices.fits(source, *self.shape)
            self.coding = coding_of(source, layout.dtype, choices)
            self.colours = self._are_colours(page_of(file, layout.first))
            known = choices.white is not None or trained_white(layout.dtype, choices.trained) is not None
            if layout.white is not None and not known:
                self.coding = Coding(layout.dtype.name, 1 / layout.white)
            self.dtype = self.coding.dtype
            array = layout.array(file)
            self._read(array, 0)  # a page that does not decode is found before any work
            check_finite(self._frames(array))
            self.coding = fitted(self._frames(array), choices)
            self.dtype, changed = result_type(self._frames(array), choices)
            self.choice = "same" if self.dtype == self.coding.dtype else self.dtype
            told = layout.alone.lines if layout.alone else []
            lost = not_written(file, page_of(file, layout.first), self.dtype)
            self.notes = [f"{source}: {what}" for what in [*told, *lost, *self._beside(), *changed]]
            self.notes += choices.gray(source, self.planes.channels)
        self.reading = layout.describe(source) if self.count > 1 or layout.remarks else ""

    def _are_colours(self, page: TiffPage) -> bool:
        """Return whether the file says that channels are red, green and blue, and nobody calls them otherwise.

        Each in a plane of its own is no word: tifffile writes any three planes of integers so, unless told their axes.
        """
        samples = self.planes.c is not None and self.planes.axes.letters[self.planes.c] == "S"
        said = page.photometric in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR) and page.planarconfig == PLANARCONFIG.CONTIG
        return samples and said

    def _beside(self) -> list[str]:
        """Return what of the file is not denoised, or not written."""
        found = []
        if self.layout.others:
            found.append(f"pages beside its footage are copied as they are: {listed(self.layout.others)}")
        if self.layout.left_out:
            found.append(f"not written: pages {listed(self.layout.left_out)}, reduced levels or what is not read")
        return found

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress, span: range | None = None) -> None:
        """See `Medium`."""
        with opened(self.source) as file:
            finish_frames(self._frames(self.layout.array(file)), scratch, denoise, progress, span)

    def _frames(self, array: TiffArray) -> Frames:
        return self._of(self.count, partial(self._read, array))

    def _of(self, count: int, read: Callable[[int], NDArray[Any]]) -> Frames:
        return Frames(
            self.source,
            count,
            self.coding,
            read,
            self.sigma,
            self.dtype,
            pattern=self.pattern,
            strength=self.strength,
            trust=self.trust,
            colours=self.colours,
        )

    def still(self) -> Frames:
        """See `Pictures`."""

        def read(index: int) -> NDArray[Any]:
            with opened(self.source) as file:
                return self._read(self.layout.array(file), index)

        return self._of(1, read)

    def _read(self, array: TiffArray, index: int) -> NDArray[Any]:
        """Return the colours of a frame, ``(C, H, W)``."""
        return self.planes.read(array.__getitem__, index)

    def assemble(self, scratch: Path, made: Path) -> None:
        """See `Medium`."""
        with opened(self.source) as file:
            first = page_of(file, self.layout.first)
            count = len(self.layout.numbers) + len(self.layout.others)
            write_stack(made, file, self._made_pages(file, scratch), first, count, self.dtype)

    def _made_pages(self, file: TiffFile, scratch: Path) -> Iterator[tuple[TiffPage, NDArray[Any]]]:
        """Yield each page of the source with the pixels of the result, in the order of the page's axes."""
        layout, pixels = self.layout, _Pixels(self, file, scratch)
        for number in sorted({*layout.others, *pixels.places}):
            page = page_of(file, number)
            if number in layout.others:
                with as_line(self.source):
                    copied = decoded(page, number)
                yield page, copied
            else:
                for place in pixels.places[number]:
                    yield page, pixels(place).reshape(page.shape)


class _Pixels:
    """Pages of the result, by their place among those of the footage.

    Parameters
    ----------
    stack
        What was read.
    file
        Its file, open.
    scratch
        Folder of the finished frames.
    """

    def __init__(self, stack: TiffStack, file: TiffFile, scratch: Path) -> None:
        layout = stack.layout
        self.stack, self.array = stack, layout.array(file)
        if layout.virtual:
            self.places = {layout.first: range(len(layout.numbers))}
        else:
            self.places = {number: range(place, place + 1) for place, number in enumerate(layout.numbers)}
        self.scratch = scratch
        # A page of such a file has a part of every frame: putting each together would open all frames for each page.
        self.whole = self._piece([slice(0, length) for length in layout.axes.shape]) if self.array.scattered else None

    def __call__(self, place: int) -> NDArray[Any]:
        """Return the pixels of a page with all its samples."""
        lead = [int(at) for at in np.unravel_index(place, self.array.numbers.shape)]
        if self.whole is not None:
            light: NDArray[Any] = self.whole[tuple(lead)]
        else:
            across = [slice(at, at + 1) for at in lead]
            within = [slice(0, length) for length in self.stack.layout.axes.shape[len(lead) :]]
            light = self._piece([*across, *within])[(0,) * len(lead)]
        if self.array.cut is None:
            return light
        pixels = self.array.stored(self.stack.layout.numbers[place]).astype(self.stack.dtype)
        self.array.light(pixels)[...] = light
        return pixels

    def _piece(self, region: list[slice]) -> NDArray[Any]:
        return self.stack.planes.piece(region, partial(finished_frame, self.scratch), self.stack.dtype)
