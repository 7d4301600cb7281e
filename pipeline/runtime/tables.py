"""Figures on disk: tables as CSV, mappings as JSON."""

import csv
import io
import json
from collections.abc import Sequence
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


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def read_json(path: Path) -> dict[str, Any]:
    """Return the figures in a JSON file, by name.

    Raises
    ------
    ValueError
        Without the file, or if it holds no JSON object.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found no file, expected the figures of an earlier stage")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: found broken JSON ({error}), expected figures") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: found a {type(content).__name__}, expected figures by name")
    return content


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header, each as column -> text.

    Raises
    ------
    ValueError
        Without the file.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found no file, expected the table of an earlier stage")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
