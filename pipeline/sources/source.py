"""The protocol of every source, and the selection of frames that it reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
    """

    glob: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    color: str = "rgb"
    step: int = 1
    max_frames: int | None = None


class Source(Protocol):
    """A source: a list of independent units of work, each read on its own (by any process)."""

    def __init__(self, path: Path, selection: Selection) -> None: ...

    def units(self) -> list[str]:
        """Return the units in order: scene folders, video files. Cheap: decodes nothing."""
        ...

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the wanted scenes of one unit, in order."""
        ...
