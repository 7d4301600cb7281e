"""Trees of images in which one folder is one scene: DAVIS, Vimeo-90K, anyone's."""

import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from self2align.images import jpeg
from self2align.images.files import SUFFIXES, check_image, read_image, to_color
from self2align.images.names import natural
from self2align.images.types import Pixels
from self2align.sources.source import Selection, choose
from self2align.stores.scene import Scene


class Folder:
    """Scenes from a tree of images: every folder that holds images is one scene, in natural order.

    A scene is named by its folder, relative to the root; images in the root itself are a scene named
    after the root. In the layouts of DAVIS (``JPEGImages/480p/<sequence>``) and Vimeo-90K
    (``sequences/00001/0001``) names start below those folders, and nothing beside them is read.
    Hidden files and files that are no images are passed over.

    Parameters
    ----------
    path
        The root.
    selection
        Which frames; a glob "@ImageSets/480p/train.txt" takes the scenes that the file lists.
    """

    def __init__(self, path: Path, selection: Selection) -> None:
        self.path = path
        self.selection = selection.without_axes("folder")

    def units(self) -> list[str]:
        """Return the names of the wanted scenes."""
        base = scenes_root(self.path)
        # Only the names matter here: a scene folder is listed when it is read.
        names = [self._name(base, folder) for folder, _ in walk(base)]
        if not names:
            raise ValueError(f"{self.path}: found no images ({', '.join(sorted(SUFFIXES))}), expected folders of them")
        if len(set(names)) < len(names):
            raise ValueError(f"{self.path}: found images in it and in {base / base.resolve().name}, expected either")
        prefix = base.relative_to(self.path).as_posix()
        return choose(sorted(names, key=natural), self.selection, self.path, "" if prefix == "." else prefix)

    def check(self, unit: str) -> str:
        """Refuse images that are not read, or differ in size."""
        files = self._wanted(unit)
        odd: dict[str, list[Path]] = {}  # remarks -> the images of which they are true
        sizes = []
        for file in files:
            remarks: list[str] = []
            sizes.append(check_image(file, remarks))
            _check_size(file, sizes[-1], files[0], sizes[0])
            if remarks:
                odd.setdefault("; ".join(remarks), []).append(file)
        return "; ".join(
            f"{alike[0]}{f' and {len(alike) - 1} more' if len(alike) > 1 else ''}: {remark}"
            for remark, alike in odd.items()
        )

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the one scene of that name."""
        frames, white = read_frames(self._wanted(unit), self.selection.color)
        yield Scene(unit, frames, white)

    def _wanted(self, unit: str) -> list[Path]:
        """Return the images of a scene that a selection takes."""
        base = scenes_root(self.path)
        folder = base if unit == self._name(base, base) and list_images(base) else base / unit
        files = list_images(folder) if folder.is_dir() else []
        if not files:
            raise ValueError(f"{folder}: found no images, expected the frames of scene {unit!r}")
        check_stems(files)
        return files[:: self.selection.step][: self.selection.max_frames]

    def _name(self, base: Path, folder: Path) -> str:
        return folder.relative_to(base).as_posix() if folder != base else base.resolve().name


def scenes_root(path: Path) -> Path:
    """Return the folder below which scenes are named, by the data set's layout."""
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise ValueError(f"{path}: found {found}, expected a folder of images")
    davis = path / "JPEGImages"
    if davis.is_dir():
        return davis / "480p" if (davis / "480p").is_dir() else davis
    return vimeo_root(path) or path


@cache
def vimeo_root(path: Path) -> Path | None:
    """Return the folder of Vimeo-90K's sequences; None for another layout. Listed once: there are 90,000."""
    vimeo = path / "sequences"
    if vimeo.is_dir():
        inside = [entry.name for entry in os.scandir(vimeo) if entry.is_dir()]
        if inside and all(re.fullmatch(r"\d{5}", name) for name in inside):
            return vimeo
    return None


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder that holds images, with their names; hidden ones are passed over."""
    # Data sets are often linked together, so links are followed, each folder once.
    seen: set[str] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        images = [name for name in files if is_image(name)]
        if images:
            yield Path(folder), images


def is_image(name: str) -> bool:
    """Whether a file name is that of a visible image."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122


def list_images(folder: Path) -> list[Path]:
    """Return the images that lie in a folder, in natural order."""
    names = [entry.name for entry in os.scandir(folder) if is_image(entry.name) and entry.is_file()]
    return [folder / name for name in sorted(names, key=natural)]


def check_stems(files: Sequence[Path]) -> None:
    """Refuse two files that differ in their suffix only: one image cannot be two frames or two scenes."""
    seen: dict[Path, Path] = {}
    for file in files:
        other = seen.setdefault(file.with_suffix(""), file)
        if other != file:
            raise ValueError(f"{file}: found {other.name} beside it, expected one image of that name")


def _check_size(file: Path, size: tuple[int, ...], first: Path, expected: tuple[int, ...]) -> None:
    """Refuse an image of another height and width than the first."""
    (h, w), (height, width) = size, expected
    if size != expected:
        raise ValueError(f"{file}: found {w} x {h} pixels, expected {width} x {height} as in {first}")


def read_frames(files: Sequence[Path], color: str) -> tuple[Pixels, float]:
    """Read images of one size and type as ``(T, C, H, W)``, with their white."""
    frames: Pixels | None = None
    white = 1.0
    for index, file in enumerate(files):
        image, own_white = read_image(file)
        if file.suffix.lower() in (".jpg", ".jpeg") and (fault := jpeg.fault_of(file.read_bytes())):
            raise ValueError(f"{file}: found {fault}, expected a whole picture: what does not decode is gray")
        frame = to_color(image, color)
        if frames is None:
            white = own_white
            frames = np.empty((len(files), *frame.shape), dtype=frame.dtype)
        _check_size(file, frame.shape[1:], files[0], frames.shape[2:])
        if frame.dtype != frames.dtype:
            raise ValueError(f"{file}: found {frame.dtype} pixels, expected {frames.dtype} as in {files[0]}")
        if own_white != white:
            raise ValueError(f"{file}: found {own_white:g} as white, expected {white:g} as in {files[0]}")
        frames[index] = frame
    assert frames is not None, "no files"
    return frames, white
