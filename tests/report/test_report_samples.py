"""What was taken off crops is measured without a clean image, and detail that was lost is seen in it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from self2align.images.files import write_png
from self2align.noise.profile import NoiseProfile
from self2align.report.reading import read_samples
from self2align.report.samples import GRAY, SPREAD, take_apart

SIGMA, SIDE, COUNT = 20.0, 64, 3


def crops(clean: float, detail: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return noise of ``SIGMA`` on gray and smooth detail, above what a denoiser that loses the detail would give."""
    draw = np.random.default_rng(0)
    smooth = gaussian_filter(draw.standard_normal((SIDE, COUNT * SIDE, 3)), (2, 2, 0))
    noisy = clean + detail * smooth / smooth.std() + SIGMA * draw.standard_normal((SIDE, COUNT * SIDE, 3))
    return np.concatenate([noisy, np.full_like(noisy, clean)]).round().clip(0, 255).astype(np.uint8)


def test_white_noise_that_was_taken_off_has_its_own_strength_and_no_correlation() -> None:
    found = take_apart(crops(128, 0))
    assert abs(found.sigma - SIGMA) < 0.3
    assert abs(found.correlation) < 0.01
    shown = found.picture[2 * SIDE :]
    assert found.picture.shape == (3 * SIDE, COUNT * SIDE, 3)
    assert abs(shown.mean() - GRAY) < 1
    assert abs(shown.std() - SPREAD) < 1


def test_detail_that_was_lost_correlates() -> None:
    assert take_apart(crops(128, SIGMA)).correlation > 0.3


def test_coarse_noise_that_was_left_in_makes_it_negative() -> None:
    picture = crops(128, 0)
    picture[SIDE:] = gaussian_filter(picture[:SIDE], (1, 1, 0))
    assert take_apart(picture).correlation < -0.05


def test_a_change_of_brightness_is_no_noise_and_nothing_taken_off_is_gray() -> None:
    picture = crops(128, 0)
    picture[:SIDE] = 140
    found = take_apart(picture)
    assert found.sigma < 1e-3
    assert (found.picture[2 * SIDE :] == GRAY).all()


def test_the_words_tell_whose_crops_they_are() -> None:
    found = take_apart(crops(128, 0))
    assert "scenes that were not trained on" in found.describe(held_out=True)
    assert "training scenes, as there are no others" in found.describe(held_out=False)
    assert f"{found.sigma:.1f} levels" in found.describe(held_out=True)


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (None, "White noise has 0"),
        ((0.5, 0.58), r"correlates at 0.50 to 0.58. What was removed is less smooth than that: coarse noise remains"),
        ((0.02, 0.03), r"correlates at 0.02. What was removed is as smooth as that."),
        ((-0.3, -0.2), r"correlates at -0.30 to -0.20. What was removed is smoother than that: detail was removed too"),
    ],
)
def test_what_was_removed_is_compared_with_the_noise_that_was_measured(
    measured: tuple[float, float] | None, said: str
) -> None:
    words = take_apart(crops(128, 0), measured).describe(held_out=True)
    assert said in words
    assert ("White noise has 0" in words) == (measured is None)


def test_the_measured_noise_of_the_scenes_is_what_counts(tmp_path: Path) -> None:
    write_png(tmp_path / "samples.png", crops(128, 0))
    white = NoiseProfile.white(3, 0.0, 0.01)
    shared = replace(white, covariance=np.eye(3)[:, :, None, None] * np.outer((0.4, 1, 0.4), (0.4, 1, 0.4)))
    for noise, measured in (
        (None, None),
        ({"a": white}, None),
        ({"a": shared}, (0.4, 0.4)),
        ({"a": white, "b": shared}, (0.0, 0.4)),
        ({"a": replace(shared, error=1.0)}, None),
    ):
        found = read_samples(tmp_path / "samples.png", noise)
        assert found is not None
        assert found.measured == (None if measured is None else pytest.approx(measured))
