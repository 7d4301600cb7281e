import math

import pytest
import torch

from self2align.alignment.filters import low_pass, surround, surround_energy
from self2align.alignment.warp import inside, warp


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "nearest", "sinc"])
def test_a_delta_moved_by_one_pixel_lands_one_pixel_on(kernel: str) -> None:
    image = torch.zeros(1, 1, 9, 11)
    image[0, 0, 4, 6] = 1
    transfer = torch.zeros(1, 2, 9, 11)
    transfer[:, 0], transfer[:, 1] = 1, -2  # aligned(x) = image(x + M)
    moved = warp(image, transfer, kernel)
    expected = torch.zeros_like(image)
    expected[0, 0, 6, 5] = 1
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=0)


def test_sinc_keeps_detail_and_noise_where_bilinear_blurs() -> None:
    # A wave of 2.5 px, moved by a third of a pixel each way; and white noise.
    x = torch.arange(64.0)
    transfer = torch.full((1, 2, 64, 64), 1 / 3)

    def wave(shift: float) -> torch.Tensor:
        turns = 2 * math.pi / 2.5
        return (torch.cos(turns * (x + shift)) * torch.cos(0.3 * (x[:, None] + shift)))[None, None]

    error = {
        kernel: float((warp(wave(0), transfer, kernel) - wave(1 / 3))[..., 8:-8, 8:-8].std())
        for kernel in ("bilinear", "bicubic", "sinc")
    }
    assert error["sinc"] < 0.1
    assert 2 * error["sinc"] < error["bicubic"] < error["bilinear"]
    noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    kept = {kernel: float(warp(noise, transfer, kernel).std() / noise.std()) for kernel in ("bilinear", "sinc")}
    assert kept["bilinear"] < 0.65
    assert kept["sinc"] > 0.8
    flat = torch.full((1, 2, 64, 64), 0.7)
    torch.testing.assert_close(warp(flat, transfer, "sinc"), flat)


def test_half_a_pixel_averages_two() -> None:
    image = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 4, 8).contiguous()
    transfer = torch.zeros(1, 2, 4, 8)
    transfer[:, 0] = 0.5
    torch.testing.assert_close(warp(image, transfer)[0, 0, 0, :7], torch.arange(7.0) + 0.5)


def test_a_field_smaller_than_the_image_starts_at_the_same_corner() -> None:
    image = torch.rand(2, 3, 10, 12)
    torch.testing.assert_close(warp(image, torch.zeros(2, 2, 5, 6)), image[..., :5, :6])


def test_inside_is_where_the_sample_lies_in_the_image() -> None:
    transfer = torch.zeros(1, 2, 4, 6)
    transfer[:, 0] = 2.0
    assert inside(transfer, 4, 6)[0].sum(1).tolist() == [4, 4, 4, 4]


def test_a_low_pass_keeps_flat_images_and_a_surround_leaves_out_its_centre() -> None:
    flat = torch.full((1, 2, 20, 20), 0.3)
    torch.testing.assert_close(low_pass(flat, 1.5), flat)
    torch.testing.assert_close(surround(flat, 2.0), flat)
    delta = torch.zeros(1, 1, 21, 21)
    delta[0, 0, 10, 10] = 1
    around = surround(delta, 2.0)
    assert abs(float(around[0, 0, 10, 10])) < 1e-7
    assert float((around**2).sum()) == pytest.approx(surround_energy(2.0), rel=1e-4)
