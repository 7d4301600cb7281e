"""Video files, cut into shots."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.images.files import to_color
from self2align.images.names import natural
from self2align.images.types import Pixels
from self2align.sources.cuts import HEIGHT, WIDTH, find_shots
from self2align.sources.source import Selection, refusal, takes
from self2align.stores.scene import Scene
from self2align.videos.decoding import Damage, decode
from self2align.videos.opening import SUFFIXES, find_footage, opened
from self2align.videos.pixels import pixels_of


class Video:
    """Scenes from a video file, or from a folder of them at any depth: every shot is one.

    A scene is named by its file, relative to the root and without suffix, and by the number of the shot in
    it: "holiday/beach/003". Frames of RGB and gray are 8-bit, or 16-bit where the file has more than 8; those of
    YUV are held in 16 bits, what lies below black and above white too. They are upright where the file says how it
    was held.

    Parameters
    ----------
    path
        A file (any suffix) or a folder.
    selection
        Which frames.
    """

    def __init__(self, path: Path, selection: Selection) -> None:
        self.path = path
        self.selection = selection

    def units(self) -> list[str]:
        """Return the video files that may hold a wanted scene."""
        files = self._files()
        names = [self._name(file) for file in files]
        for file, name, previous in zip(files[1:], names[1:], names, strict=False):
            if name == previous:
                raise ValueError(f"{self.path / file}: found another video of that name beside it, expected one")
        units = [file for file, name in zip(files, names, strict=True) if may_take(self.selection, name)]
        if not units:
            raise refusal([f"{name}/000" for name in names], self.selection, self.path)
        return units

    def check(self, unit: str) -> str:
        """Refuse a file without footage; return which streams are not read. Damage is found by decoding."""
        path = self.path if self.path.is_file() else self.path / unit
        with opened(path) as container:
            notes = find_footage(path, container).notes
        return f"{path}: {'; '.join(notes)}" if notes else ""

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the wanted shots of one file."""
        path = self.path if self.path.is_file() else self.path / unit
        return read_shots(path, self._name(unit), self.selection)

    def _files(self) -> list[str]:
        if self.path.is_file():
            return [self.path.name]
        if not self.path.is_dir():
            raise ValueError(f"{self.path}: found nothing, expected a video file or a folder of them")
        inside = [file.relative_to(self.path) for file in self.path.rglob("*") if file.suffix.lower() in SUFFIXES]
        shown = [file for file in inside if not any(part.startswith(".") for part in file.parts)]
        files = [file.as_posix() for file in shown if (self.path / file).is_file()]
        if not files:
            raise ValueError(f"{self.path}: found no videos, expected some ({', '.join(sorted(SUFFIXES))})")
        return sorted(files, key=lambda file: (natural(self._name(file)), file))

    def _name(self, file: str) -> str:
        return Path(file).with_suffix("").as_posix()


def may_take(selection: Selection, name: str) -> bool:
    """Whether a selection can take any shot of the video of that name; few have ten thousand."""
    return any(takes(selection, f"{name}/{index:03d}") for index in range(10_000))


def read_shots(path: Path, name: str, selection: Selection) -> Iterator[Scene]:
    """Yield the wanted shots of a video as scenes "<name>/000", "<name>/001", ...

    The file is decoded twice, for its cuts and for its frames, so that no more than one scene (and of it
    no more than what is kept) is ever in memory. Numbers count all shots, wanted or not. Where damaged frames are
    left out, a shot ends.

    Raises
    ------
    ValueError
        If the file has no video or does not decode to its end.
    """
    damage = Damage()
    found = find_shots(_thumbnails(path, damage if selection.skip_damaged else None))
    bounds = {bound for shot in found for bound in shot}
    shots = list(pairwise(sorted(bounds | damage.starts)))
    names = [f"{name}/{index:03d}" for index in range(len(shots))]
    wanted = [index for index, shot in enumerate(names) if takes(selection, shot)]
    again = Damage() if selection.skip_damaged else None
    with closing(decode(path, again)) as frames:
        for index, (start, stop) in enumerate(shots[: max(wanted, default=-1) + 1]):
            shot = islice(frames, stop - start)
            if index in wanted:
                lost = [line for at, line in damage.gaps if at == start] + (
                    damage.ends if (start, stop) == shots[-1] else []
                )
                yield _scene(names[index], path, shot, stop - start, selection, tuple(lost))
            for _ in shot:  # what was not wanted of it
                pass


def _scene(
    name: str, path: Path, shot: Iterator[Any], length: int, selection: Selection, lost: tuple[str, ...]
) -> Scene:
    """Read the wanted frames of one shot."""
    count = len(range(0, length, selection.step)[: selection.max_frames])
    frames: Pixels | None = None
    interlaced = False
    for index, picture in enumerate(islice(shot, 0, (count - 1) * selection.step + 1, selection.step)):
        pixels = pixels_of(path, picture)
        stored, coding = pixels.stored(picture)
        frame = to_color(_upright(stored, picture.rotation), selection.color)
        if frames is None:
            held, white, bits = coding, pixels.white, pixels.bits
            frames = np.empty((count, *frame.shape), dtype=frame.dtype)
        if frame.shape != frames.shape[1:]:
            (h, w), (height, width) = frame.shape[1:], frames.shape[2:]
            raise ValueError(f"{path}: found {w} x {h} pixels in {name}, expected {width} x {height} throughout")
        interlaced = interlaced or picture.interlaced_frame
        if coding != held:
            raise ValueError(f"{path}: found pixels of {picture.format.name} in {name}, expected one kind throughout")
        frames[index] = frame
    assert frames is not None, name
    scale, offset = held.scale * white, held.offset * white
    return Scene(name, frames, white, None, scale, offset, bits if offset else None, lost, interlaced, length)


def _upright(pixels: NDArray[Any], rotation: int) -> Pixels:
    """Return pixels ``(C, H, W)`` turned by what the file says, in degrees counter-clockwise."""
    return np.ascontiguousarray(np.rot90(pixels, k=(rotation // 90) % 4, axes=(1, 2)))


def _thumbnails(path: Path, damage: Damage | None) -> Iterator[NDArray[np.uint8]]:
    for frame in decode(path, damage):
        small = frame.reformat(width=WIDTH, height=HEIGHT, format="rgb24", interpolation="AREA")
        yield small.to_ndarray().astype(np.uint8, copy=False)
