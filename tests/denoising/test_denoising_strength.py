"""A share of the noise is taken off: exactly that share, of luma and chroma apart, and nothing else is touched."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.denoising.strength import BT709, Strength
from self2align.videos.yuv import Yuv

Frame = NDArray[np.float32]
BT601 = (0.299, 0.114)


@pytest.fixture
def frames() -> tuple[Frame, Frame]:
    """A clean frame, (3, 40, 50), and the same with noise of sigma 0.1."""
    draw = np.random.default_rng(0)
    clean = draw.random((3, 40, 50), np.float32)
    return clean + np.float32(0.1) * draw.standard_normal(clean.shape, np.float32), clean


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.7, 1.0])
def test_of_a_perfect_denoiser_so_much_noise_is_left(frames: tuple[Frame, Frame], strength: float) -> None:
    noisy, clean = frames
    left = Strength.told(strength).mixed(noisy, clean) - clean
    np.testing.assert_allclose(left, (1 - strength) * (noisy - clean), atol=2e-7)
    assert left.std() == pytest.approx((1 - strength) * 0.1, rel=0.02)


def test_the_ends_are_the_frames_themselves(frames: tuple[Frame, Frame]) -> None:
    noisy, clean = frames
    assert Strength().mixed(noisy, clean) is clean
    np.testing.assert_array_equal(Strength(0.0, 0.0).mixed(noisy, clean), noisy)
    one = Strength.told(0.3, luma=0.5)
    assert (one.luma, one.chroma) == (0.5, 0.3)


@pytest.mark.parametrize("weights", [BT709, BT601])
@pytest.mark.parametrize(("luma", "chroma"), [(0.0, 1.0), (1.0, 0.0), (0.5, 1.0), (0.8, 0.3)])
def test_each_plane_of_a_video_changes_by_its_own_share(
    frames: tuple[Frame, Frame], weights: tuple[float, float], luma: float, chroma: float
) -> None:
    noisy, clean = frames
    yuv = Yuv(8, (1, 1), full=True, weights=weights)
    black = [np.zeros(noisy.shape[1:], np.float32)] * 3
    made = Strength(luma, chroma).mixed(noisy, clean, weights)
    found, whole = (yuv.added(black, one - noisy) for one in (made, clean))
    for plane, full, share in zip(found, whole, (luma, chroma, chroma), strict=True):
        np.testing.assert_allclose(plane, share * full, atol=1e-4)  # of 255


def test_what_denoising_left_stays_and_what_is_no_number_leaves_no_trace(frames: tuple[Frame, Frame]) -> None:
    noisy, clean = frames
    noisy[:, 3, 4] = np.nan
    noisy[1, 5, 6] = np.inf
    clean[:, 3, 4], clean[1, 5, 6] = noisy[:, 3, 4], noisy[1, 5, 6]
    clean[:, :2] = noisy[:, :2]
    made = Strength(0.4, 0.9).mixed(noisy, clean)
    np.testing.assert_array_equal(made[:, :2], noisy[:, :2])
    np.testing.assert_array_equal(made[:, 3, 4], noisy[:, 3, 4])
    assert np.isposinf(made[1, 5, 6])
    assert np.isfinite(made[::2, 5, 6]).all()


class _Late:
    """Halves frames, each when the second after it was read."""

    radius = 2

    def __call__(
        self, frames: Iterator[Frame], progress: Any = None, sigma: Any = None, colours: bool = True
    ) -> Iterator[Frame]:
        held: list[Frame] = []
        for frame in frames:
            held.append(frame)
            if len(held) > self.radius:
                yield np.float32(0.5) * held.pop(0)
        for frame in held:
            yield np.float32(0.5) * frame


def test_frames_meet_their_own_and_only_those_on_their_way_are_held() -> None:
    read = 0

    def frames() -> Iterator[Frame]:
        nonlocal read
        for number in range(9):
            read += 1
            yield np.full((1, 2, 2), number, np.float32)

    late = _Late()
    assert Strength().over(late) is late
    mixed = Strength(0.5, 0.5).over(late)
    assert mixed.radius == 2
    for number, frame in enumerate(mixed(frames())):
        assert frame[0, 0, 0] == 0.75 * number
        assert read <= number + 3


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"strength": 1.5}, r"^strength: found 1\.5, expected a number from 0 to 1$"),
        ({"luma": -0.1}, r"^luma: found -0\.1, expected a number from 0 to 1$"),
        ({"chroma": float("nan")}, r"^chroma: found nan, expected a number from 0 to 1$"),
    ],
)
def test_shares_that_are_none_are_refused(told: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Strength.told(**told)


def test_channels_that_are_no_colors_have_no_luma() -> None:
    Strength(0.5, 0.5).check("in.tif", 2)
    with pytest.raises(ValueError, match=r"^in\.tif: found 2 channels, expected gray or RGB for luma 0\.5 and"):
        Strength(0.5).check("in.tif", 2)
