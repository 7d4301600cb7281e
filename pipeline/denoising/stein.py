"""How much of what a network took off is noise, by Stein's unbiased risk estimate.

A network may take off detail that looks like noise: fur at little noise. With the noisy image y = x + n, what was taken
off r = y - D(y), and the share c of it that is really taken off, the squared error ``|n - c r|^2`` is least for
``c = <n, r> / <r, r>``. Stein's lemma (1981) gives the unknown ``<n, r>``: for white Gaussian noise of variance v it is
v times the divergence of r, which a second look at the image with a little noise added tells (Ramani et al. 2008).
Means are taken over about 48 px.

A second look doubles the time, so it is taken at the most suspicious windows first. See docs/decisions/levels.md.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from self2align.networks.normalised import LEVEL, local_mean

Image = NDArray[np.float32]
Run = Callable[[Image], Image]

STEP = 0.05  # of the noise's standard deviation: small for the network, large for its rounding
SEED = 9
WINDOW, AROUND, WINDOWS = 64, 16, 3  # px of a window, px around it that the network sees, and how many are looked at
# Where there is detail of variance d, in units of the noise's, and the network took off a share s of the noise's
# variance, ``s d / (d + 4)`` is 0.56 to 0.6 in most photographs, whatever d; in fur and skin at sigma 5 0.6 to 0.8.
SUSPECT, DETAIL = 0.6, 4.0
MOST = 6.0  # standard deviations of the noise: hardly any noise exceeds it
SPARED = 0.85  # share of noise in a window below which the whole image is looked at again: 0.1 dB there


def noise_share(seen: Image, result: Image, run: Run, copies: float = 1) -> Tensor | None:
    """Return the share of noise in what a network took off, ``(1, 1, H, W)``, 0 to 1; None where it is all noise.

    Parameters
    ----------
    seen
        What the network saw, ``(C, H, W)``: noise of standard deviation `LEVEL` about a local mean of 0.
    result
        What it made of that.
    run
        Applies it to an image of any size.
    copies
        Number of channels that are copies of one. Their noise is less by its root, and the same in all.
    """
    unit = LEVEL / copies**0.5
    taken = _over_channels((seen - result) / unit)
    _, height, width = seen.shape
    if min(height, width) > WINDOW and height * width > 4 * WINDOWS * (WINDOW + 4 * AROUND) ** 2:
        found = _most_suspicious(_over_channels(seen / unit), taken)
        if not any(_spares(seen[:, rows, columns], run, unit, copies) for rows, columns in found):
            return None
    return _share(seen, result, run, unit, copies, taken)


def _over_channels(values: Image) -> Tensor:
    """Return the local mean of the squares, ``(1, 1, H, W)``; a hot pixel counts as `MOST` standard deviations."""
    squares = np.minimum(np.square(values), np.float32(MOST**2))
    return local_mean(torch.from_numpy(squares.mean(0, dtype=np.float32))[None, None])


def _most_suspicious(power: Tensor, taken: Tensor) -> list[tuple[slice, slice]]:
    """Return rows and columns of the windows where most detail may have been taken for noise, and what is around."""
    detail = (power - 1).clamp(min=0)
    suspicion = functional.avg_pool2d(
        taken * detail / (detail + DETAIL), WINDOW, ceil_mode=True, count_include_pad=False
    )[0, 0]
    values, places = suspicion.flatten().topk(min(WINDOWS, suspicion.numel()))
    height, width = power.shape[-2:]
    cells = [divmod(int(place), suspicion.shape[1]) for place in places[values > SUSPECT]]
    return [(_around(row, height), _around(column, width)) for row, column in cells]


def _around(cell: int, length: int) -> slice:
    """Return a window and what is around it; the last one ends with the image."""
    start = min(cell * WINDOW, length - WINDOW)
    return slice(max(0, start - AROUND), start + WINDOW + AROUND)


def _spares(window: Image, run: Run, unit: float, copies: float) -> bool:
    """Return whether a network takes off detail in a window."""
    result = run(window)
    share = _share(window, result, run, unit, copies, _over_channels((window - result) / unit))
    return bool(share.mean() < SPARED)


def _share(seen: Image, result: Image, run: Run, unit: float, copies: float, taken: Tensor) -> Tensor:
    channels, height, width = seen.shape
    size = (1 if copies > 1 else channels, height, width)
    signs = (2 * np.random.default_rng(SEED).integers(0, 2, size, np.int8) - 1).astype(np.float32)
    step = np.float32(STEP * unit)
    kept = signs * (run(seen + step * signs) - result) / step
    noise = local_mean(torch.from_numpy(1 - kept.mean(0, dtype=np.float32))[None, None])
    return (noise / taken.clamp(min=1e-6)).clamp(0, 1)
