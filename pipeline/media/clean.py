"""Clean footage of any kind as 8-bit frames, read one by one: what a simulated camera films."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.images.files import read_image
from self2align.media.jobs import kind_of, known_kinds
from self2align.sources.array import Array
from self2align.sources.folder import check_stems, list_images, walk
from self2align.sources.source import Selection
from self2align.sources.stack import read_stack
from self2align.stores.codes import Coding
from self2align.videos.decoding import decode
from self2align.videos.opening import find_footage, opened, stated_frames
from self2align.videos.pixels import pixels_of

Frame = NDArray[np.uint8]  # (H, W, 3), or (H, W) of gray footage
EIGHT_BITS = Coding("uint8", 1 / 255)
RATE = Fraction(25)  # 1/s, of footage that has none


@dataclass(frozen=True)
class CleanFootage:
    """Frames of one scene.

    Attributes
    ----------
    source
        The file or folder, for messages.
    count
        Number of frames; of a video as its header says.
    rate
        Frames a second.
    frames
        Reads them from the first on.
    """

    source: Path
    count: int
    rate: Fraction
    frames: Callable[[], Iterator[Frame]]

    @property
    def size(self) -> tuple[int, int]:
        """Return height and width of the first frame, px."""
        height, width = next(self.frames()).shape[:2]
        return height, width


def open_clean(source: Path, most: int | None = None, axes: str | None = None) -> CleanFootage:
    """Open a picture, a folder of pictures, a TIFF stack, a Zarr array or a video.

    Parameters
    ----------
    source
        Its path.
    most
        At most so many frames, from the first; None for all.
    axes
        A letter for each axis of a stack or array; None for what the file says.

    Raises
    ------
    ValueError
        If there is no such footage, or its frames differ in size, are not finite, or have other than 1 or 3 channels.
    """
    kind = kind_of(source)
    if axes is not None and kind not in ("tiff", "zarr"):
        raise ValueError(f"axes: found {axes!r} for {source}, expected none for such a file")
    rate, files = RATE, [source] if kind == "image" else []
    values: Callable[[], Iterator[NDArray[np.float32]]]
    if kind == "video":
        with opened(source) as container:
            stream: Any = container.streams[find_footage(source, container).index]
            rate = Fraction(stream.average_rate or stream.guessed_rate or RATE)
        count, values = stated_frames(source), partial(_video, source)
    elif kind in ("tiff", "zarr"):
        held = _stack(source, most, axes) if kind == "tiff" else _array(source, most, axes)
        count, values = len(held), partial(iter, held)
    else:
        files = files or _listed(source)
        count, values = len(files), partial(_pictures, files)
    return CleanFootage(source, min(count, most or count), rate, lambda: islice(_alike(source, values()), most))


def _listed(folder: Path) -> list[Path]:
    """Return the pictures of a folder."""
    if not folder.is_dir():
        found = f"suffix {folder.suffix!r}" if folder.exists() else "nothing there"
        raise ValueError(f"{folder}: found {found}, expected {known_kinds()} or a folder of pictures")
    files = list_images(folder)
    if not files:
        deeper = next(walk(folder), None)
        found = "no pictures" if deeper is None else f"pictures only further down ({deeper[0]})"
        raise ValueError(f"{folder}: found {found}, expected the frames of one scene in it")
    check_stems(files)
    return files


def _video(source: Path) -> Iterator[NDArray[np.float32]]:
    with closing(decode(source)) as frames:
        for frame in frames:
            pixels = pixels_of(source, frame)
            values = pixels.values(frame, Coding(pixels.dtype, 1 / pixels.white))
            yield np.rot90(values, k=(frame.rotation // 90) % 4, axes=(1, 2))  # upright


def _pictures(files: list[Path]) -> Iterator[NDArray[np.float32]]:
    for file in files:
        image, white = read_image(file)
        yield Coding(image.dtype.name, 1 / white).decode(image)


def _stack(source: Path, most: int | None, axes: str | None) -> NDArray[np.float32]:
    frames, white = read_stack(source, most=most, axes=axes)
    return Coding(frames.dtype.name, 1 / white).decode(frames)


def _array(source: Path, most: int | None, axes: str | None) -> NDArray[np.float32]:
    array = Array(source, Selection(max_frames=most, axes=axes))
    (unit,) = array.units()
    (scene,) = array.read(unit)
    gray = bool((scene.frames == scene.frames[:, :1]).all())
    return scene.coding.decode(scene.frames[:, :1] if gray else scene.frames)


def _alike(source: Path, values: Iterator[NDArray[np.float32]]) -> Iterator[Frame]:
    """Yield frames of 8 bits; refuse those of another size than the first."""
    first: tuple[int, ...] = ()
    for number, one in enumerate(values):
        first = first or one.shape
        if one.shape != first:
            (c, h, w), (channels, height, width) = one.shape, first
            expected = f"{width} x {height} pixels of {channels} values as the first"
            raise ValueError(f"{source}: found {w} x {h} pixels of {c} values in frame {number}, expected {expected}")
        if not np.isfinite(one).all():
            raise ValueError(f"{source}: found values that are not finite in frame {number}, expected finite ones")
        codes = EIGHT_BITS.encode(one)
        yield codes[0] if len(codes) == 1 else np.ascontiguousarray(codes.transpose(1, 2, 0))
