import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from self2align.alignment.confidence import confidence, disagreement, inconsistency, residual_noise_variance
from self2align.alignment.dis import Dis
from self2align.alignment.exposure import estimate_exposure
from self2align.alignment.ian import Ian
from self2align.alignment.losses.photometric import photometric
from self2align.alignment.warp import warp
from self2align.evaluation.alignment_measures import aligned_psnr, endpoint_error, warped_noise

SIGMA = 25 / 255


def _moved(picture: NDArray[np.float32], x: float, y: float) -> torch.Tensor:
    """The picture, its content moved by (x, y) px."""
    moved = [affine_transform(c, np.eye(2), (-y, -x), order=3, mode="reflect") for c in picture]
    return torch.from_numpy(np.stack(moved).astype(np.float32))[None]


def _noisy(clean: torch.Tensor, seed: int) -> torch.Tensor:
    return clean + SIGMA * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("x", "y"), [(3.0, -2.0), (0.4, 0.7), (-6.3, 1.5)])
def test_dis_recovers_a_known_shift_under_noise(texture: NDArray[np.float32], x: float, y: float) -> None:
    target, source = torch.from_numpy(texture)[None], _moved(texture, x, y)
    field = Dis(3)(_noisy(target, 1), _noisy(source, 2))
    true = torch.tensor([x, y]).view(1, 2, 1, 1).expand_as(field)
    interior = torch.zeros(1, 160, 200, dtype=torch.bool)
    interior[:, 16:-16, 16:-16] = True
    assert endpoint_error(field, true, interior) < 0.3
    gain = aligned_psnr(target, source, field) - aligned_psnr(target, source, torch.zeros_like(field))
    assert gain > 3


@pytest.mark.parametrize(("height", "width"), [(15, 40), (13, 40), (1, 1), (40, 9)])
def test_dis_takes_frames_that_are_smaller_than_its_patches(height: int, width: int) -> None:
    frame = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    field = Dis(3)(frame, frame)
    assert field.shape == (1, 2, height, width)
    assert float(field.abs().max()) < 0.1


def test_dis_does_not_follow_the_noise(texture: NDArray[np.float32]) -> None:
    clean = torch.from_numpy(texture)[None]
    a, b = _noisy(clean, 3), _noisy(clean, 4)
    _, correlation = warped_noise(a - clean, b - clean, Dis(3)(a, b))
    assert abs(correlation) < 0.02


def test_the_half_pixel_collapse_shows_in_the_noise_ratio() -> None:
    noise = torch.randn(1, 3, 200, 200, generator=torch.Generator().manual_seed(0))
    other = torch.randn(1, 3, 200, 200, generator=torch.Generator().manual_seed(1))
    field = torch.full((1, 2, 200, 200), 0.5)
    ratio, correlation = warped_noise(other, noise, field)
    assert ratio == pytest.approx(0.5, abs=0.01)
    assert abs(correlation) < 0.01
    random = torch.rand(1, 2, 200, 200, generator=torch.Generator().manual_seed(2))
    assert warped_noise(other, noise, random)[0] == pytest.approx(2 / 3, abs=0.01)


def test_an_aligner_that_fits_noise_shows_in_the_correlation() -> None:
    draw = torch.Generator().manual_seed(0)
    target, source = torch.randn(1, 1, 60, 60, generator=draw), torch.randn(1, 1, 60, 60, generator=draw)
    # Each pixel takes whichever of its nine neighbours agrees best.
    shifts = [(x, y) for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)]
    fields = [torch.tensor(s).view(1, 2, 1, 1).expand(1, 2, 60, 60) for s in shifts]
    best = torch.cat([(warp(source, f) - target).abs() for f in fields], 1).argmin(1)
    field = torch.stack(fields, 1)[0].permute(2, 3, 0, 1)
    chosen = torch.gather(field, 2, best[0][..., None, None].expand(60, 60, 1, 2))[:, :, 0].permute(2, 0, 1)[None]
    assert warped_noise(target, source, chosen)[1] > 0.5


@torch.no_grad()
def test_ian_has_the_papers_shapes_and_starts_from_no_motion() -> None:
    network = Ian(3)
    target, source = torch.rand(2, 3, 70, 90), torch.rand(2, 3, 70, 90)
    field = network(target, source)
    assert field.shape == (2, 2, 70, 90)
    assert float(field.abs().max()) < 1e-2
    assert network.pre(torch.cat([source, target], 1)).shape[1] == 12
    convolutions = [m for m in network.encoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(c.kernel_size, c.stride, c.out_channels) for c in convolutions] == [((4, 4), (2, 2), 32)] * 4
    loss = photometric(network, {"target": target, "source": source}, torch.Generator())
    assert float(loss) == pytest.approx(float(((target - source) ** 2).mean()), rel=1e-2)
    assert Ian(1)(torch.rand(1, 1, 64, 64), torch.rand(1, 1, 64, 64)).shape == (1, 2, 64, 64)


