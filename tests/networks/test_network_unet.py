import pytest
import torch

from self2align.networks.unet import UNet


@pytest.mark.parametrize(("w", "thousands"), [(48, 991), (24, 278)])
def test_the_published_and_the_light_unet_have_their_number_of_parameters(w: int, thousands: int) -> None:
    # Counted layer by layer from Noise2Noise, appendix A.1, with one convolution a level in the encoder.
    c = 3

    def conv(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + outputs

    expected = conv(c, w) + 6 * conv(w, w) + conv(2 * w, 2 * w) + 3 * conv(3 * w, 2 * w) + 4 * conv(2 * w, 2 * w)
    expected += conv(2 * w + c, 64) + conv(64, 32) + conv(32, c)
    assert sum(p.numel() for p in UNet(3, width=w).parameters()) == expected
    assert expected // 1000 == thousands


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_number_of_channels(channels: int) -> None:
    noisy = torch.rand(2, channels, 32, 64)
    assert UNet(channels, width=8, depth=3)(noisy).shape == noisy.shape


def test_a_residual_network_starts_as_the_identity() -> None:
    noisy = torch.rand(1, 3, 32, 32)
    assert torch.equal(UNet(3, width=8)(noisy), noisy)
    assert not torch.equal(UNet(3, width=8, residual=False)(noisy), noisy)
