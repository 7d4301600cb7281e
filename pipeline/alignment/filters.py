"""Low-pass filters for noisy frames."""

from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

FAST = (torch.float32, torch.float64)  # types that OpenCV filters


@cache
def gaussian_taps(sigma: float) -> tuple[float, ...]:
    """Return a sampled Gaussian of standard deviation sigma (px), cut at three sigma, normalized to sum 1."""
    radius = max(1, round(3 * sigma))
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=torch.float64) / sigma) ** 2)
    return tuple((taps / taps.sum()).tolist())


def low_pass(image: Tensor, sigma: float) -> Tensor:
    """Blur by a Gaussian, edges repeated. ``(N, C, H, W)`` to the same; sigma in px, 0 for none."""
    if sigma == 0:
        return image
    taps = gaussian_taps(sigma)
    if image.device.type == "cpu" and not image.requires_grad and image.dtype in FAST:
        # OpenCV's filter is 3 to 5 times as fast on a CPU, and equal up to rounding.
        blurred = torch.empty_like(image, memory_format=torch.contiguous_format)
        kernel = np.array(taps)
        for one, out in zip(image.flatten(0, -3).numpy(), blurred.flatten(0, -3).numpy(), strict=True):
            cv2.sepFilter2D(one, -1, kernel, kernel, dst=out, borderType=cv2.BORDER_REPLICATE)
        return blurred
    radius = len(taps) // 2
    # Sums of shifted images are ten times as fast on a CPU as a depthwise convolution.
    for dimension, pad in ((-2, (0, 0, radius, radius)), (-1, (radius, radius, 0, 0))):
        size = image.shape[dimension]
        padded = functional.pad(image, pad, mode="replicate")
        parts = [padded.narrow(dimension, place, size) for place in range(2 * radius + 1)]
        image = parts[radius] * taps[radius]
        for near in range(1, radius + 1):
            image = image.add(parts[radius - near] + parts[radius + near], alpha=taps[radius + near])
    return image


def halve(image: Tensor) -> Tensor:
    """Return means over 2 x 2 px, ``(N, C, H, W)`` to ``(N, C, ceil(H / 2), ceil(W / 2))``; edges repeated."""
    if image.shape[-1] % 2 or image.shape[-2] % 2:
        image = functional.pad(image, (0, image.shape[-1] % 2, 0, image.shape[-2] % 2), mode="replicate")
    # These sums are seven times as fast on a CPU as average pooling.
    rows = image[..., ::2, :] + image[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


def enlarge(image: Tensor, height: int, width: int) -> Tensor:
    """Return an image of twice the size, cut to ``height x width``; bilinear."""
    if image.device.type == "cpu" and not image.requires_grad and image.dtype in FAST and image.is_contiguous():
        # OpenCV, as in `low_pass`, is twice as fast.
        larger = image.new_empty(*image.shape[:-2], 2 * image.shape[-2], 2 * image.shape[-1])
        for one, out in zip(image.flatten(0, -3).numpy(), larger.flatten(0, -3).numpy(), strict=True):
            cv2.resize(one, out.shape[::-1], dst=out, interpolation=cv2.INTER_LINEAR)
    else:
        larger = functional.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
    return larger[..., :height, :width]


def surround(image: Tensor, sigma: float) -> Tensor:
    """Blur by a Gaussian that leaves out the pixel itself, so the result does not depend on its noise.

    ``(N, C, H, W)`` to the same; sigma in px.
    """
    centre = gaussian_taps(sigma)[len(gaussian_taps(sigma)) // 2] ** 2
    return (low_pass(image, sigma) - centre * image) / (1 - centre)


@cache
def surround_energy(sigma: float) -> float:
    """Return the sum of the squared weights of `surround`: the remaining share of the variance of white noise."""
    taps = torch.tensor(gaussian_taps(sigma), dtype=torch.float64)
    centre = float(taps[len(taps) // 2]) ** 2
    return (float((taps**2).sum()) ** 2 - centre**2) / (1 - centre) ** 2
