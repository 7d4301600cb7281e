"""What is ingested and what is left out, whatever the type of the values."""

import numpy as np
import pytest

from self2align.sources.ingest import shows_nothing
from self2align.stores.scene import Scene


@pytest.mark.parametrize(
    ("values", "dtype", "white", "known", "nothing"),
    [
        ((0, 5), "uint8", 255.0, False, True),  # black with a little noise
        ((0, 6), "uint8", 255.0, False, False),
        ((128, 130), "uint8", 255.0, False, True),  # one value with a little noise
        ((100, 900), "uint16", 65535.0, False, False),  # 10 bits of 16, white not told
        ((100, 900), "uint16", 65535.0, True, True),  # told: nearly black
        ((700, 700), "uint16", 65535.0, False, True),
        ((-1000, -3), "float32", 1.0, False, False),  # as of int16: air and water in a CT
        ((0.0, 0.0), "float32", 1.0, False, True),
    ],
)
def test_a_scene_is_black_by_its_span(
    values: tuple[float, float], dtype: str, white: float, known: bool, nothing: bool
) -> None:
    frames = np.full((2, 1, 8, 8), values[0], dtype)
    frames[1, 0, 3, 3] = values[1]
    assert shows_nothing(Scene("a", frames, white), known=known) == nothing
