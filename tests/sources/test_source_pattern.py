"""What a fixed pattern or dark frame takes off, and which files are none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.noise.pattern import FixedPattern, coding_without
from self2align.sources.pattern import load_pattern
from self2align.stores.codes import VIDEO, Coding

DARK = np.arange(12, dtype=np.uint8).reshape(1, 3, 4) + 40
BLACK = np.zeros(DARK.shape, np.float32)


def test_black_stays_where_it_is() -> None:
    found = -FixedPattern.of(DARK, 255.0).off(BLACK, Coding("uint8", 1 / 255))
    assert np.median(found) == pytest.approx(0, abs=1e-7)
    np.testing.assert_allclose(255 * (found - found.min()), DARK - 40.0, atol=1e-4)


@pytest.mark.parametrize(
    ("pattern", "coding"),
    [
        (FixedPattern.of(DARK, 255.0), Coding("uint8", 1 / 255)),
        (FixedPattern.of(257 * DARK.astype(np.uint16), 65535.0), Coding("uint8", 1 / 255)),
        (FixedPattern.of(DARK.astype(np.float64)), Coding("uint8", 1 / 255)),
        (FixedPattern.of(DARK, 255.0), Coding("uint16", 1 / 65535)),
        (FixedPattern.of(DARK, 255.0), VIDEO),
    ],
)
def test_units_of_another_type_are_converted(pattern: FixedPattern, coding: Coding) -> None:
    np.testing.assert_allclose(-pattern.off_stored(BLACK, coding), (DARK - 45.5) / 255, atol=1e-6)


def test_a_white_of_the_user_scales_the_pattern_as_the_frames() -> None:
    found = -FixedPattern.of(DARK, 255.0).off(BLACK, Coding("uint8", 1 / 51))
    np.testing.assert_allclose(found, (DARK - 45.5) / 51, atol=1e-6)
    held = coding_without(Coding("uint8", 1 / 51))
    assert held.scale / VIDEO.scale == pytest.approx(5)  # as training tells white of video
    assert held.reach[0] < -0.5


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    pattern = replace(FixedPattern.of(DARK, 255.0), levels=(20.0, 120.0), gains=(2.0, 1.0))
    pattern.save(tmp_path / "pattern.npz")
    found = load_pattern(tmp_path / "pattern.npz")
    np.testing.assert_array_equal(found.values, pattern.values)
    assert (found.white, found.digest) == (255.0, pattern.digest)
    flat = np.full(DARK.shape, 70 / 255, np.float32)
    np.testing.assert_allclose(255 * found.off(flat, Coding("uint8", 1 / 255)), 70 - 1.5 * pattern.values, atol=1e-4)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 3, 4, 5)), r"found an array of shape \(2, 3, 4, 5\), expected \(H, W\)"),
        (np.full((3, 4), np.nan), "found 12 values that are not finite"),
        (np.zeros((3, 4), bool), "found values of type bool"),
    ],
)
def test_what_is_no_dark_frame_is_refused(tmp_path: Path, array: NDArray[np.generic], said: str) -> None:
    file = tmp_path / "dark.npy"
    np.save(file, array)
    with pytest.raises(ValueError, match=rf"dark\.npy: {said}"):
        load_pattern(file)


@pytest.mark.parametrize(("name", "said"), [("dark.mp4", "found suffix '.mp4'"), ("none.npy", "found no such file")])
def test_files_of_other_kinds_are_refused(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load_pattern(tmp_path / name)


def test_size_and_channels_are_checked() -> None:
    with pytest.raises(ValueError, match="clip: found frames of 4 x 3 px with 3 channels, and a fixed"):
        FixedPattern.of(DARK, 255.0).check("clip", 3, 3, 4)
