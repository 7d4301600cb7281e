"""Detail that a network takes for noise comes back, and the second look is taken only where it is needed."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from self2align.denoising.inference import denoise_at_level
from self2align.denoising.levels import FrameNoise
from self2align.denoising.stein import noise_share
from self2align.networks.normalised import LEVEL, Normalised
from self2align.networks.unet import UNet

Image = NDArray[np.float32]
SIGMA = 10.0


def _box(image: Image) -> Image:
    """A denoiser that blurs all that it sees."""
    return np.asarray(uniform_filter(image, (0, 3, 3)), np.float32)


def _frame(fur: float, side: int = 256, channels: int = 3) -> tuple[Image, Image, Image]:
    """Return a noisy frame, its noise and its fur: white at the left, none at the right."""
    draw = np.random.default_rng(0)
    noise = np.repeat(SIGMA * draw.standard_normal((channels, side, side), np.float32), 1, 0)
    detail = fur * draw.standard_normal((3, side, side), np.float32)
    detail[..., side // 2 :] = 0
    return np.float32(100) + detail + noise, noise, detail


@pytest.mark.parametrize("fur", [5.0, 20.0])
def test_the_share_of_noise_is_found(fur: float) -> None:
    noisy, noise, _ = _frame(fur)
    seen = np.asarray((noisy - 100) * LEVEL / SIGMA, np.float32)
    share = noise_share(seen, _box(seen), _box)
    assert share is not None
    taken = noisy - 100 - _box(noisy - 100)
    for part, expected in ((np.s_[..., 32:96], SIGMA**2 / (SIGMA**2 + fur**2)), (np.s_[..., 160:224], 1.0)):
        true = float((noise * taken)[part].mean() / (taken**2)[part].mean())
        assert true == pytest.approx(expected, abs=0.05), "what the share is"
        assert float(share[part].mean()) == pytest.approx(min(true, 1.0), abs=0.05)


def test_fur_comes_back_as_far_as_its_noise_allows() -> None:
    noisy, _, detail = _frame(20.0)
    share = SIGMA**2 / (SIGMA**2 + 20**2)
    found = denoise_at_level(Normalised(UNet(3, width=4, depth=1)), noisy, FrameNoise.told(SIGMA), _box)
    left, right = (np.square(found - 100 - detail)[..., part].mean() for part in (np.s_[16:112], np.s_[144:240]))
    best = (1 - share) * SIGMA**2 * 8 / 9 + SIGMA**2 / 9
    assert left == pytest.approx(best, rel=0.1)
    assert right == pytest.approx(SIGMA**2 / 9, rel=0.3)


def test_copies_of_one_channel_have_one_noise() -> None:
    draw = np.random.default_rng(1)
    plane = np.asarray(SIGMA * draw.standard_normal((1, 192, 192)), np.float32)
    seen = np.repeat(plane * np.float32(LEVEL / (SIGMA * 3**0.5)), 3, 0)
    share = noise_share(seen, _box(seen), _box, copies=3)
    assert share is not None
    assert float(share.mean()) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(("fur", "whole"), [(0.0, 0), (15.0, 1)])
def test_large_frames_are_looked_at_again_only_where_something_is_suspicious(fur: float, whole: int) -> None:
    noisy, _, _ = _frame(fur, side=640)
    seen = np.asarray((noisy - 100) * LEVEL / SIGMA, np.float32)
    sizes = []

    def run(image: Image) -> Image:
        sizes.append(image.shape[1:])
        return _box(image)

    share = noise_share(seen, _box(seen), run)
    assert (share is None) == (not whole)
    assert sizes.count((640, 640)) == whole
    assert len(sizes) <= 7, "two looks at each of three windows, and one at the whole"
