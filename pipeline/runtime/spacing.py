"""Evenly spaced places in a sequence."""

import numpy as np
from numpy.typing import NDArray


def evenly_spaced(total: int, count: int) -> NDArray[np.int64]:
    """Return at most ``count`` evenly spaced places of a sequence of ``total``, in order, without repeats.

    The first and the last place are among them; one place is the first.
    """
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(np.int64))
