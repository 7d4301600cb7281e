"""Networks that see noise of one level, whatever the level, exposure and white balance of the images.

A network that was trained at one level of noise fails at others: cleaner footage gets a colour cast, noisier footage
stays noisy. Here the image is brought to the network instead. With a noisy image y, its local mean m, the standard
deviation sigma of its noise at each pixel, and the network f,

    D(y; sigma) = m + f((y - m) s) / s,    s = LEVEL / sigma.

So D(a y + b; a sigma) = a D(y; sigma) + b for every a > 0 and every b, which may differ between channels: the result
follows exposure, gain, offset and unit exactly, and one network serves all levels. Background: a noise-level map as a
further input (Zhang et al., FFDNet, 2018), networks without biases (Mohan et al., ICLR 2020), networks equivariant by
construction (Herbreteau et al., NeurIPS 2023). Comparison: docs/decisions/levels.md.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from self2align.networks.network import multiple_of

LEVEL = 25 / 255  # standard deviation of the noise that the network sees
LEAST = 1e-3  # of the mean variance: the least variance of a pixel
SMALLEST = 1e-12  # variance, white being 1.0
NEAR = 7  # px, of the brightness that decides the level
CELL = 16  # px, of the local mean
# Standard deviation of the local mean of white noise of standard deviation 1: cells, then weights of 1, 2, 1 each way.
MEAN_SIGMA = 6 / 16 / CELL
# What is taken off may have a local mean of so many of these: rarely exceeded by noise alone.
MOST_MEAN = 2.0
DETAIL_CELL = 8  # px, of the variance of what is taken off
ROUNDS = 3  # of the correction of the local mean: each halves what the one before left


class Normal(NamedTuple):
    """Images as the network sees them, and what takes its results back.

    Attributes
    ----------
    images
        ``(N, C, H, W)``: noise of standard deviation `LEVEL`, local mean 0.
    mean, scale
        ``images = (noisy - mean) * scale``.
    """

    images: Tensor
    mean: Tensor
    scale: Tensor

    def undo(self, result: Tensor) -> Tensor:
        """Return what the network made of the images, in the units of the noisy ones."""
        return result / self.scale + self.mean


def local_mean(images: Tensor, cell: int = CELL) -> Tensor:
    """Return the mean of the surroundings of each pixel, about three cells wide; ``(N, C, H, W)`` to the same."""
    cells = functional.avg_pool2d(_mirrored(images, cell), cell, ceil_mode=True, count_include_pad=False)
    # No convolution: mixed precision would round it.
    wide = functional.pad(cells, (1, 1, 1, 1), mode="replicate")
    tall = (wide[..., :-2] + 2 * wide[..., 1:-1] + wide[..., 2:]) / 4
    smooth = (tall[..., :-2, :] + 2 * tall[..., 1:-1, :] + tall[..., 2:, :]) / 4
    return _spread(smooth, images, cell)


def _mirrored(images: Tensor, cell: int) -> Tensor:
    """Return images that go on, mirrored, to whole cells; smaller ones go on as far as they can."""
    for axis in (-2, -1):
        wanted = images.shape[axis] + -images.shape[axis] % cell
        images = torch.cat([images, images.flip(axis)], axis)
        images = images[..., :wanted, :] if axis == -2 else images[..., :wanted]
    return images


def _spread(cells: Tensor, images: Tensor, cell: int) -> Tensor:
    """Return the values of cells at each pixel of the images."""
    height, width = images.shape[-2:]
    wide: Tensor = functional.interpolate(cells, scale_factor=float(cell), mode="bilinear", align_corners=False)
    return wide[..., :height, :width]


def mean_sigma(images: Tensor) -> Tensor:
    """Return the standard deviation of the local mean of white noise of standard deviation 1, ``(1, 1, H, W)``.

    It is `MEAN_SIGMA`, and up to 1.7 times that in the corners, where fewer pixels count.
    """
    inside, edge = 0.375, 0.625  # sums of the squared weights of 1, 2, 1, and of 3, 1 at an end
    axes = []
    for length in images.shape[-2:]:
        place = torch.arange((length + CELL - 1) // CELL, device=images.device)
        last = (place == 0).to(images.dtype) + (place == place.max()).to(images.dtype)
        axes.append(inside + (edge - inside) * last)
    return _spread(torch.outer(*axes)[None, None].sqrt() / CELL, images, CELL)


def brightness(noisy: Tensor) -> Tensor:
    """Return the expected value of each pixel as far as its nearest neighbours tell it, ``(N, C, H, W)``.

    For the level of noise that depends on brightness: a mean over 7 x 7 px, fewer at the edges.
    """
    smooth: Tensor = functional.avg_pool2d(noisy, NEAR, 1, NEAR // 2, count_include_pad=False)
    return smooth


def noise_level(noisy: Tensor, gain: Tensor, read: Tensor) -> Tensor:
    """Return the standard deviation of the noise, more than 0.

    Parameters
    ----------
    noisy
        ``(N, C, H, W)``.
    gain, read
        ``(N,)``, or ``(N, C)`` for each channel: the variance at an expected value x is ``gain x + read``.

    Returns
    -------
    Tensor
        ``(N, 1, 1, 1)`` or ``(N, C, 1, 1)``, or ``(N, C, H, W)`` if any noise depends on brightness.
    """
    slope, variance = (one.view(len(one), -1, 1, 1) for one in (gain, read))
    if bool((gain != 0).any()):
        variance = slope * brightness(noisy) + variance
    usual = variance.clamp(min=0).mean((1, 2, 3), keepdim=True).clamp(min=SMALLEST)
    return torch.maximum(variance, LEAST * usual).sqrt()


def normal(noisy: Tensor, level: Tensor) -> Normal:
    """Return images as a network sees them.

    Parameters
    ----------
    noisy
        ``(N, C, H, W)``, any unit.
    level
        Standard deviation of the noise in the same unit, more than 0: one for each image, ``(N, 1, 1, 1)``, or a map,
        ``(N, 1, H, W)`` or ``(N, C, H, W)``.
    """
    mean, scale = local_mean(noisy), LEVEL / level
    return Normal((noisy - mean) * scale, mean, scale)


def without_cast(noisy: Tensor, denoised: Tensor, level: Tensor) -> Tensor:
    """Return the denoised images, moved where more than noise was taken off: no area changes its colour.

    The local mean of what a denoiser takes off is that of the noise, whose standard deviation is known: a
    forty-third of that of a pixel. What exceeds twice that is an error of the network and is given back.

    Parameters
    ----------
    noisy, denoised
        ``(N, C, H, W)``.
    level
        See `normal`; of noise that is independent from pixel to pixel.
    """
    square = local_mean(level.square().expand_as(noisy)) if level.shape[-1] > 1 else level.square()
    most = MOST_MEAN * mean_sigma(noisy) * square.sqrt()
    taken = noisy - denoised
    for _ in range(ROUNDS):
        mean = local_mean(taken)
        taken = taken - (mean - torch.maximum(torch.minimum(mean, most), -most))
    return noisy - taken


def denoise_crops(network: nn.Module, noisy: Tensor, level: Tensor) -> Tensor:
    """Return what a network makes of crops; a network that is not normalised is not told the level."""
    result: Tensor = network(noisy, level) if isinstance(network, Normalised) else network(noisy)
    return result


def without_detail(noisy: Tensor, denoised: Tensor, level: Tensor) -> Tensor:
    """Return the denoised images, moved towards the noisy ones where more than noise was taken off.

    What is taken off is noise n, and detail d where the network knows no better: fur at little noise. Of its variance
    that of the noise is known, and the share ``c = var(n) / var(n + d)`` of it is the best estimate of n (Wiener): the
    squared error becomes ``var(n) var(d) / (var(n) + var(d))``, less than that of the noisy image, and than that of
    the denoised one. The variance is taken over about 24 px and all channels.

    Parameters
    ----------
    noisy, denoised
        ``(N, C, H, W)``.
    level
        See `normal`; of noise that is independent from pixel to pixel, and exact.
    """
    taken = noisy - denoised
    share = local_mean((taken / level).square().mean(1, keepdim=True), DETAIL_CELL)
    return noisy - taken / share.clamp(min=1.0)


class Normalised(nn.Module):
    """A network for images of any level of noise.

    Parameters
    ----------
    network
        ``(N, C, H, W) -> (N, C, H, W)``; it sees noise of standard deviation `LEVEL` about a local mean of 0.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.multiple = multiple_of(network)

    def forward(self, noisy: Tensor, level: Tensor | None = None) -> Tensor:
        """Denoise ``(N, C, H, W)``.

        Parameters
        ----------
        noisy
            Height and width are multiples of ``multiple``.
        level
            See `normal`; None for images whose noise has the standard deviation `LEVEL`.
        """
        seen = normal(noisy, noisy.new_full((1, 1, 1, 1), LEVEL) if level is None else level)
        return seen.undo(self.network(seen.images))
