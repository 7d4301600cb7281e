"""Figures on disk: tables as CSV, mappings as JSON."""

import csv
import io
import json
import math
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
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: found broken JSON ({error}), expected figures") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: found a {type(content).__name__}, expected figures by name")
    return content


def read_rows(path: Path, *, texts: Sequence[str] = (), numbers: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header, each as column -> text.

    Parameters
    ----------
    path
        The file.
    texts
        Columns that hold text; all others hold finite numbers or, if they are not in ``numbers``, nothing.
    numbers
        Columns with a number in every row.

    Raises
    ------
    ValueError
        Without the file or one of these columns, or if a row is not as described.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found no file, expected the table of an earlier stage")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file, strict=True)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path}: found no table ({error}), expected the table of an earlier stage") from error
    missing = [name for name in (*texts, *numbers) if header.count(name) != 1]
    if missing:
        raise ValueError(f"{path}: found columns {', '.join(header)[:99]}, expected {', '.join(missing)} once")
    for number, line in enumerate(lines, 2):
        if len(line) != len(header):
            raise ValueError(f"{path}: found {len(line)} columns in line {number}, expected {len(header)}")
        for name, text in zip(header, line, strict=True):
            if name not in texts and not _is_number(text) and (text or name in numbers):
                raise ValueError(f"{path}: found {text[:40]!r} for {name} in line {number}, expected a finite number")
    return [dict(zip(header, line, strict=True)) for line in lines]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
