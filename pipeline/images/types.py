"""Types of values: which are read, and as what frames are stored for training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.stores.codes import STORED

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]

_STEPS = 2.0**16  # a value may be rounded by one of so many steps of its range: frames with noise are stored so, too


def check_type(what: str, dtype: np.dtype[Any]) -> None:
    """Refuse a type whose values are no light.

    Raises
    ------
    ValueError
        If it is neither an integer nor a real number of 8 to 64 bits.
    """
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise ValueError(f"{what}: found values of type {dtype}, expected integers or real numbers")


def stored(what: str, values: NDArray[Any]) -> Pixels:
    """Return values in a type in which frames are stored: other integers and floats become float32.

    Parameters
    ----------
    what
        File, for errors.
    values
        Integers or real numbers of 8 to 64 bits, ``(T, C, H, W)`` or ``(C, H, W)``.

    Raises
    ------
    ValueError
        If they are of another type, or float32 does not hold them: integers of large offset, or floats beyond it.
    """
    check_type(what, values.dtype)
    if values.dtype.name in STORED:
        kept: Pixels = values
        return kept
    rounded = np.empty(values.shape, np.float32)
    low, high, lost = np.inf, -np.inf, 0.0
    # One by one: a frame in float64, its difference and what of it is finite are several times its size.
    for frame, kept32 in zip(values, rounded, strict=True):
        with np.errstate(over="ignore"):
            kept32[...] = frame
        if values.dtype.itemsize > 2 and (finite := np.isfinite(frame)).any():
            exact = frame[finite].astype(np.float64)
            lost = max(lost, float(np.abs(kept32[finite] - exact).max()))
            low, high = min(low, float(exact.min())), max(high, float(exact.max()))
    if lost > 0 and lost > (high - low) / _STEPS:
        raise ValueError(
            f"{what}: found values of type {values.dtype} from {low:.9g} to {high:.9g}, of which float32 loses up "
            f"to {lost:.3g}, expected values near 0; subtract an offset"
        )
    return rounded
