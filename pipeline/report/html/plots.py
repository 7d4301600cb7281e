"""Computes the layout of plots; the template draws them in the colours of the page's theme."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from self2align.report.canvas import shorten
from self2align.report.figures import Curve, settled_range
from self2align.report.html.grids import images_of

# Centred at the origin, about 8 px wide. Colour and shape change together, which distinguishes 35 methods.
SHAPES = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z",
    "M-3.6-3.6h7.2v7.2h-7.2Z",
    "M0-5L5 0L0 5L-5 0Z",
    "M0-4.8L4.8 3.6H-4.8Z",
    "M0 4.8L4.8-3.6H-4.8Z",
)
DASHES = ("none", "7 3", "2 3", "7 3 2 3")
WIDE = 640  # px, width of a plot of dots
NAMES = 170  # px, width of the images' names
ROW, HEAD, FOOT, EDGE = 20, 8, 40, 16  # px
CURVE_WIDE, CURVE_TALL, CURVE_LEFT = 460, 280, 62  # px


@dataclass(frozen=True)
class Tick:
    """A position along an axis, px, and its label; ``full`` is the label before it was shortened."""

    at: float
    text: str
    full: str = ""


@dataclass(frozen=True)
class Dot:
    """A point of a series: its position, px, the index of the series, and its tooltip."""

    x: float
    y: float
    number: int
    text: str


@dataclass(frozen=True)
class Line:
    """A curve: the index of its series, its points as an SVG attribute, and the points that get a mark."""

    number: int
    points: str
    marks: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes
    ----------
    title, axis
        Title, and label of the lower axis.
    width, height
        px.
    left, top, right, bottom
        Edges of the plotting area, px.
    columns, rows
        Ticks of the lower and of the left axis.
    series
        Names in the legend; ``number`` of dots and lines is an index into them.
    dots, lines
        What is drawn.
    """

    title: str
    axis: str
    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int
    columns: Sequence[Tick]
    rows: Sequence[Tick]
    series: Sequence[str]
    dots: Sequence[Dot] = ()
    lines: Sequence[Line] = ()


def round_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return round values in a range, spaced by 1, 2 or 5 times a power of ten, as numbers and as text.

    Parameters
    ----------
    low, high
        The range; ``low < high``.
    most
        At most so many steps.
    """
    assert low < high, (low, high)
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(times * power for times in (1, 2, 5, 10) if (high - low) / (times * power) <= most)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [(number * step, f"{number * step:.{places}f}") for number in numbers]


def with_room(values: Sequence[float]) -> tuple[float, float]:
    """Return the range of some values, a twentieth wider at each end; if all are equal, 0.5 wider."""
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def gain_plot(
    means: Mapping[tuple[str, str, str], tuple[float, float]], test_set: str, methods: Sequence[str], noisy: str | None
) -> Plot | None:
    """Return the PSNR gain of every method on every image of a set; the PSNR itself without a noisy method.

    Parameters
    ----------
    means
        (method, set, image) -> PSNR (dB) and SSIM.
    test_set
        Its name.
    methods
        Measured methods, in order.
    noisy
        The method that gains are relative to, or None.

    Returns
    -------
    Plot | None
        One row per image, one dot per method; None if there is nothing to show.
    """
    images = images_of(means, test_set)
    series = [method for method in methods if method != noisy]
    found = []
    for row, image in enumerate(images):
        start = means.get((noisy, test_set, image), (math.nan, 0.0))[0] if noisy else 0.0
        for number, method in enumerate(series):
            value = means.get((method, test_set, image), (math.nan, 0.0))[0] - start
            if math.isfinite(value):
                found.append((row, number, value))
    if not found:
        return None
    low, high = with_room([value for *_, value in found])
    right, bottom = WIDE - EDGE, HEAD + ROW * len(images)

    def across(value: float) -> float:
        return round(NAMES + (value - low) / (high - low) * (right - NAMES), 1)

    dots = [
        Dot(across(value), HEAD + ROW * (row + 0.5), number, f"{images[row]}, {series[number]}: {value:.2f} dB")
        for row, number, value in found
    ]
    return Plot(
        title=f"{test_set}: {'PSNR gained over ' + noisy if noisy else 'PSNR'} on each image",
        axis=f"PSNR over {noisy}, dB" if noisy else "PSNR, dB",
        width=WIDE,
        height=bottom + FOOT,
        left=NAMES,
        top=HEAD,
        right=right,
        bottom=bottom,
        columns=[Tick(across(value), text) for value, text in round_ticks(low, high, 8)],
        rows=[
            Tick(HEAD + ROW * (row + 0.5), shorten(image, NAMES - 12, 12), image) for row, image in enumerate(images)
        ],
        series=series,
        dots=dots,
    )


def curve_plots(curves: Sequence[Curve]) -> list[Plot]:
    """Return a plot of training losses and one of validation losses, each if there are any.

    The vertical axis covers the values after the first twentieth of each training; the start would flatten the rest.
    """
    kinds = (("training loss", [one.loss for one in curves]), ("validation loss", [one.validation for one in curves]))
    names, plots = [one.name for one in curves], []
    for title, found in kinds:
        reach = settled_range(found)
        if reach is not None:
            plots.append(line_plot(title, "step", names, found, reach, marked=title.startswith("validation")))
    return plots


def line_plot(
    title: str,
    axis: str,
    names: Sequence[str],
    found: Sequence[NDArray[np.float64]],
    reach: tuple[float, float],
    *,
    marked: bool,
) -> Plot:
    """Return a plot of lines; its lower axis starts at 0.

    Parameters
    ----------
    title, axis
        See `Plot`.
    names, found
        Names and points, ``(N, 2)``, of the lines.
    reach
        Range of the left axis.
    marked
        Whether each point gets a mark.
    """
    low, high = reach
    last = max(float(points[-1, 0]) for points in found if len(points))
    right, bottom = CURVE_WIDE - EDGE, CURVE_TALL - FOOT

    def place(step: float, value: float) -> tuple[float, float]:
        x = CURVE_LEFT + step / last * (right - CURVE_LEFT)
        return round(x, 1), round(bottom - (value - low) / (high - low) * (bottom - HEAD), 1)

    lines = []
    for number, points in enumerate(found):
        places = [place(float(step), float(value)) for step, value in points]
        marks = [spot for spot in places if HEAD <= spot[1] <= bottom] if marked else []
        lines.append(Line(number, " ".join(f"{x},{y}" for x, y in places), marks))
    return Plot(
        title=title,
        axis=axis,
        width=CURVE_WIDE,
        height=CURVE_TALL,
        left=CURVE_LEFT,
        top=HEAD,
        right=right,
        bottom=bottom,
        columns=[Tick(place(value, low)[0], text) for value, text in round_ticks(0, last, 6)],
        rows=[Tick(place(0, value)[1], text) for value, text in round_ticks(low, high, 6)],
        series=names,
        lines=[line for line in lines if line.points],
    )
