"""What every source yields: scenes of frames, with the true motion where it is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Truth:
    """True motion between pairs of frames of one scene; for measuring only.

    Attributes
    ----------
    target, source
        Frame indices within the scene, ``(P,)``, int32.
    transfer
        True transfer field, ``(P, 2, H, W)``, float32, px, x first:
        ``aligned(x) = frame[source](x + transfer(x))``.
    occluded
        ``(P, H, W)``, bool: the target's pixel cannot be seen in the source frame
        (covered there by something else, or out of the frame).
    """

    target: NDArray[np.int32]
    source: NDArray[np.int32]
    transfer: NDArray[np.float32]
    occluded: NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """Consecutive frames with no cut between them.

    Attributes
    ----------
    name
        Unique within its source, with "/" between levels ("clips/bikes/000").
    frames
        ``(T, C, H, W)``, uint8, uint16 or float32, in the source's own range.
    white
        The value that stands for 1.0: 255, 65535 or 1.
    truth
        Where the motion was made by us; else None.
    """

    name: str
    frames: NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
    white: float
    truth: Truth | None = None


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
