from typing import Any

from self2align.report.tables import (
    NOT_RUN,
    NOTHING,
    alignment_table,
    benchmark_table,
    markdown,
    scene_table,
    training_table,
)

RESULTS: dict[str, dict[str, Any]] = {
    "noisy": {"Kodak": {"psnr": 20.17, "ssim": 0.31}, "Set14": {"psnr": 20.2, "ssim": 0.4}},
    "n2n": {"Kodak": {"psnr": 32.414, "ssim": 0.88}, "Set14": {"psnr": 31.0, "ssim": 0.868}},
    "ours": {"Kodak": {"psnr": 32.0, "ssim": 0.89}, "Set14": {"psnr": 31.004, "ssim": 0.86}},
    "none": {"skipped": "no weights"},
}


def test_the_best_of_each_column_is_bold() -> None:
    header, rows = benchmark_table(RESULTS, ["Kodak", "Set14"], "noisy")
    cells = {row[0]: row[1:] for row in rows}
    assert header[1:] == ["Kodak, PSNR / SSIM", "over noisy, dB", "Set14, PSNR / SSIM", "over noisy, dB"]
    assert cells["n2n"][0] == "**32.41** / 0.880"
    assert cells["ours"][0] == "32.00 / **0.890**"
    assert cells["noisy"][0] == "20.17 / 0.310"


def test_figures_that_read_the_same_are_both_best() -> None:
    _, rows = benchmark_table(RESULTS, ["Set14"], None)
    cells = {row[0]: row[1] for row in rows}
    assert cells["n2n"] == "**31.00** / **0.868**"
    assert cells["ours"] == "**31.00** / 0.860"


def test_gains_are_the_differences_that_the_table_shows() -> None:
    _, rows = benchmark_table(RESULTS, ["Kodak"], "noisy")
    gains = {row[0]: row[2] for row in rows}
    assert gains == {"noisy": NOTHING, "n2n": "+12.24", "ours": "+11.83", "none": NOTHING}


def test_without_a_noisy_row_there_are_no_gains() -> None:
    for noisy in (None, "none", "absent"):
        assert benchmark_table(RESULTS, ["Kodak"], noisy)[0] == ["method", "Kodak, PSNR / SSIM"]


def test_a_method_that_did_not_run_has_a_row_that_says_so() -> None:
    _, rows = benchmark_table(RESULTS, ["Kodak", "Set14"], "noisy")
    assert rows[-1] == ["none", NOT_RUN, NOTHING, NOT_RUN, NOTHING]


def test_the_marks_of_the_best_are_the_callers() -> None:
    _, rows = benchmark_table(RESULTS, ["Kodak"], None, mark=lambda text: f"<{text}>")
    assert rows[1] == ["n2n", "<32.41> / 0.880"]


def test_markdown_has_a_line_for_each_row_and_keeps_bars_apart() -> None:
    assert markdown(["a", "b"], [["x|y", "1"]]) == "| a | b |\n| --- | --: |\n| x\\|y | 1 |"


def test_alignment_without_a_true_field_has_no_endpoint_error() -> None:
    row = {
        "psnr": 28.764,
        "psnr_confident": 29.6,
        "coverage": 0.85,
        "endpoint_error": None,
        "noise_ratio": 0.67,
        "noise_correlation": 0.003,
    }
    _, rows = alignment_table({"dis": row, "ian": {"skipped": "not trained"}})
    assert rows[0] == ["dis", "28.76", "29.60", "85%", NOTHING, "0.670", "0.0030"]
    assert rows[1] == ["ian", *[NOTHING] * 6]


def test_long_lists_of_scenes_are_counted() -> None:
    rows = [{"aligner": "dis", "scene": f"s{n}", "psnr": "30.5"} for n in range(25)]
    header, lines = scene_table(rows, ["unaligned", "dis"])
    assert header == ["scene", "unaligned", "dis"]
    assert lines[0] == ["s0", NOTHING, "30.50"]
    assert len(lines) == 21
    assert lines[-1][0] == "... and 5 more"


def test_a_training_without_validation_shows_a_dash() -> None:
    runs = {"denoiser": {"objective": "n2n", "steps": 4000, "loss": 0.0123456, "validation": None}}
    _, rows = training_table(runs)
    assert rows == [["denoiser", "n2n", "4,000", NOTHING, NOTHING, "0.01235", NOTHING, NOTHING, NOTHING]]
    measured = {"denoiser": {**runs["denoiser"], "psnr": 30.123, "ssim": 0.9126}}
    assert training_table(measured)[1][0][-2:] == ["30.12", "0.913"]
