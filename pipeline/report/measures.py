"""Pictures of the measures of alignment and of pairs. The same figures give the same bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from self2align.report.plots import COLORS, plain_axis, save_png


@dataclass(frozen=True)
class Measure:
    """A measure of alignment.

    Attributes
    ----------
    key
        Column of the table.
    title
        Of its panel.
    marks
        Reference values, each with its meaning.
    """

    key: str
    title: str
    marks: tuple[tuple[float, str], ...] = ()


MEASURES = (
    Measure("psnr", "aligned PSNR, dB"),
    Measure("psnr_confident", "where confident, dB"),
    Measure("endpoint_error", "endpoint error, px", ((0.3, "0.3 px"),)),
    Measure("noise_ratio", "noise ratio", ((0.5, "collapsed"), (2 / 3, "random subpixel shifts"))),
    Measure("noise_correlation", "noise correlation", ((0.0, "independent of noise"),)),
)
PACE = Measure("ms", "ms per pair of frames")


def alignment_png(
    rows: Sequence[Mapping[str, str]], aligners: Sequence[str], pace: Mapping[str, float] | None = None
) -> bytes:
    """Return the measures of aligners as a PNG file: a panel per measure, a point per scene, a bar at the mean.

    Parameters
    ----------
    rows
        With ``aligner`` and the keys of `MEASURES`, as text; empty if unknown.
    aligners
        From top to bottom.
    pace
        Aligner -> ms; None for no panel.
    """
    panels = [one for one in MEASURES if any(row.get(one.key) for row in rows)]
    found = {
        one.key: {name: _values([row for row in rows if row["aligner"] == name], one.key) for name in aligners}
        for one in panels
    }
    if pace is not None:
        panels.append(PACE)
        found[PACE.key] = {name: [pace[name]] if name in pace else [] for name in aligners}
    columns = min(3, max(1, len(panels)))
    lines = -(-len(panels) // columns)
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(4.2 * columns, lines * (0.9 + 0.32 * len(aligners))), layout=layout)
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True).flatten()
    for axis, one in zip(axes, panels, strict=False):
        _points(axis, one, found[one.key], aligners)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    return save_png(figure)


def _values(rows: Sequence[Mapping[str, str]], key: str) -> list[float]:
    return [float(row[key]) for row in rows if row.get(key)]


def _points(axis: Axes, measure: Measure, found: Mapping[str, Sequence[float]], aligners: Sequence[str]) -> None:
    plain_axis(axis, measure.title, grid="x")
    for value, meaning in measure.marks:
        axis.axvline(value, color="#9aa0a8", linewidth=1, linestyle=":")
        axis.annotate(meaning, (value, 1), (2, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
                      fontsize=7, color="#686d76", va="top")  # fmt: skip
    for number, name in enumerate(aligners):
        values, color = found[name], COLORS[number % len(COLORS)]
        axis.plot(values, [number] * len(values), "o", color=color, alpha=0.45, markersize=5, markeredgewidth=0)
        if values:
            mean = sum(values) / len(values)
            axis.plot([mean, mean], [number - 0.3, number + 0.3], color=color, linewidth=2.5)
    axis.set_yticks(range(len(aligners)), aligners)
    axis.set_ylim(len(aligners) - 0.4, -0.75)


def scores_png(rows: Sequence[Mapping[str, str]], threshold: float = 0.5) -> bytes:
    """Return the histogram of the pairs' scores as a PNG file.

    Parameters
    ----------
    rows
        Of `self2align.pairs.scores.histogram`, as text.
    threshold
        Equation 7 keeps every pixel of pairs above it.
    """
    figure = Figure(figsize=(9.2, 2.8), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    axis = figure.subplots()
    edges = [float(row["from"]) for row in rows] + [float(rows[-1]["to"])]
    for color, name in zip(COLORS, ("ssim", "ssim_filtered"), strict=False):
        counts = [float(row[name]) for row in rows]
        axis.stairs(counts, edges, fill=True, color=color, alpha=0.55, label=name)
    axis.axvline(threshold, color="#44484f", linewidth=1, linestyle="--")
    axis.annotate("equation 7 keeps all pixels from here", (threshold, 1), (4, -2), xycoords=("data", "axes fraction"),
                  textcoords="offset points", fontsize=8, color="#44484f", va="top")  # fmt: skip
    plain_axis(axis, "pairs by score", grid="y")
    axis.legend(frameon=False, fontsize=9, loc="upper left")
    return save_png(figure)
