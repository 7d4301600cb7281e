"""Figures for the metrics files."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.runtime.scratch import write_atomically


def spread(values: NDArray[Any]) -> dict[str, float]:
    """Return mean, median and the range of the middle nine tenths, rounded to four places."""
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
    figures = {"mean": float(np.mean(values)), "median": median, "p05": low, "p95": high}
    return {name: round(float(value), 4) for name, value in figures.items()}


def pair_summary(columns: Mapping[str, NDArray[Any]], skipped: int) -> dict[str, Any]:
    """Return what a pair store holds: counts, scores, exposure."""
    role = columns["role"]
    return {
        "pairs": int((role == 0).sum()),
        "validation_pairs": int((role == 1).sum()),
        "scenes_left_out": skipped,
        **{name: spread(columns[name]) for name in ("ssim", "ssim_filtered", "gain", "offset")},
    }


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())
