"""How much detail is lost where errors of alignment are averaged, found from noisy frames alone.

A neighbour that is aligned up to a random error of variance s² per axis shows, in expectation, the target's scene
blurred: ``x + b laplacian(x)`` with ``b = s² / 2``, to second order. A denoiser that is judged by it learns that blur.
Frames whose noise is independent tell how strong it is. With y the target, w and v two of its neighbours, L the
Laplacian, A and B the energies ``-E[x L x]`` and ``E[(L x)²]`` of the scene,

- ``E[w L y] = -A + b B``: one of the two is blurred,
- ``E[w L v] = -A + 2 b B``: both are,
- ``E[(L w) (L y)] = B``,

to first order in b. No noise is in any of them, so that b is the second less the first, over the third. What a codec
or a sensor's pattern leaves in neighbouring frames alike is taken for scene: where it is more between a target and its
neighbours than between those, b is found too large.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.stores.codes import Coding

Values = NDArray[np.float32]
TARGETS = 128  # of a scene, evenly spaced
MOST = 0.1  # px²; at 1/8 nothing is left of a checkerboard
TRUST = 8  # power of the confidence: 0.95 keeps two thirds of its weight, 0.7 a twentieth


def laplacian(image: Tensor) -> Tensor:
    """Return the sum of the four differences to the pixels around each, edges repeated, ``(N, C, H, W)``."""
    wide = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    across = wide[..., 1:-1, 2:] + wide[..., 1:-1, :-2]
    down = wide[..., 2:, 1:-1] + wide[..., :-2, 1:-1]
    return across + down - 4 * image


def blurred(image: Tensor, blur: Tensor) -> Tensor:
    """Return images as neighbours show them in expectation.

    Parameters
    ----------
    image
        ``(N, C, H, W)``.
    blur
        ``(N,)``, px²: half the variance of an error of alignment along an axis.
    """
    return image + blur[:, None, None, None] * laplacian(image)


def blur_of(target: Values, warped: Values, confidence: Values) -> tuple[float, float]:
    """Return ``b B`` and ``B`` of one target.

    Parameters
    ----------
    target
        ``(C, H, W)``, noisy.
    warped, confidence
        ``(K, C, H, W)`` and ``(K, H, W)``: its noisy aligned neighbours, at least two.
    """
    frames = torch.from_numpy(np.concatenate([target[None], warped])).double()
    # Not at edges, where pixels are repeated.
    inner = np.s_[..., 1:-1, 1:-1]
    frames, curved = frames[inner], laplacian(frames)[inner]
    trusted = torch.from_numpy(confidence).double()[inner] ** TRUST
    excess = energy = 0.0
    for one, other in combinations(range(1, len(frames)), 2):
        weight = trusted[one - 1] * trusted[other - 1]
        both = frames[one] * curved[other] + frames[other] * curved[one]
        first = (frames[one] + frames[other]) * curved[0] + frames[0] * (curved[one] + curved[other])
        excess += float((weight * (both / 2 - first / 4)).sum())
        energy += float((weight * (curved[one] + curved[other]) * curved[0] / 2).sum())
    return excess, energy


def mean_blur(targets: Sequence[tuple[float, float]]) -> float:
    """Return b of a scene from what `blur_of` gives of its targets, px², from 0 to `MOST`.

    It is drawn towards 0 by how uncertain it is (the positive-part estimate of James and Stein 1961): where there is
    little to see, chance alone gives any b.
    """
    excess, energy = np.array(targets).reshape(-1, 2).T
    if energy.sum() <= 0:
        return 0.0
    found = excess.sum() / energy.sum()
    chance = ((excess - found * energy) ** 2).sum() / energy.sum() ** 2
    return float(np.clip(found * (1 - chance / found**2), 0, MOST)) if found > 0 else 0.0


def neighbours_blur(
    held: Mapping[str, NDArray[Any]],
    codings: Mapping[str, Coding],
    groups: NDArray[np.int64],
    scenes: NDArray[np.int32],
) -> Values:
    """Return the blur of each row's scene, px²; 0 where no target has two neighbours.

    Parameters
    ----------
    held, codings
        ``target, warped, confidence``, one row a pair, and how each is held.
    groups
        See `pipeline.stores.pairs.PairStore.groups`.
    scenes
        The scene of each row.
    """
    found = np.zeros(len(scenes), np.float32)
    for scene in np.unique(scenes):
        mine = groups[(scenes[groups[:, 0]] == scene) & ((groups >= 0).sum(1) > 1)]
        measured = []
        for members in mine[np.unique(np.linspace(0, len(mine) - 1, TARGETS).astype(int))] if len(mine) else ():
            rows = members[members >= 0]
            target = codings["target"].decode(held["target"][rows[0]])
            warped, trust = (codings[name].decode(held[name][rows]) for name in ("warped", "confidence"))
            measured.append(blur_of(target, warped, trust))
        found[scenes == scene] = mean_blur(measured)
    return found
