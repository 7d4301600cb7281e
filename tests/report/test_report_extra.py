from typing import Any

import pytest

from self2align.report.html.costs import cost_parts, cost_table, decade_ticks, quality_plot, seconds_text
from self2align.report.html.extra import extra_html, extra_markdown
from self2align.report.html.sweep import Level, sweep_parts, sweep_plot
from self2align.report.tables import NOT_RUN, NOTHING

ODD = "<b>&\"'"
COST: dict[str, Any] = {"memory": 300.4, "device_memory": None, "parameters": None, "minutes": None, "finished": True}
COSTS: dict[str, dict[str, Any]] = {
    "noisy": {**COST, "seconds": 1e-6, "psnr": {"kodak": 20.0}},
    "nlm": {**COST, "seconds": 1.5, "psnr": {"kodak": 29.0}},
    "ours": {**COST, "seconds": 0.15, "psnr": {"kodak": 30.5}, "parameters": 1_000_000, "minutes": 6.54},
    "dip": {**COST, "seconds": 15000.0, "psnr": {}, "finished": False},
    ODD: {"skipped": "package <a> is not installed"},
}
LEVELS = [Level("sigma 50", 50.0), Level("sigma 10", 10.0), Level("Poisson 30", None)]
FOUND: dict[str, dict[str, Any]] = {
    "nlm": {name: {"kodak": {"psnr": psnr, "ssim": 0.5}} for name, psnr in zip(
        ("sigma 50", "sigma 10", "Poisson 30"), (24.0, 34.0, 27.0), strict=True
    )},
    ODD: {"skipped": "package <a> is not installed"},
}  # fmt: skip


def test_costs_that_are_lower_bounds_say_so_and_what_did_not_run_has_no_number() -> None:
    header, rows = cost_table(COSTS, ["kodak"])
    assert header == ["method", "s per megapixel", "memory, MiB", "parameters", "training, min", "kodak, dB"]
    cells = {row[0]: row[1:] for row in rows}
    assert cells["ours"] == ["0.150", "300", "1,000,000", "6.5", "30.50"]
    assert cells["dip"] == ["15,000 or more", "300 or more", NOTHING, NOTHING, NOTHING]
    assert cells[ODD] == [NOT_RUN, *[NOTHING] * 4]


def test_memory_of_a_gpu_has_a_column_where_there_is_one() -> None:
    costs = {"ours": {**COSTS["ours"], "device_memory": 1234.0}, "nlm": COSTS["nlm"]}
    header, rows = cost_table(costs, [])
    assert header[3] == "GPU memory, MiB"
    assert [row[3] for row in rows] == ["1,234", NOTHING]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.000"), (0.01234, "0.012"), (1.234, "1.23"), (66.04, "66.0"), (1234.5, "1,234")]
)
def test_seconds_have_three_digits(value: float, text: str) -> None:
    assert seconds_text(value) == text


def test_ten_times_the_time_is_one_step_along_the_axis() -> None:
    plot = quality_plot(COSTS, "kodak", "noisy")
    assert plot is not None
    assert plot.series == ["nlm", "ours"]  # the noisy images take no time, and DIP was not measured there
    places = {tick.text: tick.at for tick in plot.columns}
    by_name = {plot.series[dot.number]: dot for dot in plot.dots}
    step = by_name["nlm"].x - by_name["ours"].x
    assert places["1"] - places["0.2"] == pytest.approx(0.699 * step, abs=0.2)
    assert by_name["ours"].y < by_name["nlm"].y, "better is above"
    assert quality_plot(COSTS, "set14", "noisy") is None


def test_decades_are_divided_where_there_are_few() -> None:
    assert [text for _, text in decade_ticks(-1.0, 0.35)] == ["0.1", "0.2", "0.5", "1", "2"]
    assert [text for _, text in decade_ticks(-2.0, 3.1)] == ["0.01", "0.1", "1", "10", "100", "1000"]


def test_a_sweep_has_a_column_a_level_and_a_line_a_method_over_those_of_gaussian_noise() -> None:
    (part,) = sweep_parts(FOUND, ["kodak"], LEVELS)
    assert part.header == ["method", "sigma 50", "sigma 10", "Poisson 30"]
    assert part.rows[0] == ["nlm", "24.00 / 0.500", "34.00 / 0.500", "27.00 / 0.500"]
    assert part.rows[1] == [ODD, NOT_RUN, NOTHING, NOTHING]
    (plot,) = part.plots
    assert plot.series == ["nlm"]
    (line,) = plot.lines
    (left, top), (right, bottom) = line.marks
    assert left < right == plot.right
    assert top < bottom, "more noise, less PSNR"
    assert sweep_plot(FOUND, "kodak", LEVELS[1:]) is None


def test_the_pages_tell_the_same_and_escape_what_they_are_given() -> None:
    parts = [*cost_parts(COSTS, ["kodak"], "noisy"), *sweep_parts(FOUND, ["kodak"], LEVELS)]
    text = extra_markdown("costs", {"Machine": ODD}, parts)
    assert f"- Machine: {ODD}" in text
    assert f"- {ODD}: not run: package <a> is not installed" in text
    assert "| dip | 15,000 or more | 300 or more |" in text
    page = extra_html("costs", {"Machine": ODD}, parts)
    assert page == extra_html("costs", {"Machine": ODD}, parts)
    assert ODD not in page
    assert "not run: package &lt;a&gt; is not installed" in page
    assert page.count("<svg viewBox") > 2
