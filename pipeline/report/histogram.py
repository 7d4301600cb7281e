"""Histograms in plain text."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_EIGHTHS = " ▏▎▍▌▋▊▉"


def count_bins(values: NDArray[np.floating], bins: int = 20) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count the values in equal bins over their range.

    Parameters
    ----------
    values
        ``(N,)``; values that are not finite are left out.
    bins
        Their number.

    Returns
    -------
    counts
        ``(bins,)``.
    edges
        ``(bins + 1,)``, from the smallest value to the largest; if all are equal, half a unit around them.
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    counts, edges = np.histogram(finite, bins=bins)
    return counts.astype(np.int64), edges.astype(np.float64)


def text_bar(share: float, width: int) -> str:
    """Return a bar of block characters: ``width`` characters for a share of 1, rounded to an eighth of a character.

    Any share above 0 gives at least an eighth.
    """
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + _EIGHTHS[rest].strip()


def histogram_lines(values: NDArray[np.floating], bins: int = 20, width: int = 40) -> list[str]:
    """Return a histogram, one line per bin: from, to, count, bar.

    Parameters
    ----------
    values
        ``(N,)``.
    bins
        Their number, over the range of the values.
    width
        Of the longest bar, characters.
    """
    counts, edges = count_bins(values, bins)
    if not counts.sum():
        return ["no finite values"]
    places = _decimals(edges)
    digits = len(str(counts.max()))
    widest = max(len(f"{edge:.{places}f}") for edge in edges)
    lines = []
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        ends = f"{low:{widest}.{places}f} to {high:{widest}.{places}f}"
        lines.append(f"{ends} {count:{digits}d} {text_bar(count / counts.max(), width)}".rstrip())
    missing = len(values) - int(counts.sum())
    return [*lines, f"and {missing} that are not finite"] if missing else lines


def _decimals(edges: Sequence[float] | NDArray[np.float64]) -> int:
    """Return the number of decimals that distinguishes neighbouring edges, at least two."""
    step = float(edges[1] - edges[0])
    return int(max(2, np.ceil(-np.log10(step)) + 1)) if step < 1 else 2