def test_confidence_does_not_select_the_targets_noise(texture: NDArray[np.float32]) -> None:
    # A source that is wrong by a known amount over half the frame: a test on the pixel's own
    # residual would keep pixels whose noise makes up for it.
    clean = torch.from_numpy(texture)[None]
    source = clean.clone()
    source[..., 100:] += 0.04
    zero = torch.zeros(1, 2, 160, 200)
    total, weight, power = 0.0, 0.0, 0.0
    for seed in range(12):
        target = _noisy(clean, 2 * seed)
        warped = _noisy(source, 2 * seed + 1)
        trust = confidence(target, warped, warped, zero, zero)[0, :, 104:-4]
        noise = (target - clean)[0, :, :, 104:-4]
        total += float((trust * noise).sum())
        power += float((trust * noise**2).sum())
        weight += 3 * float(trust.sum())
    assert weight > 0
    standard_error = SIGMA / math.sqrt(weight)
    assert abs(total / weight) < 4 * standard_error
    assert power / weight == pytest.approx(SIGMA**2, rel=0.03)


def test_confidence_is_high_where_aligned_and_low_where_not(texture: NDArray[np.float32]) -> None:
    clean = torch.from_numpy(texture)[None]
    warped = clean.clone()
    warped[..., 60:100, 80:130] = 0.95
    a, b = _noisy(clean, 1), _noisy(warped, 2)
    still = torch.zeros(1, 2, *clean.shape[-2:])
    trust = confidence(a, b, b, still, still)[0]
    assert float(trust[65:95, 85:125].mean()) < 0.1
    trust[55:105, 75:135] = float("nan")
    assert float(trust[trust == trust].mean()) > 0.85


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_the_disagreement_of_a_perfect_alignment_is_one_at_any_noise_level(
    texture: NDArray[np.float32], sigma: int
) -> None:
    # Warped by random fractions of a pixel, as aligned frames are.
    draw = torch.Generator().manual_seed(sigma)
    noise = torch.randn(2, 1, 3, 160, 200, generator=draw) * sigma / 255
    field = torch.rand(1, 2, 1, 1, generator=draw).expand(1, 2, 160, 200)
    clean = torch.from_numpy(texture)[None]
    found = disagreement(clean + noise[0], clean + warp(noise[1], field))
    assert float(found.mean()) == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_noise_of_a_perfect_alignment_is_estimated_within_a_tenth(
    texture: NDArray[np.float32], channels: int
) -> None:
    clean = torch.from_numpy(texture)[None, :channels]
    found = residual_noise_variance(_noisy(clean, 1), _noisy(clean, 2))
    assert float(found.mean()) == pytest.approx(2 * SIGMA**2, rel=0.1)


def test_equal_frames_have_no_error() -> None:
    flat, zero = torch.full((1, 3, 20, 20), 0.5), torch.zeros(1, 2, 20, 20)
    assert aligned_psnr(flat, flat, zero) == math.inf
    assert math.isnan(aligned_psnr(flat, flat, zero, torch.zeros(1, 20, 20)))


def test_fields_that_undo_each_other_are_consistent() -> None:
    forward = torch.zeros(1, 2, 40, 40)
    forward[:, 0] = 4.0
    assert float(inconsistency(forward, -forward).max()) == pytest.approx(0.0, abs=1e-5)
    # |2 f|^2 = 64 px^2 against 0.01 * 2 * 16 + 0.5.
    assert float(inconsistency(forward, forward).mean()) == pytest.approx(math.sqrt(64 / 0.82), rel=1e-4)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (1.25, -0.05), (0.8, 0.1)])
def test_exposure_is_found_under_noise_and_occlusion(texture: NDArray[np.float32], gain: float, offset: float) -> None:
    clean = torch.from_numpy(texture)[None]
    target = _noisy(gain * clean + offset, 1)[0].numpy()
    source = _noisy(clean, 2)[0].numpy().copy()
    source[:, 32:64, 32:80] = 0.9  # covered there
    found_gain, found_offset = estimate_exposure(target, source)
    assert found_gain == pytest.approx(gain, abs=0.03)
    assert found_offset == pytest.approx(offset, abs=0.02)


def test_a_flat_scene_supports_no_gain() -> None:
    flat = torch.full((1, 3, 96, 96), 0.5)
    gain, offset = estimate_exposure(_noisy(flat, 1)[0].numpy() + np.float32(0.1), _noisy(flat, 2)[0].numpy())
    assert gain == 1.0
    assert offset == pytest.approx(0.1, abs=0.01)
