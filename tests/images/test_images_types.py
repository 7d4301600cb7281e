"""Values become float32 without loss, and without a multiple of their memory."""

import tracemalloc

import numpy as np
import pytest

from self2align.images.types import stored


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint32", "int64", "float16", "float64"])
def test_values_take_no_more_than_their_result_and_a_few_frames(dtype: str) -> None:
    frames = np.random.default_rng(0).integers(0, 100, (40, 1, 64, 64)).astype(dtype)
    tracemalloc.start()
    try:
        found = stored("a.tif", frames)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found, frames)
    assert found.dtype == np.float32
    assert most < found.nbytes + 8 * 64 * 64 * 8


def test_the_range_is_that_of_all_frames() -> None:
    frames = np.array([[[[2**30, 2**30]]], [[[2**30 + 9, 2**30 + 9]]]])
    with pytest.raises(
        ValueError, match=r"a\.tif: found values of type int64 from 1.07374182e.09 .*subtract an offset"
    ):
        stored("a.tif", frames)
    assert stored("a.tif", np.concatenate([frames, frames * 0])).max() == np.float32(2**30 + 9)
