"""Numbers at rest: integer codes with CF's ``scale_factor`` and ``add_offset``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What stands for 1.0 in footage of each type, where nothing else is said.
WHITES = {"uint8": 255.0, "uint16": 65535.0, "float16": 1.0, "float32": 1.0, "float64": 1.0}

STORED = ("uint8", "uint16", "float32")  # types as which frames are stored; of others float32
ORDINARY = (0.1, 1.5)  # of white: 12 bits stored in 16 reach a sixteenth, counts stored as floats many times white
_LARGEST = float(np.finfo(np.float32).max)
FAR = 16.0  # offsets that float32 would round


@dataclass(frozen=True)
class Coding:
    """How values are held at rest: ``value = code * scale + offset``.

    uint8 and uint16 hold footage as it came; noisy frames, unclipped, are held as uint16 over the range
    that the noise can reach, whose step is far below the noise (docs/decisions/stores.md).
    """

    dtype: str
    scale: float
    offset: float = 0.0

    def decode(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """Return values, float32, 1.0 being the source's white."""
        # Values that a hostile scale carries beyond float32 become infinite, which is refused where frames are read.
        with np.errstate(over="ignore"):
            return self._decoded(codes)

    def _decoded(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        if abs(self.offset) > FAR:
            exact: NDArray[np.float32] = (codes.astype(np.float64) * self.scale + self.offset).astype(np.float32)
            return exact
        values = codes.astype(np.float32)
        if self.scale != 1.0:
            values *= np.float32(self.scale)
        if self.offset != 0.0:
            values += np.float32(self.offset)
        return values

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return codes, limited to the range of the type: of integers the nearest; of floats the values, scaled."""
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            if self.scale == 1.0 and self.offset == 0.0:
                return values.astype(dtype)
            most = float(np.finfo(dtype).max)
            return np.clip((values.astype(np.float64) - self.offset) / self.scale, -most, most).astype(dtype)
        codes = np.rint((values.astype(np.float64) - self.offset) / self.scale)
        limit = np.iinfo(dtype)
        return np.clip(codes, limit.min, limit.max).astype(dtype)

    def encode_changes(self, values: NDArray[Any], stored: NDArray[Any], dtype: str | None = None) -> NDArray[Any]:
        """Return codes of values that were ``stored`` and then changed.

        Codes stay as they were where the values did not change, or are not finite. ``dtype`` is the type of the result;
        None for the same.
        Float32, in which networks compute, does not hold all values of 32-bit integers and 64-bit floats.
        """
        alone = (values == self.decode(stored)) | ~np.isfinite(values)
        made = self if dtype is None else replace(self, dtype=dtype)
        codes: NDArray[Any] = np.where(alone, stored, made.encode(np.where(alone, 0, values)))
        return codes.astype(made.dtype, copy=False)

    def recode(self, codes: NDArray[Any], other: "Coding") -> NDArray[Any]:
        """Return codes of another coding as codes of this one; the same if the codings are."""
        return codes if other == self else self.encode(other.decode(codes))

    @property
    def reach(self) -> tuple[float, float]:
        """Return the lowest and the highest value that integers hold."""
        limit = np.iinfo(self.dtype)
        low, high = self.decode(np.array([limit.min, limit.max]))
        return float(low), float(high)

    def attributes(self) -> dict[str, Any]:
        """Return the CF attributes; none for plain numbers."""
        if self.scale == 1.0 and self.offset == 0.0:
            return {}
        return {"scale_factor": self.scale, "add_offset": self.offset}

    @staticmethod
    def of(dtype: Any, attributes: Mapping[str, Any]) -> "Coding":
        """Return the coding that an array's type and attributes tell.

        Raises
        ------
        ValueError
            If they are no finite numbers, or the scale is 0, also when rounded to float32.
        """
        scale, offset = attributes.get("scale_factor", 1.0), attributes.get("add_offset", 0.0)
        for name, value in (("scale_factor", scale), ("add_offset", offset)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _LARGEST:
                raise ValueError(f"{name}: found {value!r}, expected a finite number")
        if np.float32(scale) == 0:
            raise ValueError(f"scale_factor: found {scale!r}, expected another number than 0")
        return Coding(str(dtype), float(scale), float(offset))


# R'G'B' of the planes of video: what lies below black and above white, saturated colors too, in steps of a 64th of a
# level of 255.
VIDEO = Coding("uint16", 1 / 2**14, -1.5)


def common(codings: Collection[Coding]) -> Coding:
    """Return a coding that holds the values of all of some.

    The only one; else the one that reaches as far as all others in steps of at most a 16th of theirs (`VIDEO` for YUV
    and 8 bits, 16 bits for 8 and 16); else float32.
    """
    first, *others = codings
    if others and all(np.dtype(one.dtype).kind == "u" for one in codings):
        return next((one for one in codings if all(_holds(one, other) for other in codings)), _FLOAT)
    return _FLOAT if others else first


_FLOAT = Coding("float32", 1.0)


def _holds(one: Coding, other: Coding) -> bool:
    if one == other:
        return True
    (low, high), (lowest, highest), slack = one.reach, other.reach, one.scale / 2
    return low - slack <= lowest and highest <= high + slack and 16 * one.scale <= other.scale


def choose_coding(what: str, dtype: np.dtype[Any], white: float | None, trained: Mapping[str, float]) -> Coding:
    """Return how a type holds values.

    Parameters
    ----------
    what
        File or array, for errors.
    dtype
        The type.
    white
        The value that stands for 1.0; None for that of the training footage, or else of the type.
    trained
        White of the training footage, by the type as which it is stored (see `trained_white`); "video": its share of
        the white of the type, for footage in `VIDEO`.

    Raises
    ------
    ValueError
        If the type is no integer or real number, or white is not positive.
    """
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise ValueError(f"{what}: found values of type {dtype}, expected integers or real numbers")
    if white is not None and not white > 0:
        raise ValueError(f"white: found {white:g}, expected more than 0")
    if white is None:
        usual = WHITES.get(dtype.name, 1.0)  # where 1.0 does not fit, `fit_range` finds a better one
        found = trained_white(dtype, trained)
        white = found if found is not None else usual * (trained.get("video", 1.0) if dtype.kind == "u" else 1.0)
    return Coding(dtype.name, 1 / white)


def trained_white(dtype: np.dtype[Any], trained: Mapping[str, float]) -> float | None:
    """Return the white of the training footage for values of a type; None if training saw none of that type.

    Footage is stored as uint8, uint16 or float32, and its white is known by that type. 1.0, which floats have where
    nobody told a white, says nothing of integers.
    """
    white = trained.get(dtype.name if dtype.name in STORED else "float32")
    told = dtype.name in trained or dtype.kind == "f" or white != WHITES["float32"]
    return white if told else None


def fit_range(coding: Coding, codes: NDArray[Any]) -> Coding:
    """Return a coding under which footage lies between 0 and 1, if under this one it does not nearly do so.

    Denoising does not depend on it, but for rounding: networks follow any scale and offset.

    Parameters
    ----------
    coding
        As the type suggests it.
    codes
        Some of the footage, as stored.
    """
    finite = codes[np.isfinite(codes)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    usual = ORDINARY[0] <= high * coding.scale <= ORDINARY[1] and low * coding.scale >= -ORDINARY[1]
    if usual or high <= low:
        return coding
    return Coding(coding.dtype, 1 / (high - low), -low / (high - low))
