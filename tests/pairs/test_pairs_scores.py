import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from self2align.pairs.scores import histogram, pair_ssim, ssim_filtered


def _noisy(clean: torch.Tensor, sigma: float, seed: int) -> torch.Tensor:
    return clean + sigma / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def test_ssim_is_scikit_images(texture: NDArray[np.float32]) -> None:
    draw = np.random.default_rng(0)
    x = texture[:, :64, :80]
    for y in (x, x + draw.normal(0, 0.1, x.shape).astype(np.float32), 1 - x):
        expected = structural_similarity(  # type: ignore[no-untyped-call]  # scikit-image is untyped
            x.astype(np.float64),
            y.astype(np.float64),
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
        )
        found = pair_ssim(torch.from_numpy(x)[None], torch.from_numpy(y)[None])
        assert float(found[0]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_the_filtered_score_of_perfect_alignment_is_near_one_at_any_noise(
    texture: NDArray[np.float32], sigma: float
) -> None:
    clean = torch.from_numpy(texture)[None]
    a, b = _noisy(clean, sigma, 1), _noisy(clean, sigma, 2)
    assert float(ssim_filtered(a, b)[0]) > 0.95
    if sigma >= 25:
        assert float(pair_ssim(a, b)[0]) < 0.5, "raw SSIM never reaches the threshold of equation 7 under noise"


@pytest.mark.parametrize("sigma", [10, 25])
def test_the_filtered_score_falls_with_misalignment(texture: NDArray[np.float32], sigma: float) -> None:
    clean = torch.from_numpy(texture)
    a = _noisy(clean[None, :, :, :160], sigma, 1)
    scores = [float(ssim_filtered(_noisy(clean[None, :, :, x : x + 160], sigma, 2), a)[0]) for x in (0, 2, 6, 20)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.5


def test_every_pair_is_counted_once_in_each_histogram() -> None:
    ssim_scores = np.array([-0.7, -0.2, 0.0, 0.249, 0.25, 1.0], np.float32)
    rows = histogram(ssim_scores, np.ones(6, np.float32))
    assert [rows[0][:2], rows[-1][:2]] == [(-0.2, -0.15), (0.95, 1.0)]
    assert [sum(row[column] for row in rows) for column in (2, 3)] == [6, 6]
    assert rows[0][2] == 2
    assert {row[0]: row[2] for row in rows}[0.2] == 1
    assert {row[0]: row[2] for row in rows}[0.25] == 1
    assert rows[-1][2:] == (1, 6)
