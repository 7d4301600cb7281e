"""The scale of footage whose white is not known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.stores.codes import Coding, fit_range

RANGE = (0.005, 0.995)  # quantiles: a hot pixel or a value that stands for no data does not count


def fitted(coding: Coding, frames: Sequence[NDArray[Any]]) -> Coding:
    """Return a coding under which footage lies about between 0 and 1, if under this one it does not nearly do so.

    Networks follow any scale and offset; this keeps the values in the range in which float32 and the aligner are exact.

    Parameters
    ----------
    coding
        As the type suggests it.
    frames
        Some frames, as stored; the first that does not fit decides.
    """
    for frame in frames:
        finite = frame[np.isfinite(frame)]
        if not finite.size:
            continue
        found = fit_range(coding, np.quantile(finite, RANGE))
        if found != coding:
            return found
    return coding


def sampled(count: int) -> list[int]:
    """Return which frames decide: the first, the middle and the last."""
    return sorted({0, count // 2, count - 1})
