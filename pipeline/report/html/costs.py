"""The page of `costs`: time, memory and quality of each method."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from self2align.report.html.extra import PageSection
from self2align.report.html.plots import EDGE, FOOT, HEAD, WIDE, Dot, Plot, Tick, round_ticks, with_room
from self2align.report.tables import NOT_RUN, NOTHING, figure

LEFT, TALL = 62, 320  # px
Costs = Mapping[str, Mapping[str, Any]]


def seconds_text(value: float) -> str:
    """Return seconds with three significant digits, and at most three decimals."""
    places = 2 - math.floor(math.log10(value)) if value > 0 else 3
    return f"{value:,.{min(3, max(0, places))}f}"


def cost_table(costs: Costs, sets: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: the costs of each method, and its PSNR on each set.

    Parameters
    ----------
    costs
        Method -> ``seconds`` (per megapixel), ``memory, device_memory`` (MiB), ``parameters``, ``minutes`` (training),
        ``finished`` (if not, time and memory are lower bounds), ``psnr`` (set -> dB); values may be None; or
        ``{"skipped": reason}``.
    sets
        Columns, in order.
    """
    on_device = any(row.get("device_memory") is not None for row in costs.values())
    header = ["method", "s per megapixel", "memory, MiB", *(["GPU memory, MiB"] if on_device else [])]
    header += ["parameters", "training, min", *(f"{name}, dB" for name in sets)]
    rows = []
    for method, row in costs.items():
        if "skipped" in row:
            rows.append([method, NOT_RUN, *[NOTHING] * (len(header) - 2)])
            continue
        more = "" if row["finished"] else " or more"
        memory = [row["memory"], *([row["device_memory"]] if on_device else [])]
        cells = [f"{seconds_text(row['seconds'])}{more}", *(_count(value, more) for value in memory)]
        cells += [_count(row["parameters"]), figure(row["minutes"], 1)]
        rows.append([method, *cells, *(figure(row["psnr"].get(name), 2) for name in sets)])
    return header, rows


def _count(value: float | None, more: str = "") -> str:
    return NOTHING if value is None else f"{value:,.0f}{more}"


def decade_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return round values in a range, as their logarithms and as text.

    Parameters
    ----------
    low, high
        Logarithms to the base 10.
    """
    steps = (1,) if high - low > 3 else (1, 2, 5)
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [(power + math.log10(step), f"{step * 10.0**power:g}") for power in powers for step in steps]
    return [tick for tick in ticks if low <= tick[0] <= high]


def quality_plot(costs: Costs, test_set: str, noisy: str | None) -> Plot | None:
    """Return PSNR on a set against seconds per megapixel, a mark per method; None if there is nothing to show.

    Parameters
    ----------
    costs
        See `cost_table`.
    test_set
        Its name.
    noisy
        The method that does nothing. It is left out, because it takes no time.
    """
    found = {
        name: (math.log10(row["seconds"]), row["psnr"][test_set], "" if row["finished"] else ", or more")
        for name, row in costs.items()
        if name != noisy and "skipped" not in row and test_set in row["psnr"] and row["seconds"] > 0
    }
    if not found:
        return None
    left, right = with_room([second for second, *_ in found.values()])
    low, high = with_room([psnr for _, psnr, _ in found.values()])
    edge, bottom = WIDE - EDGE, TALL - FOOT

    def across(second: float) -> float:
        return round(LEFT + (second - left) / (right - left) * (edge - LEFT), 1)

    def down(psnr: float) -> float:
        return round(bottom - (psnr - low) / (high - low) * (bottom - HEAD), 1)

    return Plot(
        title=f"{test_set}: PSNR, dB, against time",
        axis="seconds per megapixel, logarithmic",
        width=WIDE,
        height=TALL,
        left=LEFT,
        top=HEAD,
        right=edge,
        bottom=bottom,
        columns=[Tick(across(second), text) for second, text in decade_ticks(left, right)],
        rows=[Tick(down(psnr), text) for psnr, text in round_ticks(low, high, 6)],
        series=list(found),
        dots=[
            Dot(across(x), down(y), number, f"{name}: {y:.2f} dB, {seconds_text(10**x)} s per megapixel{more}")
            for number, (name, (x, y, more)) in enumerate(found.items())
        ],
    )


def cost_parts(costs: Costs, sets: Sequence[str], noisy: str | None) -> list[PageSection]:
    """Return the sections of the page; see `cost_table` and `quality_plot`."""
    text = (
        "Each method runs alone in its own process, on the same noisy image. Memory is the peak of the process, with "
        "Python and its libraries; a method that does nothing shows their share. Training minutes come from the note "
        "that the last training here left beside its weights. For methods that train on each image, the seconds "
        "include the training. PSNR is from the benchmark."
    )
    header, rows = cost_table(costs, sets)
    plots = [plot for name in sets if (plot := quality_plot(costs, name, noisy)) is not None]
    return [
        PageSection(
            "Costs of the methods", text, "Time, memory and quality of each method.", header, rows, costs, plots
        )
    ]
