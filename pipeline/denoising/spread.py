"""How noise that pixels and channels share spreads over the coefficients of blocks.

White noise is the same in each coefficient of an orthonormal transform. Noise that neighbouring pixels share is
concentrated in the smooth ones, noise that channels share in the brightness. A filter that takes it for white lets
blotches pass and takes off detail.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from self2align.denoising.wiener import BLOCK, bank, opponent
from self2align.noise.profile import NoiseProfile

TAIL = 0.8  # quantile that tells the level: a codec changes most blocks little and some much
DEVIATIONS = 1.2816  # of a Gaussian value there, from zero


def known_spread(profile: NoiseProfile) -> Tensor:
    """Return the noise of each coefficient relative to white noise of the same variances, ``(C, 64)``, in closed form.

    A coefficient is the inner product of the noise with an orthonormal function: its variance is the quadratic form of
    the covariance with this function, which the function's autocorrelation tells.
    """
    colors, functions = opponent(len(profile.covariance)).double().numpy(), bank()[:, 0].double().numpy()
    size, reach = 2 * BLOCK, BLOCK - 1
    power = np.abs(np.fft.fft2(functions, (size, size))) ** 2
    alike = np.roll(np.fft.ifft2(power).real, (reach, reach), (1, 2))[:, : 2 * reach + 1, : 2 * reach + 1]
    variances = profile.variances.mean(1)
    deviations = np.sqrt(variances)
    shared = profile.covariance * np.outer(deviations, deviations)[..., None, None]
    far = min(reach, profile.reach)
    inner, outer = (slice(center - far, center + far + 1) for center in (profile.reach, reach))
    found = np.einsum(
        "oi,oj,ijyx,kyx->ok", colors, colors, shared[..., inner, inner], alike[:, outer, outer], optimize=True
    )
    white = np.maximum(colors**2 @ variances, 1e-20)
    return torch.from_numpy(found / white[:, None]).float().clamp(min=0)


def measured_spread(target: Tensor, neighbours: Sequence[tuple[Tensor, Tensor]], variance: Tensor) -> Tensor | None:
    """Return the noise of each coefficient relative to white noise, ``(C, 64)``, from differences of aligned frames.

    Parameters
    ----------
    target
        The frame, ``(C, H, W)``.
    neighbours
        (aligned neighbour ``(C, H, W)``, confidence ``(H, W)``); the half of the blocks with most confidence counts.
    variance
        Of white noise, ``(C, H, W)``, to which the result relates.

    Returns
    -------
    Tensor or None
        None where no neighbour is trusted anywhere.
    """
    colors, functions = opponent(len(target)).to(target), bank().to(target)
    white = functional.avg_pool2d(torch.einsum("oc,chw->ohw", colors**2, variance)[:, None], BLOCK)
    found, trusted = [], []
    for aligned, confidence in neighbours:
        apart = torch.einsum("oc,chw->ohw", colors, aligned - target)[:, None]
        # Two frames: twice the noise.
        found.append((functional.conv2d(apart, functions, stride=BLOCK).square() / (2 * white)).flatten(2))
        trusted.append(functional.avg_pool2d(confidence[None], BLOCK).flatten())
    trust = torch.cat(trusted) if trusted else variance.new_zeros(1)
    if float(trust.max()) == 0.0:
        return None
    best = (trust >= trust.median()) & (trust > 0)
    squares = torch.cat(found, 2)[..., best].sort(2).values
    return squares[..., int(TAIL * (squares.shape[2] - 1))] / DEVIATIONS**2
