"""Scenes of frames, with the true motion between them where it is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from self2align.stores.codes import Coding


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
        ``(T, C, H, W)``, uint8, uint16 or float32: codes, ``value = code * scale + offset``.
    white
        The value that stands for 1.0: 255, 65535 or 1.
    truth
        Where the motion was made by us; else None.
    scale, offset
        Of the codes: 1 and 0 unless values lie between those of the source's type, or outside its range.
    bits
        Of the source's values, if its codes do not show them; else None.
    lost
        A line for each part of the source that was left out just before the scene, or after the last one.
    interlaced
        Whether frames are of two fields, recorded one after the other.
    length
        Of a shot of video: number of its frames, of which ``frames`` may be some; else None.
    """

    name: str
    frames: NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
    white: float
    truth: Truth | None = None
    scale: float = 1.0
    offset: float = 0.0
    bits: int | None = None
    lost: tuple[str, ...] = ()
    interlaced: bool = False
    length: int | None = None

    @property
    def coding(self) -> Coding:
        """Return how the frames hold values in units of white."""
        return Coding(self.frames.dtype.name, self.scale / self.white, self.offset / self.white)
