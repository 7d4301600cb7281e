"""A short part of the harness of bytes; `python -m tests.bytes` runs as much as one likes."""

import pytest

from tests.bytes.groups import GROUPS
from tests.bytes.outcomes import FINDING
from tests.bytes.pool import run_cases

# Cases of seed 0 that have found faults, and some that have not.
CASES = {
    "png": [54, 63, 77, 90, 110, 128, 246, 875],
    "jpeg": [3, 18, 102, 0],
    "webp": [0, 1, 2],
    "bmp": [0, 1, 2, 13, 99],
    "tiff": [4, 5, 8, 9, 21, 28, 57, 106, 108, 150, 195, 217],
    "mp4": [18, 19, 34, 43, 325],
    "mkv": [4, 10, 33, 43, 65, 199],
    "avi": [1, 10, 20, 38, 278],
    "zarr": [8, 11, 26, 462],
    "weights": [1, 4, 6, 10, 15, 17, 20, 30, 33, 37, 45, 78],
    "checkpoints": [6, 9, 10, 16, 27, 31, 35, 43],
    "params": [0, 24, 63, 64],
    "lists": [2, 3],
    "stores": [0, 2, 5, 8, 12, 31, 43],
    "figures": [4, 5, 6, 7],
    "unfinished": [3, 8, 25, 37, 40],
}


def test_every_group_has_its_cases() -> None:
    assert CASES.keys() == GROUPS.keys()


@pytest.mark.parametrize("group", CASES)
def test_hostile_bytes_give_the_right_result_or_one_line(group: str) -> None:
    for case, outcomes in run_cases([(group, 0, number) for number in CASES[group]]):
        findings = [f"{outcome.way}: {outcome.text}" for outcome in outcomes if outcome.kind == FINDING]
        assert not findings, f"python -m tests.bytes --groups {group} --first {case[2]} --keep FOLDER"
