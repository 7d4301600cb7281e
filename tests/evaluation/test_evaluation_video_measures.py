import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.evaluation.block_errors import BLOCK, block_errors
from self2align.evaluation.video_measures import CEILING, SequenceMeter, frame_psnr
from self2align.report.videos import ghosting

STEP = 3  # px a frame, to the left


def window(texture: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """A frame of a picture that moves, dimmed so that little noise is clipped, (3, 96, 112)."""
    left = 10 + STEP * number
    return np.ascontiguousarray(0.3 + 0.4 * texture[:, 20:116, left : left + 112])


def test_psnr_is_of_the_error_and_is_limited() -> None:
    clean = np.full((3, 20, 20), 0.5, np.float32)
    assert frame_psnr(clean + np.float32(0.01), clean) == pytest.approx(40.0, abs=1e-3)
    assert frame_psnr(clean, clean) == CEILING


def test_flicker_of_independent_errors_is_root_two_times_their_level_along_the_motion(
    texture: NDArray[np.float32],
) -> None:
    draw, meter, level = np.random.default_rng(3), SequenceMeter(), 8 / 255
    for number in range(5):
        clean = window(texture, number)
        meter.add(clean + level * draw.standard_normal(clean.shape).astype(np.float32), clean)
    assert meter.frames == 5
    assert meter.flicker == pytest.approx(8 * np.sqrt(2), rel=0.03)
    assert meter.psnr == pytest.approx(20 * np.log10(255 / 8), abs=0.1)


def test_errors_that_move_with_the_picture_do_not_flicker_and_those_that_stay_do(
    texture: NDArray[np.float32],
) -> None:
    error = (8 / 255 * np.random.default_rng(4).standard_normal(texture.shape)).astype(np.float32)
    moving, still = SequenceMeter(), SequenceMeter()
    for number in range(4):
        clean, left = window(texture, number), 10 + STEP * number
        moving.add(clean + error[:, 20:116, left : left + 112], clean)
        still.add(clean + error[:, 20:116, 10:122], clean)
    assert moving.psnr == pytest.approx(still.psnr, abs=0.2)
    assert moving.flicker is not None
    assert still.flicker is not None
    assert moving.flicker < 2.5
    assert still.flicker == pytest.approx(8 * np.sqrt(2), rel=0.05)


def test_errors_are_counted_in_the_block_where_they_are() -> None:
    clean = np.zeros((3, 2 * BLOCK + 5, 3 * BLOCK + 1), np.float32)
    result = clean.copy()
    result[:, BLOCK:, BLOCK : 2 * BLOCK] = 10 / 255  # a whole block, and what is beyond the last
    expected = np.zeros((2, 3))
    expected[1, 1] = 100.0
    np.testing.assert_allclose(block_errors(result, clean), expected, rtol=1e-5)


def test_a_ghost_in_one_block_of_a_hundred_counts_and_a_better_rest_does_not_hide_it() -> None:
    single = np.full((4, 10, 10), 40.0, np.float32)
    assert ghosting(single, single) == 0.0
    better = np.full_like(single, 20.0)
    assert ghosting(better, single) == pytest.approx(-10 * np.log10(2))
    ghost = better.copy()
    ghost[2, :2, :2] = 400.0  # four blocks of four hundred
    assert ghosting(ghost, single) == pytest.approx(10.0)
    assert ghost.mean() < single.mean()
