"""One coding for sources that are held in several."""

import numpy as np
import pytest

from self2align.stores.codes import VIDEO, Coding, common

BYTES, WORDS, FLOATS = Coding("uint8", 1 / 255), Coding("uint16", 1 / 65535), Coding("float32", 1.0)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([BYTES], BYTES),
        ([VIDEO], VIDEO),
        ([Coding("float16", 0.5)], Coding("float16", 0.5)),
        ([BYTES, VIDEO], VIDEO),
        ([WORDS, BYTES], WORDS),
        ([BYTES, Coding("uint16", 1 / 4095)], Coding("uint16", 1 / 4095)),
        ([WORDS, VIDEO], FLOATS),
        ([BYTES, WORDS, VIDEO], FLOATS),
        ([BYTES, Coding("uint8", 1 / 200)], FLOATS),
        ([Coding("float32", 1 / 300), Coding("float32", 1 / 200)], FLOATS),
        ([BYTES, FLOATS], FLOATS),
    ],
)
def test_the_common_coding_holds_all_values(held: list[Coding], expected: Coding) -> None:
    assert common(held) == common(held[::-1]) == expected
    for one in held:
        codes = np.arange(0, 65536 if one.dtype == "uint16" else 256, 5).astype(one.dtype)
        again = expected.recode(codes, one)
        assert again.dtype == expected.dtype
        step = expected.scale if expected.dtype.startswith("u") else 2e-7
        np.testing.assert_allclose(expected.decode(again), one.decode(codes), rtol=2e-7, atol=0.501 * step)
        np.testing.assert_allclose(one.recode(again, expected), codes, rtol=2e-7 if one.dtype == "float32" else 0)
