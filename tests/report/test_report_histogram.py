import numpy as np

from self2align.report.histogram import count_bins, histogram_lines, text_bar


def test_counts_sum_to_the_number_of_values() -> None:
    values = np.random.default_rng(1).normal(size=1000)
    counts, edges = count_bins(values, 20)
    assert counts.sum() == 1000
    assert len(edges) == 21
    assert edges[0] == values.min()
    assert edges[-1] == values.max()


def test_known_values_fall_in_known_bins() -> None:
    counts, _ = count_bins(np.array([0.0, 0.1, 0.6, 1.0]), 2)
    assert counts.tolist() == [2, 2]


def test_values_that_are_not_finite_are_left_out_and_told() -> None:
    lines = histogram_lines(np.array([0.0, 1.0, np.nan]), bins=2)
    assert len(lines) == 3
    assert lines[-1] == "and 1 that are not finite"


def test_the_fullest_bin_has_the_longest_bar_and_an_empty_one_none() -> None:
    lines = histogram_lines(np.array([0.0, 0.0, 0.0, 0.0, 1.0]), bins=4, width=8)
    assert lines[0] == "0.00 to 0.25 4 ████████"
    assert lines[1] == "0.25 to 0.50 0"
    assert lines[3] == "0.75 to 1.00 1 ██"


def test_a_bar_shows_eighths_and_whatever_is_there() -> None:
    assert text_bar(1, 3) == "███"
    assert text_bar(0.5, 1) == "▌"
    assert text_bar(1e-6, 10) == "▏"
    assert text_bar(0, 10) == ""


def test_equal_values_and_no_values_are_shown() -> None:
    assert sum("█" in line for line in histogram_lines(np.full(7, 0.3))) == 1
    assert histogram_lines(np.zeros(0)) == ["no finite values"]
