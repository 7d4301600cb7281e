"""Folders of still images, each a scene of its own: Kodak, BSD300, Set14."""

from collections.abc import Iterator
from pathlib import Path

from self2align.images.files import SUFFIXES, check_image
from self2align.images.names import file_of, natural
from self2align.sources.folder import check_stems, read_frames, walk
from self2align.sources.source import Selection, choose
from self2align.stores.scene import Scene


class Images:
    """Scenes of one frame: every image of a tree, named by its path without suffix.

    Parameters
    ----------
    path
        A folder, flat or nested. Hidden files and files that are no images are passed over.
    selection
        Which images; ``step`` and ``max_frames`` do nothing, since a scene has one frame.
    """

    def __init__(self, path: Path, selection: Selection) -> None:
        self.path = path
        self.selection = selection.without_axes("images")

    def units(self) -> list[str]:
        """Return the names of the wanted images."""
        if not self.path.is_dir():
            found = "a file" if self.path.exists() else "nothing"
            raise ValueError(f"{self.path}: found {found}, expected a folder of images")
        files = [folder / name for folder, names in walk(self.path) for name in names]
        if not files:
            raise ValueError(f"{self.path}: found no images, expected some ({', '.join(sorted(SUFFIXES))})")
        check_stems(files)
        names = [file.relative_to(self.path).with_suffix("").as_posix() for file in files]
        return choose(sorted(names, key=natural), self.selection, self.path)

    def check(self, unit: str) -> str:
        """Refuse an image that is not read."""
        remarks: list[str] = []
        check_image(self._file(unit), remarks)
        return f"{self._file(unit)}: {'; '.join(remarks)}" if remarks else ""

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the image of that name."""
        frames, white = read_frames([self._file(unit)], self.selection.color)
        yield Scene(unit, frames, white)

    def _file(self, unit: str) -> Path:
        return file_of(self.path / unit, SUFFIXES)
