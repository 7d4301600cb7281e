"""The interface of a source, and the selection of its scenes by name."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Protocol

from self2align.images.files import SUFFIXES
from self2align.images.names import natural
from self2align.stores.scene import Scene


@dataclass(frozen=True)
class Selection:
    """Scenes and frames to read from a source, and their color.

    Attributes
    ----------
    glob, exclude
        ``fnmatch`` patterns over scene names; a scene is selected if any glob matches it and no exclude does.
    color
        "rgb" (C = 3; gray is repeated) or "gray" (C = 1; RGB becomes Rec. 601 luma).
    step
        Keep every step-th frame.
    max_frames
        Maximum number of frames per scene, from its first; None for all.
    """

    glob: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    color: str = "rgb"
    step: int = 1
    max_frames: int | None = None


class Source(Protocol):
    """A source: a list of independent units of work. Any process can read any unit.

    Parameters
    ----------
    path
        File or folder.
    selection
        Scenes and frames to read.
    """

    def __init__(self, path: Path, selection: Selection) -> None: ...

    def units(self) -> list[str]:
        """Return the units in order, such as scene folders or video files; decodes nothing.

        Raises
        ------
        ValueError
            If the selection matches no scene.
        """
        ...

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the selected scenes of one unit, in order."""
        ...


def takes(selection: Selection, name: str) -> bool:
    """Return whether the patterns of a selection (without list files) match a scene name."""
    return any(fnmatchcase(name, pattern) for pattern in selection.glob) and not any(
        fnmatchcase(name, pattern) for pattern in selection.exclude
    )


def choose(names: Sequence[str], selection: Selection, root: Path, base: str = "") -> list[str]:
    """Return the selected names, in their order.

    A pattern that starts with "@" names a list file relative to the root and stands for the scenes in it, one per
    line. Data sets define their splits in such files ("@sep_trainlist.txt").

    Parameters
    ----------
    names
        All scenes of the source.
    selection
        Only ``glob`` and ``exclude`` are used.
    root
        Folder of the list files; named in errors.
    base
        Folder between the root and the scenes, which lines of a list file may begin with ("JPEGImages/480p").

    Raises
    ------
    ValueError
        If no scene is selected, or a list file is missing, empty or names a scene that does not exist.
    """
    known = set(names)

    def matched(patterns: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for pattern in patterns:
            if pattern.startswith("@"):
                found |= _listed(root / pattern[1:], known, base)
            else:
                found |= {name for name in names if fnmatchcase(name, pattern)}
        return found

    chosen = matched(selection.glob) - matched(selection.exclude)
    if not chosen:
        raise refusal(names, selection, root)
    return [name for name in names if name in chosen]


def refusal(names: Sequence[str], selection: Selection, root: Path) -> ValueError:
    """Return the error for a selection that matches none of the names."""
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return ValueError(
        f"{root}: found no scene for glob {list(selection.glob)} less exclude {list(selection.exclude)}, "
        f"expected patterns that match some of the {len(names)} scenes ({some})"
    )


def _listed(path: Path, known: set[str], base: str) -> set[str]:
    """Return the scenes in a list file; all of them must exist."""
    if not path.is_file():
        raise ValueError(f"{path}: found no such file, expected a list with one scene per line")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    found: set[str] = set()
    missing: dict[str, None] = {}
    for line in filter(None, lines):
        candidates = _readings(line, base)
        hit = next((name for name in candidates if name in known), None)
        if hit is None:
            missing[candidates[-1]] = None
        else:
            found.add(hit)
    if missing:
        raise ValueError(
            f"{path}: found {len(missing)} scenes that do not exist, the first {next(iter(missing))!r}, "
            f"expected some of the {len(known)} existing ones ({', '.join(sorted(known, key=natural)[:5])})"
        )
    if not found:
        raise ValueError(f"{path}: found no line, expected a list with one scene per line")
    return found


def _readings(line: str, base: str) -> list[str]:
    """Return the scene names that a line of a list file can stand for, the most likely first.

    DAVIS 2016 lists frames with their annotations, "/JPEGImages/480p/bear/00000.jpg /Annotations/...";
    DAVIS 2017 and Vimeo-90K list scenes.
    """
    first = line.split()[0].strip("/")
    if base:
        first = first.removeprefix(f"{base}/")
    path = PurePosixPath(first)
    readings = [line, first]
    if path.suffix.lower() in SUFFIXES:
        readings += [str(path.with_suffix("")), str(path.parent)]
    return readings
