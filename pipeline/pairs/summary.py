"""Figures of a pair store."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from self2align.runtime.tables import spread


def pair_summary(columns: Mapping[str, NDArray[Any]], skipped: int) -> dict[str, Any]:
    """Return what a pair store holds: counts, scores, exposure."""
    role = columns["role"]
    return {
        "pairs": int((role == 0).sum()),
        "validation_pairs": int((role == 1).sum()),
        "scenes_left_out": skipped,
        **{name: spread(columns[name]) for name in ("ssim", "ssim_filtered", "gain", "offset")},
    }
