"""The frames that a fixed pattern is estimated from: how many of them lie in memory."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.sources.source import Selection
from self2align.stores.scene import Scene
from self2align.survey.pattern import Room, hold_footage

SHAPE = (10, 3, 64, 96)
SIZE = 10 * 3 * 64 * 96  # bytes of a scene


class _Source:
    """Eight scenes, each made when it is read."""

    def __init__(self, path: Path, selection: Selection) -> None: ...

    def units(self) -> list[str]:
        return [str(number) for number in range(8)]

    def check(self, unit: str) -> str:
        return ""

    def read(self, unit: str) -> Iterator[Scene]:
        yield Scene(unit, _frames(int(unit)), 255.0)


def _frames(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 200 + number, SHAPE, np.uint8)


@pytest.mark.parametrize("memory", [0, 3 * SIZE])
def test_scenes_beyond_the_memory_lie_in_files(tmp_path: Path, memory: int) -> None:
    source, room = _Source(tmp_path, Selection()), Room(tmp_path, memory)
    _frames(0)
    tracemalloc.start()
    try:
        held = hold_footage(source, room)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The scene that is read, and the one before it until its place is taken.
    assert most < memory + 2.5 * SIZE
    assert [isinstance(one.frames, np.memmap) for one in held] == [SIZE * (at + 1) > memory for at in range(8)]
    for number, one in enumerate(held):
        np.testing.assert_array_equal(one.frames, _frames(number))
        assert one.brightest == pytest.approx((199 + number) / 255)
        assert not one.gray
