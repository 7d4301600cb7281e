"""A fixed pattern of the sensor: what every frame has at the same place, whatever the scene; and taking it off."""

import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from self2align.runtime.scratch import write_atomically
from self2align.stores.codes import VIDEO, WHITES, Coding

AROUND = 7  # px, of the brightness on which a pattern depends


@dataclass(frozen=True)
class FixedPattern:
    """What is taken off every frame.

    Attributes
    ----------
    values
        ``(C, H, W)``, float32, in the values of the files (0 to 255 where they have 8 bits); median 0 in each channel,
        so that black stays where it is.
    white
        The value of this unit that the type takes for white: 255, 65535 or 1; None for that of the frames.
    levels, gains
        Brightness in the same unit, rising, and by what the pattern is multiplied there, ``(K,)``; none for a pattern
        that is as strong everywhere. Gamma makes one that is added to light stronger in the dark.
    """

    values: NDArray[np.float32]
    white: float | None = None
    levels: tuple[float, ...] = ()
    gains: tuple[float, ...] = ()

    @classmethod
    def of(cls, values: NDArray[Any], white: float | None = None) -> "FixedPattern":
        """Return the pattern of a dark frame, ``(H, W)`` or ``(C, H, W)``: its deviations from each channel's median.

        Parameters
        ----------
        values
            Integers or floats.
        white
            See the class.

        Raises
        ------
        ValueError
            If it is none of these, or holds a value that is not finite.
        """
        if values.ndim == 2:
            values = values[None]
        if values.ndim != 3 or len(values) not in (1, 3) or not values.size:
            raise ValueError(f"found an array of shape {values.shape}, expected (H, W), (1, H, W) or (3, H, W)")
        if values.dtype.kind not in "uif":
            raise ValueError(f"found values of type {values.dtype}, expected integers or real numbers")
        held = values.astype(np.float64)
        missing = int((~np.isfinite(held)).sum())
        if missing:
            raise ValueError(f"found {missing} values that are not finite, expected a dark frame without such")
        held -= np.median(held, axis=(1, 2), keepdims=True)
        return cls(held.astype(np.float32), white)

    @property
    def digest(self) -> str:
        """Return what tells it from other patterns, for records of what was done."""
        text = f"{self.values.shape} {self.white} {self.levels} {self.gains} ".encode()
        return hashlib.sha256(text + self.values.astype("<f4").tobytes()).hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write the pattern as ``.npz``: ``values`` and ``white``."""
        held = io.BytesIO()
        np.savez(
            held,
            values=self.values,
            white=np.float64(self.white or math.nan),
            levels=np.array(self.levels),
            gains=np.array(self.gains),
        )
        write_atomically(path, held.getvalue())

    def check(self, what: str, channels: int, height: int, width: int) -> None:
        """Refuse frames that the pattern does not fit.

        Parameters
        ----------
        what
            The frames, for the error.
        channels, height, width
            Of a frame.
        """
        found = self.values.shape
        if found != (channels, height, width):
            raise ValueError(
                f"{what}: found frames of {width} x {height} px with {channels} channels, and a fixed pattern of "
                f"{found[2]} x {found[1]} px with {found[0]}, expected the same"
            )

    def off(self, values: NDArray[np.float32], coding: Coding) -> NDArray[np.float32]:
        """Return values of a frame, ``(C, H, W)``, white being 1.0, less the pattern; ``coding`` is their file's."""
        white = WHITES.get(coding.dtype, 1.0)
        return self._off(values, coding.scale * white / (self.white or white))

    def off_stored(self, values: NDArray[np.float32], coding: Coding) -> NDArray[np.float32]:
        """Return the same for a frame of a store, where video lies between the codes of its file."""
        if not coding.offset:
            return self.off(values, coding)
        return self._off(values, coding.scale / VIDEO.scale / (self.white or WHITES["uint8"]))

    def _off(self, values: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
        pattern = self.values * np.float32(scale)
        if not self.gains:
            return values - pattern
        # The brightness around a pixel: its own noise must not decide what is taken off it.
        known = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        around = np.stack([cv2.blur(channel, (AROUND, AROUND)) for channel in known])
        gains = np.interp(around, np.array(self.levels) * scale, self.gains)
        less: NDArray[np.float32] = values - gains.astype(np.float32) * pattern
        return less


def coding_without(coding: Coding) -> Coding:
    """Return how a store holds frames less a pattern: 8 bits in steps of a 64th of theirs, others as they were."""
    if coding.dtype != "uint8":
        return coding
    unit = coding.scale * WHITES["uint8"]
    return Coding(VIDEO.dtype, VIDEO.scale * unit, VIDEO.offset * unit)
