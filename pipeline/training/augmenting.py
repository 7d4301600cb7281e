"""Crops mirrored, turned, and in other colors: more of them than footage holds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def apply_symmetry(arrays: Mapping[str, NDArray[Any]], symmetry: int) -> dict[str, NDArray[Any]]:
    """Apply one of the eight symmetries of the square to arrays of one crop.

    ``transfer`` is a vector field, so its components change with its positions.

    Parameters
    ----------
    arrays
        ``(..., s, s)`` each.
    symmetry
        0 to 7; bit 0 mirrors x, bit 1 mirrors y, bit 2 then swaps x and y.
    """
    transformed = {}
    for name, array in arrays.items():
        out = array
        if symmetry & 1:
            out = out[..., ::-1]
        if symmetry & 2:
            out = out[..., ::-1, :]
        if symmetry & 4:
            out = out.swapaxes(-1, -2)
        if name == "transfer":
            x, y = out
            x, y = (-x if symmetry & 1 else x), (-y if symmetry & 2 else y)
            out = np.stack([y, x] if symmetry & 4 else [x, y])
        transformed[name] = out
    return transformed


def rotate_crop_colors(arrays: dict[str, NDArray[Any]], share: float, draw: np.random.Generator) -> None:
    """Rotate the colors of all images of one crop about gray by one random rotation, in place.

    White noise has the same distribution after a rotation. Detail that footage has only in its brightness (video is
    stored with half the color resolution) then appears in its colors too.

    Parameters
    ----------
    arrays
        Images ``(..., C, H, W)``, white being 1.0, and perhaps ``transfer`` and ``confidence``, which stay the same.
    share
        Share of crops that are rotated.
    draw
        Source of the rotation. It is called as often for a crop that is not rotated.
    """
    images = [name for name in arrays if name not in ("transfer", "confidence")]
    channels = arrays[images[0]].shape[-3]
    rotated = draw.random() < share
    # The orthonormal factor of a matrix of normal deviates is uniformly distributed.
    rotation = np.linalg.qr(draw.standard_normal((channels, channels)))[0].astype(np.float32)
    if not rotated:
        return
    gray = np.float32(0.5)
    for name in images:
        arrays[name] = np.einsum("oc,...chw->...ohw", rotation, arrays[name] - gray) + gray
