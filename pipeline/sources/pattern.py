"""Reading a fixed pattern, or the dark frame of a sensor, from a file."""

import math
import zipfile
from dataclasses import replace
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
    if suffix == ".npz":
        return _read_pattern(path)
    values, white = (_read_array(path), None) if suffix == ".npy" else read_image(path)
    if suffix == ".npy" and values.dtype.kind in "ui":
        white = WHITES.get(values.dtype.name)
    try:
        return FixedPattern.of(values, None if values.dtype.kind == "f" else white)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_array(path: Path) -> NDArray[Any]:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path}: found no array that NumPy reads ({error}), expected values, (C, H, W)") from error


def _read_pattern(path: Path) -> FixedPattern:
    """Return what `FixedPattern.save` wrote."""
    try:
        with np.load(path, allow_pickle=False) as found:
            values, white = found["values"], float(found["white"])
            levels, gains = (tuple(found[name].astype(float).tolist()) for name in ("levels", "gains"))
        kept = FixedPattern.of(values, None if math.isnan(white) else white)
        if len(levels) != len(gains) or not np.isfinite([*levels, *gains]).all():
            raise ValueError(f"found {len(levels)} levels and {len(gains)} gains, expected as many finite ones")
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected what self2align pattern wrote: {error}") from error
    return replace(kept, values=values.astype(np.float32), levels=levels, gains=gains)
