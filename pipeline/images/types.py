"""Types of values: which are read, and as what frames are stored for training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.stores.codes import STORED

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]

_STEPS = 2.0**16  # a value may be rounded by one of so many steps of its range: frames with noise are stored so, too


def stored(what: str, values: NDArray[Any]) -> Pixels:
    """Return values in a type in which frames are stored: other integers and floats become float32.

    Parameters
    ----------
    what
        File, for errors.
    values
        Integers or real numbers of 8 to 64 bits, any shape.

    Raises
    ------
    ValueError
        If they are of another type, or float32 does not hold them: integers of large offset, or floats beyond it.
    """
    if values.dtype.kind not in "uif" or values.dtype.itemsize > 8:
        raise ValueError(f"{what}: found values of type {values.dtype}, expected integers or real numbers")
    if values.dtype.name in STORED:
        kept: Pixels = values
        return kept
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    if values.dtype.itemsize > 2:
        finite = np.isfinite(values)
        exact, near = values[finite].astype(np.float64), rounded[finite].astype(np.float64)
        lost = float(np.abs(near - exact).max(initial=0.0))
        span = float(np.ptp(exact)) if exact.size else 0.0
        if lost > span / _STEPS:
            low, high = float(exact.min()), float(exact.max())
            raise ValueError(
                f"{what}: found values of type {values.dtype} from {low:.9g} to {high:.9g}, of which float32 loses up "
                f"to {lost:.3g}, expected values near 0; subtract an offset"
            )
    return rounded
