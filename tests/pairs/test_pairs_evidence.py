"""Frames that are no evidence of noise, each of a kind, in footage of known noise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from self2align.alignment.copies import copied_pixels
from self2align.images.files import read_image
from self2align.measuring.scenes import distinct
from self2align.pairs.evidence import _compare, _measure, _Seen, judge
from self2align.pairs.plan import Footage, plan_crops

Frames = NDArray[np.float32]
SIGMA = 0.1
LINE = (0.0, SIGMA**2)


@pytest.fixture
def clean(texture: Frames) -> Frames:
    """Twelve clean frames of a picture that moves by (2, 1) px a frame, (T, 3, 96, 128)."""
    return np.stack([texture[:, 8 + t : 104 + t, 10 + 2 * t : 138 + 2 * t] for t in range(12)])


def _noisy(clean: Frames, sigma: float = SIGMA) -> Frames:
    return (clean + np.random.default_rng(3).normal(0, sigma, clean.shape)).astype(np.float32)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.3], ids=["as they were", "coded again", "coded badly"])
def test_of_five_frames_of_which_one_repeats_the_one_before_four_are_kept(clean: Frames, share: float) -> None:
    """A film of 24 frames a second in a video of 30."""
    frames = _noisy(clean)[[0, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11, 11]]
    copies = [4, 9, 14]
    frames[copies] += np.random.default_rng(5).normal(0, share * SIGMA, frames[copies].shape).astype(np.float32)
    found = judge(iter(frames), LINE)
    assert found.left_out == {"copy": (4, 9, 14)}
    assert found.kept == (0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13)
    assert found.note == ("of 15 frames 3 are the frame before again: left out, pairs take the next other frame")
    rows = plan_crops([Footage("a", 15, 96, 128, found.kept)], offsets=[1], targets=15, crops=1, size=32, seed=0)
    assert (5, 3) in {(row.target, row.source) for row in rows}
    assert not {4, 9, 14} & {frame for row in rows for frame in (row.target, row.source)}
    assert distinct(frames.__getitem__, len(frames)) == list(found.kept)


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


@pytest.mark.parametrize("gain", [0.2, 0.5, 1.6])
@pytest.mark.parametrize("places", [[6], [0], [2, 3], [1, 4, 7, 10], [1, 3, 5, 7, 9, 11]], ids=str)
def test_frames_of_another_exposure_are_of_the_same_scene(clean: Frames, gain: float, places: list[int]) -> None:
    changed = clean.copy()
    changed[places] = gain * changed[places] + 0.1
    assert judge(iter(_noisy(changed)), LINE).left_out == {}


@pytest.mark.parametrize("jerk", [(15, 0), (0, -15), (-8, 12)])
def test_a_shaken_frame_is_of_the_same_scene(texture: Frames, jerk: tuple[int, int]) -> None:
    places = [(20 + t, 20 + t) for t in range(12)]
    places[6] = (26 + jerk[0], 26 + jerk[1])
    frames = np.stack([texture[:, y : y + 96, x : x + 128] for y, x in places])
    assert judge(iter(_noisy(frames)), LINE).left_out == {}


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
def test_a_stray_frame_is_found_whatever_its_exposure(clean: Frames, gain: float) -> None:
    frames = clean.copy()
    frames[5] = gain * _turned(frames[5])
    assert judge(iter(_noisy(frames)), LINE).left_out == {"stray": (5,)}


@pytest.mark.parametrize("sigma", [0.15, 0.3, 1.0, 3.0])
def test_no_still_frame_is_a_copy_where_texture_was_taken_for_noise_of_far_more(sigma: float) -> None:
    rng = np.random.default_rng(4)
    grain = 120 + rng.normal(0, 20, (1, 96, 128))  # white, as fur and grass are
    frames = np.stack([np.round(grain + rng.normal(0, sigma, grain.shape)) for _ in range(8)]).astype(np.float32) / 255
    told = (20**2 + sigma**2) / 255**2
    found = judge(iter(frames), (0.0, told))
    assert found.left_out == {}
    assert found.line[1] == pytest.approx((sigma**2 + 1 / 12) / 255**2, rel=0.25)
    with_copy = judge(iter(frames[[0, 1, 2, 2, 3, 4, 4, 4, 5]]), (0.0, told))
    assert with_copy.left_out == {"copy": (3, 6, 7)}


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.3])
def test_copies_are_found_where_most_frames_are_copies(clean: Frames, share: float) -> None:
    """A film in a video of three times its rate, each frame coded anew."""
    frames = np.repeat(_noisy(clean[:6]), 3, 0)
    again = [at for at in range(18) if at % 3]
    frames[again] += np.random.default_rng(5).normal(0, share * SIGMA, frames[again].shape).astype(np.float32) / 2**0.5
    found = judge(iter(frames), LINE)
    assert found.kept == (0, 3, 6, 9, 12, 15)
    assert found.line == pytest.approx(LINE, rel=0.05)


def test_what_is_kept_of_a_frame_does_not_grow_with_its_size() -> None:
    """Ten thousand frames of a film would fill the memory of each worker."""

    def kept(side: int) -> int:
        seen = _Seen()
        own = torch.rand(side // 16, side // 16)
        _measure(seen, torch.rand(3, side, side), own)
        _compare(seen, own, own, own, own)
        return sum(np.size(part) for name in vars(seen) for part in getattr(seen, name))

    assert kept(1024) == kept(64) < 1000


def test_still_frames_without_noise_are_copies(clean: Frames) -> None:
    assert judge(iter(np.repeat(clean[:1], 3, 0)), LINE).left_out == {"copy": (1, 2)}


@pytest.mark.parametrize("sigma", [0.0, 25.0])
def test_nothing_is_left_out_of_davis(shared: Path, sigma: float) -> None:
    paths = sorted((shared / "DAVIS/JPEGImages/480p/breakdance").glob("*.jpg"))[:5]
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
