"""How long a project takes is told as a range where other work disturbed the steps that were timed."""

import pytest

from self2align.survey.pace import duration_text, times_of, together


def test_the_fastest_step_and_the_usual_one_are_the_ends() -> None:
    assert times_of(100, [0.5, 0.5, 0.5]) == (50, 50)
    # One step that waited long makes no difference; a load that lasts does.
    assert times_of(100, [0.5, 0.5, 30.0, 0.5, 0.5]) == (50, 50)
    assert times_of(100, [0.9, 0.5, 1.0, 1.1, 0.9]) == (50, 90)


def test_stages_follow_each_other() -> None:
    assert together([(1, 2), (30, 40), (0.5, 0.5)]) == (31.5, 42.5)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (10, 80, "a minute or less"),
        (600, 660, "11 minutes"),
        (600, 1200, "10 to 20 minutes"),
        (20, 600, "1 to 10 minutes"),
        (9000, 9360, "2.6 hours"),
        (3600, 9000, "1.0 to 2.5 hours"),
        (96, 138, "2 minutes"),  # both ends round to 2
        (60, 7200, "0.1 to 2.0 hours"),
    ],
)
def test_durations_have_a_range_where_the_ends_differ(low: float, high: float, said: str) -> None:
    assert duration_text((low, high)) == said
