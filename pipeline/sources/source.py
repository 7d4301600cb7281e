"""What a source is, and which of its scenes a selection takes."""

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
    """Which frames of a source are wanted, and as what.

    Attributes
    ----------
    glob, exclude
        ``fnmatch`` patterns over scene names; a scene is taken when any glob matches it and no exclude does.
    color
        "rgb" (C = 3; gray is repeated) or "gray" (C = 1; RGB becomes Rec. 601 luma).
    step
        Keep every step-th frame.
    max_frames
        At most so many frames a scene, from its first; None for all.
    skip_damaged
        Whether damaged frames of a video are left out; else they are an error.
    axes
        What the axes of stacks and arrays mean, a letter each; None for what the files say. Other files have none.
    """

    glob: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    color: str = "rgb"
    step: int = 1
    max_frames: int | None = None
    skip_damaged: bool = False
    axes: str | None = None

    def without_axes(self, kind: str) -> "Selection":
        """Return the selection, for files whose axes need no names.

        Raises
        ------
        ValueError
            If it names them.
        """
        if self.axes is not None:
            raise ValueError(f"axes: found {self.axes!r} for a source of kind {kind}, expected none: stack and array")
        return self


class Source(Protocol):
    """A source: a list of independent units of work, each read on its own (by any process)."""

    def __init__(self, path: Path, selection: Selection) -> None: ...

    def units(self) -> list[str]:
        """Return the units in order: scene folders, video files. Cheap: decodes nothing."""
        ...

    def check(self, unit: str) -> str:
        """Refuse a unit that `read` would refuse, as far as the heads of its files show it, before any is decoded.

        Returns
        -------
        str
            How its file is read, where that is not plain: a stack's frames, axes and type; else "".
        """
        ...

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the wanted scenes of one unit, in order. Costs as much for each however many there are."""
        ...


def takes(selection: Selection, name: str) -> bool:
    """Whether the patterns of a selection (no lists) take the scene of this name."""
    return any(fnmatchcase(name, pattern) for pattern in selection.glob) and not any(
        fnmatchcase(name, pattern) for pattern in selection.exclude
    )


def choose(names: Sequence[str], selection: Selection, root: Path, base: str = "") -> list[str]:
    """Return the names that a selection takes, in their order.

    A pattern that starts with "@" names a list file relative to the root, one scene a line, as data
    sets ship for their splits ("@sep_trainlist.txt"): it stands for the scenes that it lists.

    Parameters
    ----------
    names
        All scenes of the source.
    selection
        Its ``glob`` and ``exclude`` are used.
    root
        Where list files are looked for; named in errors.
    base
        Folder between the root and the scenes, which a list's lines may carry ("JPEGImages/480p").
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
    """Return the error of a selection that takes none of the names."""
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return ValueError(
        f"{root}: found no scene for glob {list(selection.glob)} less exclude {list(selection.exclude)}, "
        f"expected patterns that take some of the {len(names)} there ({some})"
    )


def _listed(path: Path, known: set[str], base: str) -> set[str]:
    """Return the scenes that a list file names; all of them must exist."""
    if not path.is_file():
        raise ValueError(f"{path}: found no such file, expected a list with one scene a line")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: found bytes that are no text ({error}), expected a list in UTF-8") from error
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
            f"expected some of the {len(known)} that do ({', '.join(sorted(known, key=natural)[:5])})"
        )
    if not found:
        raise ValueError(f"{path}: found no line, expected a list with one scene a line")
    return found


def _readings(line: str, base: str) -> list[str]:
    """Return the scene names that a list's line may mean, the likeliest first.

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
