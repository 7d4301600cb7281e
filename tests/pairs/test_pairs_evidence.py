"""Frames that are no evidence of noise, each of a kind, in footage of known noise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from self2align.alignment.copies import copied_pixels
from self2align.pairs.evidence import judge
from self2align.pairs.plan import Footage, plan_crops

Frames = NDArray[np.float32]
SIGMA = 0.1
LINE = (0.0, SIGMA**2)
DAVIS = Path("../shared/data/DAVIS/JPEGImages/480p")


@pytest.fixture
def clean(texture: Frames) -> Frames:
    """Twelve clean frames of a picture that moves by (2, 1) px a frame, (T, 3, 96, 128)."""
    return np.stack([texture[:, 8 + t : 104 + t, 10 + 2 * t : 138 + 2 * t] for t in range(12)])


def _noisy(clean: Frames, sigma: float = SIGMA) -> Frames:
    return (clean + np.random.default_rng(3).normal(0, sigma, clean.shape)).astype(np.float32)


def test_of_five_frames_of_which_one_repeats_the_one_before_four_are_kept(clean: Frames) -> None:
    frames = _noisy(clean)[[0, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11, 11]]
    found = judge(iter(frames), LINE)
    assert found.left_out == {"copy": (4, 9, 14)}
    assert found.kept == (0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13)
    assert found.note == ("of 15 frames 3 are the frame before again: left out, pairs take the next other frame")
    rows = plan_crops([Footage("a", 15, 96, 128, found.kept)], offsets=[1], targets=15, crops=1, size=32, seed=0)
    assert (5, 3) in {(row.target, row.source) for row in rows}
    assert not any((frames[row.target] == frames[row.source]).all() for row in rows)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.3])
def test_a_copy_that_a_codec_changed_a_little_is_a_copy(clean: Frames, share: float) -> None:
    frames = _noisy(clean)
    again = frames[4] + np.random.default_rng(5).normal(0, share * SIGMA, frames[4].shape).astype(np.float32)
    found = judge(iter([*frames[:5], again, *frames[5:]]), LINE)
    assert found.left_out == {"copy": (5,)}


def _white(frame: Frames) -> Frames:
    return np.ones_like(frame)


def _flash(frame: Frames) -> Frames:
    return np.asarray(np.minimum(frame + 0.7, 1), np.float32)


def _night(frame: Frames) -> Frames:
    return np.asarray(np.maximum(frame - 0.8, 0), np.float32)


def _turned(frame: Frames) -> Frames:
    return np.ascontiguousarray(frame[:, ::-1, ::-1])


@pytest.mark.parametrize("place", [0, 6, 11])
@pytest.mark.parametrize(
    ("make", "kind"), [(_white, "flat"), (_flash, "clipped"), (_night, "clipped"), (_turned, "stray")]
)
def test_a_frame_that_shows_nothing_or_something_else_is_left_out(
    clean: Frames, place: int, make: Callable[[Frames], Frames], kind: str
) -> None:
    frames = _noisy(clean)
    frames[place] = make(frames[place])
    assert judge(iter(frames), LINE).left_out == {kind: (place,)}


def test_a_recording_of_one_value_has_no_frame_left() -> None:
    found = judge(iter(np.full((4, 1, 40, 40), 0.25, np.float32)), (0.0, 0.0))
    assert found.kept == ()
    assert found.left_out == {"flat": (0, 1, 2, 3)}


@pytest.mark.parametrize("sigma", [0.0, 1 / 255, 0.02, 0.2])
@pytest.mark.parametrize("moves", [True, False], ids=["moving", "still"])
def test_nothing_is_left_out_of_ordinary_footage(clean: Frames, sigma: float, moves: bool) -> None:
    if not moves and not sigma:
        return  # still frames without noise are copies
    frames = _noisy(clean if moves else np.repeat(clean[:1], 6, 0), sigma)
    # Texture that is taken for noise makes still frames look alike: up to five times the noise is told here.
    for told in (sigma, 5 * sigma):
        found = judge(iter(frames), (0.0, told**2))
        assert found.left_out == {}
        assert found.kept == tuple(range(len(frames)))
        assert found.note == ""


def test_still_frames_without_noise_are_copies(clean: Frames) -> None:
    assert judge(iter(np.repeat(clean[:1], 3, 0)), LINE).left_out == {"copy": (1, 2)}


@pytest.mark.skipif(not DAVIS.is_dir(), reason="no DAVIS")
@pytest.mark.parametrize("sigma", [0.0, 25.0])
def test_nothing_is_left_out_of_davis(sigma: float) -> None:
    from self2align.images.files import read_image

    paths = sorted((DAVIS / "breakdance").glob("*.jpg"))[:5]
    frames = np.stack([read_image(path)[0][:, ::2, ::2] for path in paths]).astype(np.float32) / np.float32(255)
    assert judge(iter(_noisy(frames, sigma / 255)), (0.0, (sigma / 255) ** 2)).left_out == {}


def test_blocks_that_hold_the_same_noise_are_found_and_no_others(clean: Frames) -> None:
    first, second = (torch.from_numpy(frame) for frame in _noisy(clean[[0, 0]]))
    assert copied_pixels(first, second, LINE) is None
    second[:, :48, 64:] = first[:, :48, 64:]
    expected = torch.zeros(96, 128, dtype=torch.bool)
    expected[:48, 64:] = True
    found = copied_pixels(first, second, LINE)
    assert found is not None
    # The filter reaches a pixel beyond a block, so blocks at the border of the region may be told either way.
    assert torch.equal(found[:32, 80:], expected[:32, 80:])
    assert not found[~expected].any()


def test_black_bars_and_clipped_highlights_tell_nothing(clean: Frames) -> None:
    first, second = (torch.from_numpy(frame) for frame in _noisy(clean[[0, 1]]))
    for frame in (first, second):
        frame[:, :32], frame[:, 64:] = 0.0, 1.0
    assert copied_pixels(first, second, LINE) is None
