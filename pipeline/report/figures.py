"""The visual comparison and the training curves as pictures. The same figures give the same bytes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from self2align.report.canvas import (
    EMPTY,
    FADED,
    INK,
    PAPER,
    RULE,
    Canvas,
    Picture,
    enlarge,
    fit,
    shorten,
)
from self2align.report.plots import COLORS, plain_axis, save_png

MARGIN, GAP, HEAD, NOTE = 20, 8, 34, 40
WIDEST = 1640  # px, maximum width of a page with enlarged crops


@dataclass(frozen=True)
class CropBox:
    """A rectangle of an image, px."""

    top: int
    left: int
    height: int
    width: int

    def of(self, picture: Picture) -> Picture:
        """Return this part of a picture, ``(H, W, 3)``."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True)
class Compared:
    """One image of the comparison.

    Attributes
    ----------
    name
        Of the image.
    clean
        The whole clean image, ``(H, W, 3)`` uint8.
    crop
        The part that is shown.
    crops
        Method -> that part of its picture, ``(h, w, 3)`` uint8; the place of a missing one stays empty.
    scores
        Method -> PSNR (dB) and SSIM of the whole image.
    """

    name: str
    clean: Picture
    crop: CropBox
    crops: Mapping[str, Picture]
    scores: Mapping[str, tuple[float, float]]


def busiest_crop(picture: Picture, size: int) -> CropBox:
    """Return the square with the most detail, that is the largest mean gradient; of equal ones, the first.

    Parameters
    ----------
    picture
        ``(H, W, 3)`` uint8.
    size
        px; reduced to the size of a smaller image.
    """
    gray = picture.astype(np.float64).mean(axis=2)
    detail = np.zeros_like(gray)
    detail[:, 1:] += np.abs(np.diff(gray, axis=1))
    detail[1:] += np.abs(np.diff(gray, axis=0))
    height, width = min(size, gray.shape[0]), min(size, gray.shape[1])
    sums = np.zeros((gray.shape[0] + 1, gray.shape[1] + 1))
    sums[1:, 1:] = detail.cumsum(axis=0).cumsum(axis=1)
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    # Rounded, so that summation order does not decide between equal values.
    top, left = np.unravel_index(int(np.argmax(np.round(inside, 3))), inside.shape)
    return CropBox(int(top), int(left), height, width)


def comparison(images: Sequence[Compared], methods: Sequence[str], size: int) -> Picture:
    """Return the visual comparison, ``(H, W, 3)`` uint8.

    A row has the whole image with the crop marked, the clean crop, and the crop of every method with the PSNR and SSIM
    of the whole image below it. Crops are enlarged by an integer factor.

    Parameters
    ----------
    images
        At least one.
    methods
        Columns, in order.
    size
        Side of the crops, px.
    """
    columns = ["image", "clean", *methods]
    times = max(1, min(3, ((WIDEST - 2 * MARGIN) // len(columns) - GAP) // size))
    cell = size * times
    width = 2 * MARGIN + len(columns) * (cell + GAP) - GAP
    canvas = Canvas(width, MARGIN + HEAD + len(images) * (cell + NOTE) + MARGIN - NOTE // 2)
    for number, name in enumerate(columns):
        canvas.text(_left(number, cell), MARGIN, shorten(name, cell, 13, bold=True), size=13, bold=True)
    canvas.fill(MARGIN, MARGIN + 23, width - 2 * MARGIN, 1, RULE)
    for row, image in enumerate(images):
        _compare(canvas, MARGIN + HEAD + row * (cell + NOTE), image, methods, cell, times)
    return canvas.pixels()


def _left(column: int, cell: int) -> int:
    return MARGIN + column * (cell + GAP)


def _compare(canvas: Canvas, y: int, image: Compared, methods: Sequence[str], cell: int, times: int) -> None:
    small = fit(image.clean, cell, cell)
    share = small.shape[0] / image.clean.shape[0]
    canvas.picture(MARGIN, y, small)
    crop = image.crop
    sides = [round(side * share) for side in (crop.left, crop.top, crop.width, crop.height)]
    # A light line inside a dark one is visible on any image.
    canvas.box(MARGIN + sides[0], y + sides[1], sides[2], sides[3], INK, line=3)
    canvas.box(MARGIN + sides[0] + 1, y + sides[1] + 1, sides[2] - 2, sides[3] - 2, PAPER)
    canvas.text(MARGIN, y + small.shape[0] + 5, shorten(image.name, cell, 12), size=12)
    canvas.picture(_left(1, cell), y, enlarge(crop.of(image.clean), times))
    shown = {method: f"{score[0]:.2f} / {score[1]:.3f}" for method, score in image.scores.items()}
    best = max((score[0] for score in image.scores.values()), default=math.nan)
    canvas.text(_left(1, cell), y + cell + 5, "PSNR / SSIM", size=12, ink=FADED)
    for number, method in enumerate(methods, start=2):
        x = _left(number, cell)
        picture = image.crops.get(method)
        if picture is None:
            canvas.fill(x, y, cell, cell, EMPTY)
            canvas.text(x + cell // 2, y + cell // 2 - 8, "no picture", size=12, ink=FADED, anchor="ma")
        else:
            canvas.picture(x, y, enlarge(picture, times))
        if method in shown:
            strong = round(image.scores[method][0], 2) == round(best, 2)
            canvas.text(x, y + cell + 5, shorten(shown[method], cell, 12, strong), size=12, bold=strong)


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes
    ----------
    name
        In the legend.
    loss, validation
        ``(N, 2)``: step and value.
    """

    name: str
    loss: NDArray[np.float64]
    validation: NDArray[np.float64]


def curve_png(curves: Sequence[Curve]) -> bytes:
    """Return training curves as a PNG file: losses on the left, validation losses on the right.

    The vertical axis covers the values after the first twentieth of each training; the start would flatten the rest.
    """
    panels = [("loss", "training loss")]
    if any(len(curve.validation) for curve in curves):
        panels.append(("validation", "validation loss"))
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure(figsize=(4.6 * len(panels), 3.6), layout=layout)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (what, title) in zip(axes, panels, strict=True):
        found = [(curve.name, curve.loss if what == "loss" else curve.validation) for curve in curves]
        _draw(axis, title, found, marked=what == "validation")
    if len(curves) > 1:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=6, frameon=False, fontsize=9)
    return save_png(figure)


def _draw(axis: Axes, title: str, found: Sequence[tuple[str, NDArray[np.float64]]], marked: bool) -> None:
    for number, (name, points) in enumerate(found):
        color = COLORS[number % len(COLORS)]
        marker = "o" if marked else "None"
        steps, values = points.T
        axis.plot(steps, values, color=color, linewidth=1.4, label=name, marker=marker, markersize=3.5)
    plain_axis(axis, title, grid="y")
    axis.set_xlabel("step", fontsize=9)
    axis.ticklabel_format(axis="y", style="plain", useOffset=False)
    reach = settled_range([points for _, points in found])
    if reach:
        axis.set_ylim(*reach)


def settled_range(curves: Sequence[NDArray[np.float64]]) -> tuple[float, float] | None:
    """Return the range of the values after the first twentieth of each curve's steps, with a margin; None for no curve.

    Parameters
    ----------
    curves
        ``(N, 2)`` each: step and value.
    """
    settled = [points[points[:, 0] >= 0.05 * points[-1, 0], 1] for points in curves if len(points)]
    if not settled:
        return None
    low, high = float(min(map(np.min, settled))), float(max(map(np.max, settled)))
    room = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    return low - room, high + room
