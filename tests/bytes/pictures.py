"""Pictures and TIFF files: what is read of them equals what others read, or is refused."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.images.tiff_layout import footage
from self2align.sources.ingest import open_source
from self2align.sources.source import Selection
from tests.bytes import judges, seeds
from tests.bytes.mutation import mutate
from tests.bytes.outcomes import Outcome, attempt
from tests.media.running import Run


@cache
def network(channels: int) -> Run:
    """Return the network that changes nothing."""
    run = Run(channels)
    run.seen.clear()
    return run


@cache
def files_of(group: str) -> dict[str, bytes]:
    """Return the seed files of a group."""
    return seeds.FILES[group]()


def mutated(group: str, draw: np.random.Generator, folder: Path) -> tuple[Path, bytes]:
    """Write a mutated file, alone in a folder, and return its path and what it was before."""
    files = files_of(group)
    name = sorted(files)[int(draw.integers(len(files)))]
    others = [other for at, other in files.items() if at != name]
    source = folder / "footage" / f"in{Path(name).suffix}"
    source.parent.mkdir()
    source.write_bytes(mutate(files[name], source.suffix, draw, others))
    return source, files[name]


def picture_case(group: str, draw: np.random.Generator, folder: Path) -> Iterator[Outcome]:
    source, whole = mutated(group, draw, folder)
    suffix, channels = source.suffix, int(draw.choice([1, 3]))
    result = folder / f"out{'.png' if suffix == '.jpg' else suffix}"
    with judges.said_by_libraries():
        yield attempt(
            "denoise",
            lambda: network(channels)(source, result, sigma=3.0),
            lambda _: picture_faults(source, whole, result, network(channels).notes),
            str(source),
            result,
        )
        kinds = [str(draw.choice(["folder", "images"])), *(["stack"] if suffix == ".tif" else [])]
        for kind in kinds:
            yield attempt(
                f"train {kind}",
                lambda kind=kind: frames_of(kind, source.parent),  # type: ignore[misc]
                lambda frames: frame_faults(source, whole, frames),
                str(source.parent),
            )


def frames_of(kind: str, path: Path) -> list[NDArray[Any]]:
    """Return all frames that a source reads, ``(C, H, W)`` each."""
    source = open_source(kind, path, Selection())
    return [frame for unit in source.units() for scene in source.read(unit) for frame in scene.frames]


def picture_faults(source: Path, whole: bytes, result: Path, notes: list[str]) -> str:
    """Return what is wrong with a result by the readings of others, if that is not said in a note."""
    suffix, data = source.suffix, source.read_bytes()
    fault = _missing(suffix, data)
    if fault and not any("is gray" in note for note in notes):
        return f"pixels are missing without a word: {fault}"
    if suffix == ".tif":
        return _tiff_faults(source, whole, judges.tiff_pages(result.read_bytes()), notes)
    found = list(judges.readings(suffix, data))
    if not found:
        return "accepted what no other reader accepts"
    shown = dict(judges.readings(result.suffix, result.read_bytes()))
    for _, pages in found:
        if any(_same(pages, after) for after in shown.values()):
            return ""
    return "other pixels than other readers find"


def _same(first: judges.Pages, second: judges.Pages) -> bool:
    """Whether one picture equals another, as far as both have the same bits; a hidden colour does not count."""
    one, other = first[0], second[0]
    if judges.alike([one], [other]):
        return True
    if one.shape[:2] != other.shape[:2] or one.dtype != other.dtype or one.ndim != 3 or other.ndim != 3:
        return False
    return bool(np.array_equal(one[..., :3], other[..., :3]))


def _missing(suffix: str, data: bytes) -> str:
    if suffix == ".png":
        return judges.png_faults(data)
    return judges.jpeg_faults(data) if suffix == ".jpg" else ""


def _tiff_faults(source: Path, whole: bytes, pages: judges.Pages, notes: list[str]) -> str:
    """Return whether pages are neither those of another reader nor those of the file before it was mutated."""
    with footage(source) as (file, layout):
        kept, count = sorted({*layout.numbers, *layout.others}), len(file.pages)
    if not layout.virtual and len(kept) < count and not any("page" in note or "series" in note for note in notes):
        return f"{count - len(kept)} of {count} pages left out without a word"
    shown = [_flat(page) for page in pages]
    for wanted in (judges.tiff_pages(whole), *(found for _, found in judges.readings(".tif", source.read_bytes()))):
        plain = [_flat(page) for page in wanted]
        some = [plain[number] for number in kept] if kept[-1] < len(plain) else plain
        # Others turn light and dark of a page that says that white is zero.
        if any(judges.alike(one, shown) for one in (plain, some, [255 - page for page in some])):
            return ""
    return f"other pixels than other readers find ({len(pages)} pages of {pages[0].shape} {pages[0].dtype})"


def _flat(page: NDArray[Any]) -> NDArray[Any]:
    """Return a page with samples last, gray as one sample, and opaque alpha left out."""
    if page.ndim == 2:
        return page
    if page.shape[0] in (3, 4) and page.shape[-1] not in (3, 4):
        page = np.moveaxis(page, 0, -1)
    if page.shape[-1] == 4 and (page[..., 3] == 255).all():
        page = page[..., :3]
    return page[..., 0] if (page == page[..., :1]).all() else page


def frame_faults(source: Path, whole: bytes, frames: list[NDArray[Any]]) -> str:
    """Return what is wrong with frames for training."""
    suffix, data = source.suffix, source.read_bytes()
    if fault := _missing(suffix, data):
        return f"pixels are missing without a word: {fault}"
    wanted = [pages for _, pages in judges.readings(suffix, data)]
    if suffix == ".tif":
        return _stack_faults(source, [judges.tiff_pages(whole), *wanted], frames)
    if not wanted:
        return "accepted what no other reader accepts"
    shown = [_flat(np.moveaxis(frame, 0, -1)) for frame in frames]
    for pages in wanted:
        pages = [_flat(page[..., :3] if page.ndim == 3 and page.shape[-1] == 4 else page) for page in pages]
        if judges.alike(pages[: len(shown)], shown):
            return ""
    return "other pixels than other readers find"


def _stack_faults(source: Path, wanted: list[judges.Pages], frames: list[NDArray[Any]]) -> str:
    """Return whether the planes of frames are none that another reader finds in the same pages, one after the other."""
    with footage(source) as (_, layout):
        numbers = layout.numbers
    shown = _planes([np.moveaxis(frame, 0, -1) for frame in frames])
    for pages in wanted:
        if len(pages) <= max(numbers):
            continue
        # Pages of another size or type are no part of the footage, which the line on the reading says.
        found = _planes([pages[number] for number in numbers])
        # Others turn light and dark of a page that says that white is zero, or does not say.
        if any(judges.alike(one, shown) for one in (found, [255 - plane for plane in found])):
            return ""
    return "other pixels than other readers find"


def _planes(pages: judges.Pages) -> judges.Pages:
    """Return the planes of pages, gray once, without alpha: frames may hold the channels of several pages."""
    planes: judges.Pages = []
    for page in map(_flat, pages):
        planes += [page] if page.ndim == 2 else [page[..., sample] for sample in range(min(3, page.shape[-1]))]
    return planes
