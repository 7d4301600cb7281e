"""What was taken off crops is measured without a clean image, and detail that was lost is seen in it."""

import numpy as np
from scipy.ndimage import gaussian_filter

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
