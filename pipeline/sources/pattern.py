"""Reading a fixed pattern, or the dark frame of a sensor, from a file."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.images.files import SUFFIXES, read_image
from self2align.noise.pattern import FixedPattern
from self2align.stores.codes import WHITES

NUMPY = (".npy", ".npz")


def load_pattern(path: Path) -> FixedPattern:
    """Read a pattern that `FixedPattern.save` wrote, or a dark frame: a picture, or an array ``(H, W)``, ``(C, H, W)``.

    Of a dark frame only the deviations from the median of each channel count: the level of black is kept. An array
    of floats, such as the mean of many dark frames, counts in the values of the frames' files.

    Raises
    ------
    ValueError
        If the file holds no such thing, or a value that is not finite.
    """
    suffix = path.suffix.lower()
    if suffix not in (*NUMPY, *SUFFIXES):
        known = ", ".join(sorted((*NUMPY, *SUFFIXES)))
        raise ValueError(f"{path}: found suffix {path.suffix!r}, expected a fixed pattern or dark frame: {known}")
    if not path.is_file():
        raise ValueError(f"{path}: found no such file, expected a fixed pattern or dark frame")
    values, white = _read_array(path) if suffix in NUMPY else read_image(path)
    try:
        return FixedPattern.of(values, None if values.dtype.kind == "f" and suffix != ".npz" else white)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_array(path: Path) -> tuple[NDArray[Any], float | None]:
    """Return the array of a file of NumPy's, and its white; None where it says none."""
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found, WHITES.get(found.dtype.name)
        with found:
            white = float(found["white"])
            return found["values"], None if math.isnan(white) else white
    except (ValueError, KeyError, EOFError, OSError) as error:
        raise ValueError(f"{path}: found no array that NumPy reads ({error}), expected values, (C, H, W)") from error
