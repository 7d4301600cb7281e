"""The page of `sweep`: PSNR and SSIM of the methods at several noise levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from self2align.report.html.extra import PageSection
from self2align.report.html.plots import Plot, line_plot, with_room
from self2align.report.tables import NOT_RUN, NOTHING

# Method -> level -> set -> PSNR (dB) and SSIM; or {"skipped": reason}.
LevelFigures = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Level:
    """A noise level: its name, and its sigma on the scale 0 to 255 if the noise is Gaussian only."""

    name: str
    sigma: float | None


def sweep_table(figures: LevelFigures, test_set: str, levels: Sequence[Level]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: PSNR and SSIM of each method on a set, a column per level."""
    rows = []
    for method, row in figures.items():
        if "skipped" in row:
            rows.append([method, NOT_RUN, *[NOTHING] * (len(levels) - 1)])
            continue
        scores = [row[level.name][test_set] for level in levels]
        rows.append([method, *(f"{one['psnr']:.2f} / {one['ssim']:.3f}" for one in scores)])
    return ["method", *(level.name for level in levels)], rows


def sweep_plot(figures: LevelFigures, test_set: str, levels: Sequence[Level]) -> Plot | None:
    """Return PSNR on a set against sigma, a line per method; None for fewer than two levels of Gaussian noise."""
    gaussian = sorted((level.sigma, level.name) for level in levels if level.sigma is not None)
    lines = {
        method: np.array([(sigma, row[name][test_set]["psnr"]) for sigma, name in gaussian])
        for method, row in figures.items()
        if "skipped" not in row
    }
    if len(gaussian) < 2 or not lines:
        return None
    reach = with_room([float(value) for points in lines.values() for value in points[:, 1]])
    title = f"{test_set}: PSNR, dB, against sigma"
    return line_plot(title, "sigma of 255", list(lines), list(lines.values()), reach, marked=True)


def sweep_parts(figures: LevelFigures, sets: Sequence[str], levels: Sequence[Level]) -> list[PageSection]:
    """Return the sections of the page, one per set; the first one explains how to read them."""
    text = (
        "All methods get the same noisy pixels. A trained denoiser does not get the noise level; it was trained at a "
        "single one. Methods that need the noise level get that of the column; for Poisson noise, it is the standard "
        "deviation at middle gray."
    )
    caption, parts = "PSNR, dB, and SSIM, means over images and repeats.", []
    for number, name in enumerate(sets):
        header, rows = sweep_table(figures, name, levels)
        plot = sweep_plot(figures, name, levels)
        parts.append(PageSection(name, "" if number else text, caption, header, rows, figures, [plot] if plot else []))
    return parts
