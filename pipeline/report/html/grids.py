"""Tables of the HTML pages: cells of text with the best ones marked, and rows of methods that did not run."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from self2align.report.tables import NOT_RUN, NOTHING, figure, gain

_NUMBER = re.compile(r"[-+]?\d")


@dataclass(frozen=True)
class Cell:
    """A text in a table; ``best`` marks the best value of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A row: its name and its cells, or ``instead`` the reason why there are none."""

    name: str
    cells: Sequence[Cell]
    instead: str = ""


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes
    ----------
    caption
        What the table shows.
    header
        One text per column; the first is above the names of the rows.
    rows
        In order.
    groups
        Headings of several columns, each with the number of its columns; may be empty.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Row]
    groups: Sequence[tuple[str, int]] = ()

    def numeric(self, column: int) -> bool:
        """Whether all texts of a column start with a number; column 0, the names of the rows, never counts."""
        texts = [row.cells[column - 1].text for row in self.rows if row.cells] if column else []
        filled = [text for text in texts if text not in ("", NOTHING, NOT_RUN)]
        return bool(filled) and all(_NUMBER.match(text) for text in filled)


def grid(
    caption: str,
    table: tuple[Sequence[str], Sequence[Sequence[str]]],
    results: Mapping[str, Any] | None = None,
) -> Grid:
    """Return a table, header and rows, as a grid; ``results`` gives the reasons of rows that did not run."""
    header, rows = table
    found = results or {}
    return Grid(
        caption, header, [_row(row[0], [Cell(text) for text in row[1:]], found.get(row[0], {})) for row in rows]
    )


def _row(name: str, cells: Sequence[Cell], result: Mapping[str, Any]) -> Row:
    return Row(name, [], f"{NOT_RUN}: {result['skipped']}") if "skipped" in result else Row(name, cells)


def benchmark_grid(
    caption: str, results: Mapping[str, Mapping[str, Any]], sets: Sequence[str], noisy: str | None
) -> Grid:
    """Return Table 1: for every set a column of PSNR, one of SSIM, and one of the gain over the noisy images.

    Parameters
    ----------
    caption
        What the table shows.
    results, sets, noisy
        As in `self2align.report.tables.benchmark_table`; values that look equal are both the best.
    """
    reference = results.get(noisy or "", {})
    columns = ["PSNR, dB", "SSIM", *(["gain, dB"] if reference else [])]
    rows = []
    for method, row in results.items():
        cells = []
        for name in sets:
            cells += [_scored(results, method, name, key, places) for key, places in (("psnr", 2), ("ssim", 3))]
            if reference:
                known = name in row and name in reference and method != noisy
                cells.append(Cell(gain(row[name]["psnr"], reference[name]["psnr"]) if known else NOTHING))
        rows.append(_row(method, cells, row))
    header = ["method", *(column for _ in sets for column in columns)]
    return Grid(caption, header, rows, [(name, len(columns)) for name in sets])


def _scored(results: Mapping[str, Mapping[str, Any]], method: str, name: str, key: str, places: int) -> Cell:
    values = {one: round(row[name][key], places) for one, row in results.items() if name in row}
    if method not in values:
        return Cell(NOTHING)
    return Cell(figure(values[method], places), best=values[method] == max(values.values()))


def image_grid(
    caption: str, means: Mapping[tuple[str, str, str], tuple[float, float]], test_set: str, methods: Sequence[str]
) -> Grid:
    """Return PSNR and SSIM of every image of a set for every method.

    Parameters
    ----------
    caption
        What the table shows.
    means
        (method, set, image) -> PSNR (dB) and SSIM.
    test_set
        Its name.
    methods
        Columns, in order.
    """
    rows = []
    for image in images_of(means, test_set):
        found = {method: means.get((method, test_set, image)) for method in methods}
        best = max((round(score[0], 2) for score in found.values() if score), default=0.0)
        cells = [
            Cell(f"{score[0]:.2f} / {score[1]:.3f}", round(score[0], 2) == best) if score else Cell(NOTHING)
            for score in found.values()
        ]
        rows.append(Row(image, cells))
    return Grid(caption, ["image", *methods], rows)


def images_of(means: Mapping[tuple[str, str, str], Any], test_set: str) -> list[str]:
    """Return the names of a set's images, sorted."""
    return sorted({image for _, name, image in means if name == test_set})


def best_lines(results: Mapping[str, Mapping[str, Any]], sets: Sequence[str], noisy: str | None) -> dict[str, str]:
    """Return the method with the highest PSNR on each measured set, in words; methods that look equal are all named."""
    lines = {}
    for name in sets:
        values = {method: round(row[name]["psnr"], 2) for method, row in results.items() if name in row}
        if not values:
            continue
        best = max(values.values())
        text = f"{', '.join(method for method, value in values.items() if value == best)}, {best:.2f} dB"
        lines[name] = f"{text}, {gain(best, values[noisy])} dB over {noisy}" if noisy in values else text
    return lines
