"""TIFF files for tests, and how they are read."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from self2align.images.tiff_layout import Layout, footage
from self2align.media.medium import Choices
from self2align.media.tiff import TiffStack

H, W = 12, 17
MINIS: dict[str, Any] = {"photometric": "minisblack"}
PLANAR: dict[str, Any] = {"photometric": "rgb", "planarconfig": "separate"}


def values(shape: tuple[int, ...], dtype: str = "uint16") -> NDArray[Any]:
    kind = np.dtype(dtype)
    whole = np.random.default_rng(0).integers(-100 if kind.kind in "if" else 0, 100, shape)
    return (whole / (256 if kind.kind == "f" else 1)).astype(kind)  # which float16 holds as well


def write(path: Path, data: NDArray[Any], **told: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tifffile.imwrite(path, data, **told)


def layout(path: Path, axes: str | None = None) -> Layout:
    with footage(path, axes) as (_, layout):
        return layout


def denoised(path: Path, axes: str | None = None) -> NDArray[Any]:
    """Return what denoising reads: frames ``(T, C, H, W)``."""
    stack = TiffStack(path, path.with_name("out.tif"), Choices(3, axes=axes))
    with tifffile.TiffFile(path) as file:
        array = stack.layout.array(file)
        return np.stack([stack.planes.read(array.__getitem__, index) for index in range(stack.count)])


def ordered(data: NDArray[Any], axes: str) -> NDArray[Any]:
    """Return an array of these axes as frames, ``(T, C, H, W)``."""
    letters = axes.replace("S", "C")
    ordered = data.transpose([letters.index(letter) for letter in "TCYX" if letter in letters])
    return ordered.reshape(*(data.shape[letters.index(letter)] if letter in letters else 1 for letter in "TCYX"))
