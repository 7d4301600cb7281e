import math

import pytest
import torch

from self2align.alignment.filters import enlarge, gaussian_taps, halve, low_pass, surround


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("height", "width"), [(40, 50), (3, 4)])
def test_the_fast_path_equals_the_one_that_gradients_flow_through(dtype: torch.dtype, height: int, width: int) -> None:
    image = torch.rand(2, 3, height, width, dtype=dtype, generator=torch.Generator().manual_seed(0))
    for sigma in (0.7, 1.0, 2.0):
        followed = low_pass(image.clone().requires_grad_(), sigma)
        torch.testing.assert_close(low_pass(image, sigma), followed.detach(), atol=1e-6, rtol=0)
        assert low_pass(image, sigma).dtype == dtype
    # A view that is not contiguous is no other image.
    torch.testing.assert_close(low_pass(image.mT, 1.0), low_pass(image, 1.0).mT, atol=1e-6, rtol=0)


def test_a_delta_becomes_the_gaussian() -> None:
    delta = torch.zeros(1, 1, 21, 21)
    delta[0, 0, 10, 10] = 1
    blurred = low_pass(delta, 2.0)
    assert float(blurred.sum()) == pytest.approx(1)
    assert float(blurred[0, 0, 10, 12] / blurred[0, 0, 10, 10]) == pytest.approx(math.exp(-0.5), rel=1e-5)
    assert len(gaussian_taps(2.0)) == 13
    assert float(surround(delta, 2.0)[0, 0, 10, 10]) == pytest.approx(0, abs=1e-6)


def test_halving_means_over_two_by_two_and_repeats_an_odd_edge() -> None:
    image = torch.arange(15.0).view(1, 1, 3, 5)
    halved = halve(image)
    assert halved.shape == (1, 1, 2, 3)
    assert halved[0, 0].tolist() == [[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]]


def test_enlarging_is_bilinear_on_both_paths() -> None:
    image = torch.rand(2, 3, 11, 14, generator=torch.Generator().manual_seed(0))
    followed = enlarge(image.clone().requires_grad_(), 21, 28)
    assert followed.shape == (2, 3, 21, 28)
    torch.testing.assert_close(enlarge(image, 21, 28), followed.detach(), atol=1e-6, rtol=0)
    torch.testing.assert_close(enlarge(image.mT, 28, 21), followed.detach().mT, atol=1e-6, rtol=0)
    # Between two values a quarter and three quarters of the way; edges as they are.
    line = enlarge(torch.tensor([[[[0.0, 4.0]]]]), 2, 4)
    assert line[0, 0].tolist() == [[0.0, 1.0, 3.0, 4.0]] * 2


def test_bfloat16_takes_the_other_path() -> None:
    image = torch.rand(1, 2, 12, 14, generator=torch.Generator().manual_seed(0))
    half = image.bfloat16()
    torch.testing.assert_close(low_pass(half, 1.0).float(), low_pass(image, 1.0), atol=0.02, rtol=0)
    torch.testing.assert_close(enlarge(half, 24, 28).float(), enlarge(image, 24, 28), atol=0.02, rtol=0)
