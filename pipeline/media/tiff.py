"""TIFF files of any number of pages: ImageJ, OME and others."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, TiffFile, TiffPage

from self2align.denoising.frames import DenoiseFrames
from self2align.images.tiff import as_line, colours_of, dtype_of, opened, page_of, virtual_pages
from self2align.media.medium import (
    Choices,
    Frames,
    check_channels,
    check_size,
    coding_of,
    count_lines,
    finish_frames,
    finished_frame,
    fitted,
)
from self2align.media.tiff_writing import not_written, write_stack
from self2align.runtime.progress import Progress

SUFFIXES = frozenset({".btf", ".tf8", ".tif", ".tiff"})

_DENSEST = 1100  # decoded bytes per byte of file; deflate reaches at most 1032


class TiffStack:
    """Pages, or groups of pages that are the channels of one picture; tags that stay valid are kept. See `Pictures`."""

    def __init__(self, source: Path, target: Path, choices: Choices) -> None:
        choices.refuse(source, "codec", "axes")
        if target.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{target}: found suffix {target.suffix!r}, expected {' or '.join(sorted(SUFFIXES))}")
        self.source, self.target = source, target
        told: list[str] = []
        with opened(source, told) as file, as_line(source):
            first = page_of(file, 0)
            self.coding = coding_of(source, dtype_of(first), choices)
            for number in range(len(file.pages)):
                self._check(page_of(file, number), number, colours_of(first))
            self.virtual = virtual_pages(file, first)
            self.pages = self.virtual or len(file.pages)
            self.groups = _groups(file, first, self.pages, choices.channels)
            check_channels(source, colours_of(first) * len(self.groups[0]), choices)
            told += _left_out(file, first, self.coding.dtype)
            self.notes = [f"{source}: {what}" for what in told]
            self.shape = (colours_of(first) * len(self.groups[0]), first.imagelength, first.imagewidth)
            self.lines = _lines(file, first, len(self.groups[0]))
        self.count = len(self.groups)
        self.sigma = choices.sigma
        with opened(source) as file:
            self._read(file, 0)  # a compression that is not decoded is found before any work
            self.coding = fitted(self._frames(file), choices)

    def _check(self, page: TiffPage, number: int, colours: int) -> None:
        where = f"{self.source}: found {{}} in page {number}, expected {{}}"
        if page.photometric not in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB):
            raise ValueError(where.format(f"colours of kind {PHOTOMETRIC(page.photometric).name}", "gray or RGB"))
        if page.axes not in ("YX", "YXS", "SYX"):
            raise ValueError(where.format(f"axes {page.axes}", "Y and X, and samples"))
        if dtype_of(page).name != self.coding.dtype:
            raise ValueError(where.format(f"values of type {dtype_of(page)}", f"{self.coding.dtype} as in page 0"))
        if colours_of(page) != colours:
            raise ValueError(where.format(f"{colours_of(page)} channels", f"{colours} as in page 0"))
        check_size(self.source, page.samplesperpixel, page.imagelength, page.imagewidth)
        size = self.source.stat().st_size
        if page.nbytes > _DENSEST * size:
            declared = f"{page.imagewidth} x {page.imagelength} pixels, {page.nbytes} bytes, declared"
            raise ValueError(where.format(declared, f"what a file of {size} bytes can hold"))
        # tifffile reads missing pixels as zeros.
        end = max((at + count for at, count in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)
        if end > size:
            raise ValueError(where.format(f"pixels until byte {end}", f"a whole file, not {size} bytes of it"))

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress) -> None:
        """See `Medium`."""
        with opened(self.source) as file:
            finish_frames(self._frames(file), scratch, denoise, progress)

    def _frames(self, file: TiffFile) -> Frames:
        return Frames(self.source, self.count, self.coding, partial(self._read, file), self.sigma)

    def still(self) -> Frames:
        """See `Pictures`."""

        def read(index: int) -> NDArray[Any]:
            with opened(self.source) as file:
                return self._read(file, index)

        return Frames(self.source, 1, self.coding, read, self.sigma)

    def _read(self, file: TiffFile, index: int) -> NDArray[Any]:
        """Return the colours of a frame, ``(C, H, W)``."""
        with as_line(self.source):
            pages = [(self._samples(file, number), colours_of(page_of(file, 0))) for number in self.groups[index]]
        return np.concatenate([samples[:colours] for samples, colours in pages])

    def _samples(self, file: TiffFile, number: int) -> NDArray[Any]:
        """Return the samples of a page, ``(S, H, W)``, in the machine's byte order."""
        page = page_of(file, 0 if self.virtual else number)
        if self.virtual:
            dtype = dtype_of(page).newbyteorder(file.byteorder)
            offset = page.dataoffsets[0] + number * page.nbytes
            pixels: NDArray[Any] = np.memmap(self.source, dtype, "r", offset, page.shape)
        else:
            pixels = np.asarray(page.asarray())
        samples = {"YX": pixels[None], "SYX": pixels, "YXS": np.moveaxis(pixels, -1, 0)}[page.axes]
        return samples.astype(self.coding.dtype, copy=False)

    def assemble(self, scratch: Path, made: Path) -> None:
        """See `Medium`."""
        with opened(self.source) as file:
            write_stack(made, file, self._made_pages(file, scratch), self.pages, self.coding.dtype)

    def _made_pages(self, file: TiffFile, scratch: Path) -> Iterator[tuple[TiffPage, NDArray[Any]]]:
        """Yield each page of the source with the samples of the result, ``(S, H, W)``."""
        places = {number: (frame, part) for frame, group in enumerate(self.groups) for part, number in enumerate(group)}
        for number in range(self.pages):
            page = page_of(file, 0 if self.virtual else number)
            frame, part = places[number]
            colours = colours_of(page)
            samples = finished_frame(scratch, frame)[part * colours : (part + 1) * colours]
            if page.samplesperpixel > colours:
                samples = np.concatenate([samples, self._samples(file, number)[colours:]])
            yield page, samples


