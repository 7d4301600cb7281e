import pytest

from self2align.runtime.spacing import evenly_spaced


@pytest.mark.parametrize(
    ("total", "count", "places"),
    [
        (10, 3, [0, 4, 9]),
        (10, 2, [0, 9]),
        (10, 1, [0]),
        (1, 5, [0]),
        (0, 8, []),
        (4, 0, []),
    ],
)
def test_places_have_both_ends_and_no_place_twice(total: int, count: int, places: list[int]) -> None:
    assert evenly_spaced(total, count).tolist() == places


@pytest.mark.parametrize("count", [7, 8, 100])
def test_a_short_sequence_is_taken_whole(count: int) -> None:
    assert evenly_spaced(7, count).tolist() == list(range(7))
