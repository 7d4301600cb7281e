"""TIFF files of any number of pages: ImageJ, OME and others."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC, PREDICTOR, TiffFile, TiffPage, TiffWriter

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
from self2align.runtime.progress import Progress

SUFFIXES = frozenset({".btf", ".tf8", ".tif", ".tiff"})

_DENSEST = 1100  # decoded bytes per byte of file; deflate reaches at most 1032
_BIG = 2**32 - 2**25  # bytes of pixels above which 32-bit offsets are not enough
# Compressions that tifffile writes itself; other lossless ones become deflate.
_CODECS = {COMPRESSION.NONE: None, COMPRESSION.LZMA: "lzma"}
_CODECS |= {COMPRESSION.ADOBE_DEFLATE: "zlib", COMPRESSION.DEFLATE: "zlib"}
# Tags on the layout of pixels, or measured on them: the new file has its own.
_LAYOUT = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 277, 278, 279, 280, 281, 282, 283, 284, 288, 289, 292, 293, 296}
    | {317, 320, 322, 323, 324, 325, 330, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521}
    | {529, 530, 531, 532, 32997, 32998, 34665, 34853, 40965}
)
_DIRECTORIES = {34665: "EXIF", 34853: "GPS", 40965: "interoperability"}  # which tifffile does not write
_RATIONALS = {5: "u4", 10: "i4"}  # tag types of two integers a value


class TiffStack:
    """Pages, or groups of pages that are the channels of one picture; tags that stay valid are kept. See `Pictures`."""

    def __init__(self, source: Path, target: Path, choices: Choices) -> None:
        choices.refuse(source, "codec", "axes")
        if target.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{target}: found suffix {target.suffix!r}, expected {' or '.join(sorted(SUFFIXES))}")
        self.source, self.target = source, target
        self.notes: list[str] = []
        with opened(source) as file, as_line(source):
            first = page_of(file, 0)
            self.coding = coding_of(source, dtype_of(first), choices)
            for number in range(len(file.pages)):
                self._check(page_of(file, number), number, colours_of(first))
            self.virtual = virtual_pages(file, first)
            self.pages = self.virtual or len(file.pages)
            self.groups = _groups(file, first, self.pages, choices.channels)
            check_channels(source, colours_of(first) * len(self.groups[0]), choices)
            self.notes += [f"{source}: {what}" for what in _left_out(file, first)]
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
        places = {number: (frame, part) for frame, group in enumerate(self.groups) for part, number in enumerate(group)}
        with opened(self.source) as file:
            big = file.is_bigtiff or self.pages * page_of(file, 0).nbytes > _BIG
            with TiffWriter(made, bigtiff=big, byteorder=file.byteorder) as out:
                for number in range(self.pages):
                    page = page_of(file, 0 if self.virtual else number)
                    frame, part = places[number]
                    colours = colours_of(page)
                    samples = finished_frame(scratch, frame)[part * colours : (part + 1) * colours]
                    if page.samplesperpixel > colours:
                        samples = np.concatenate([samples, self._samples(file, number)[colours:]])
                    told = _told(file, page) if number == 0 or not self.virtual else []
                    _write(out, page, samples, told)


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


def _left_out(file: TiffFile, first: TiffPage) -> list[str]:
    """Return what to know about a file before the work: what is not written, and what may be meant otherwise."""
    found = []
    if first.subifds:
        found.append("its reduced levels are not written")
    directories = [name for code, name in _DIRECTORIES.items() if code in first.tags]
    if directories:
        found.append(f"not written: its {' and '.join(directories)} data")
    if file.is_shaped and first.photometric == PHOTOMETRIC.RGB and first.axes == "SYX":
        # What tifffile makes of three or four gray frames of 8 or 16 bits, unless told otherwise.
        count, alpha = first.samplesperpixel, first.samplesperpixel - 3
        kind = "RGB with alpha, which is not denoised" if alpha else "RGB"
        found.append(
            f"its {count} planes are read as {kind}; if they are gray frames or channels, write them with "
            "tifffile.imwrite(..., photometric='minisblack')"
        )
    return found


def _write(out: TiffWriter, page: TiffPage, samples: NDArray[Any], told: list[tuple[int, int, int, Any, bool]]) -> None:
    """Append a page with the layout of another and new samples, ``(S, H, W)``."""
    compression = COMPRESSION(page.compression)
    codec = _CODECS.get(compression, "zlib")
    # tifffile has the float predictor only with imagecodecs.
    predictor = samples.dtype.kind != "f" and (page.predictor == PREDICTOR.HORIZONTAL or compression not in _CODECS)
    out.write(
        {"YX": samples[0], "SYX": samples, "YXS": np.moveaxis(samples, 0, -1)}[page.axes],
        # Without the tag tifffile takes zero for white.
        photometric=page.photometric if 262 in page.tags else PHOTOMETRIC.MINISBLACK,
        planarconfig=None if page.axes == "YX" else page.planarconfig,
        extrasamples=page.extrasamples or None,
        compression=codec,
        predictor=predictor,
        tile=(page.tilelength, page.tilewidth) if page.is_tiled else None,
        subfiletype=page.subfiletype or None,
        resolution=_resolution(page),
        resolutionunit=page.resolutionunit if 282 in page.tags else None,
        software=False,
        metadata=None,
        extratags=told,
    )


def _resolution(page: TiffPage) -> tuple[tuple[int, int], tuple[int, int]] | None:
    x, y = (page.tags.valueof(code) for code in (282, 283))
    return (x, y) if x and y and x[1] and y[1] else None


def _told(file: TiffFile, page: TiffPage) -> list[tuple[int, int, int, Any, bool]]:
    """Return the tags of a page that stay valid, with their raw values; rationals as integers, two a value."""
    told: list[tuple[int, int, int, Any, bool]] = []
    for tag in page.tags:
        if tag.code not in _LAYOUT:
            file.filehandle.seek(tag.valueoffset)
            value: Any = file.filehandle.read(tag.valuebytecount)
            if tag.dtype in _RATIONALS:  # of bytes tifffile counts each integer as a value
                value = np.frombuffer(value, file.byteorder + _RATIONALS[tag.dtype]).tolist()
            told.append((tag.code, int(tag.dtype), tag.count, value, False))
    return told