def _groups(file: TiffFile, first: TiffPage, pages: int, channels: int) -> list[tuple[int, ...]]:
    """Return the pages of each frame: one, or one per channel if the network denoises channels together."""
    alone: list[tuple[int, ...]] = [(number,) for number in range(pages)]
    if channels == 1 or colours_of(first) > 1:
        return alone
    series = file.series[0]
    lengths = series.shape[: len(series.shape) - len(first.shape)]
    place = series.axes.find("C")
    if not 0 <= place < len(lengths) or lengths[place] != channels or np.prod(lengths) != pages:
        return alone
    table = np.moveaxis(np.arange(pages).reshape(lengths), place, -1).reshape(-1, channels)
    return [tuple(int(number) for number in group) for group in table]


def _lines(file: TiffFile, first: TiffPage, channels: int) -> int:
    """Return the number of axes along which frames lie, without channels that are denoised together."""
    series = file.series[0]
    lead = len(series.shape) - len(first.shape)
    named = dict(zip(series.axes[:lead], series.shape[:lead], strict=True))
    if file.is_imagej and (file.imagej_metadata or {}).get("mode", "grayscale") == "grayscale" and set(named) == {"C"}:
        return 1  # tifffile calls the pages of a plain stack channels
    return count_lines({letter: length for letter, length in named.items() if letter != "C" or channels == 1})


def _left_out(file: TiffFile, first: TiffPage, dtype: str) -> list[str]:
    """Return what to know about a file before the work: what is not written, and what may be meant otherwise."""
    found = not_written(file, first, dtype)
    if file.is_shaped and first.photometric == PHOTOMETRIC.RGB and first.axes == "SYX":
        # What tifffile makes of three or four gray frames of 8 or 16 bits, unless told otherwise.
        count, alpha = first.samplesperpixel, first.samplesperpixel - 3
        kind = "RGB with alpha, which is not denoised" if alpha else "RGB"
        found.append(
            f"its {count} planes are read as {kind}; if they are gray frames or channels, write them with "
            "tifffile.imwrite(..., photometric='minisblack')"
        )
    return found
