"""No area changes its colour: flat fields, ramps and a colour chart at every level, by the weights that are shipped."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.denoising.denoiser import Denoiser

STARTS = [Path(__file__).parents[2] / "starts" / "davis_levels.safetensors"]
SIDE, CELL = 192, 64  # px


def _chart() -> NDArray[np.float32]:
    """Nine patches of strong colours."""
    colours = [(115, 82, 68), (194, 150, 130), (56, 61, 150), (70, 148, 73), (175, 54, 60), (231, 199, 31)]
    colours += [(187, 86, 149), (8, 133, 161), (255, 0, 255)]
    patches = np.array(colours, np.float32).reshape(3, 3, 3) / 255
    return np.kron(patches.transpose(2, 0, 1), np.ones((CELL, CELL), np.float32))


def _ramp() -> NDArray[np.float32]:
    across = np.linspace(0, 1, SIDE, dtype=np.float32)
    return np.stack([across + 0 * across[:, None], across[:, None] + 0 * across, 1 - across + 0 * across[:, None]])


IMAGES = {
    "black": np.zeros((3, SIDE, SIDE), np.float32),
    "gray": np.full((3, SIDE, SIDE), 0.5, np.float32),
    "white": np.ones((3, SIDE, SIDE), np.float32),
    "green": np.array([0.1, 0.8, 0.2], np.float32)[:, None, None] * np.ones((1, SIDE, SIDE), np.float32),
    "ramp": _ramp(),
    "chart": _chart(),
}


@pytest.mark.parametrize("sigma", [0, 2, 10, 25, 75])
@pytest.mark.parametrize("weights", STARTS, ids=lambda path: path.stem)
def test_no_area_changes_its_colour(weights: Path, sigma: int) -> None:
    denoiser = Denoiser.load(weights, device="cpu")
    for name, clean in IMAGES.items():
        noise = sigma / 255 * np.random.default_rng(sigma).standard_normal(clean.shape, np.float32)
        noisy = clean + noise
        taken = 255 * (noisy - denoiser(noisy, axes="CYX", white=1.0))
        means = taken.reshape(3, SIDE // CELL, CELL, SIDE // CELL, CELL).mean((2, 4))
        assert np.abs(means).max() < max(0.3, 4 * sigma / CELL), name
        if sigma >= 10 and name != "chart":
            left = 255 * noise - taken
            assert left.std() < 0.4 * sigma, f"{name}: the noise is gone"
