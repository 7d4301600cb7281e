"""False colour is taken off pictures and video, not off stacks of channels, by the same weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from numpy.typing import NDArray

from self2align.denoising.denoiser import Denoiser
from self2align.denoising.tiled import TiledDenoiser
from self2align.images.png import encode_png
from self2align.networks.normalised import Normalised
from tests.media.running import Run

SIGMA = 20.0


class _Same(torch.nn.Module):
    multiple = 1

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return noisy


def _of_cameras() -> TiledDenoiser:
    """Return what changes nothing but false colour, as weights do that were trained on camera footage."""
    network, whites = Normalised(_Same()), {"uint8": 255.0, "video": 1.0}
    return TiledDenoiser(network, 3, device=torch.device("cpu"), memory=2**28, exact=False, blind=True, whites=whites)


def _channels(dtype: str) -> NDArray[Any]:
    """Three channels without anything in common, (3, H, W)."""
    top = 200 * np.iinfo(dtype).max // 255
    return np.random.default_rng(0).integers(top // 4, top, (3, 48, 56)).astype(dtype)


def _rgb(path: Path, dtype: str) -> None:
    tifffile.imwrite(path, _channels(dtype).transpose(1, 2, 0), photometric="rgb")


def _planes(path: Path, dtype: str) -> None:
    tifffile.imwrite(path, _channels(dtype), photometric="minisblack", metadata={"axes": "CYX"})


def _unsaid(path: Path, dtype: str) -> None:
    """Three planes of which tifffile says by itself that they are RGB."""
    with pytest.warns(DeprecationWarning, match="photometric"):
        tifffile.imwrite(path, _channels(dtype))


def _ome(path: Path, dtype: str) -> None:
    tifffile.imwrite(path, _channels(dtype), ome=True, photometric="minisblack", metadata={"axes": "CYX"})


def _composite(path: Path, dtype: str) -> None:
    metadata = {"axes": "CYX", "mode": "composite"}
    tifffile.imwrite(path, _channels(dtype), imagej=True, photometric="minisblack", metadata=metadata)


def _png(path: Path, dtype: str) -> None:
    path.write_bytes(encode_png(_channels(dtype).transpose(1, 2, 0), []))


def _array(path: Path, dtype: str) -> None:
    zarr.create_array(path, data=_channels(dtype), dimension_names=("c", "y", "x"))


def _read(path: Path) -> NDArray[Any]:
    if path.suffix == ".zarr":
        return np.asarray(zarr.open_array(path, mode="r"))
    if path.suffix == ".tif":
        return np.asarray(tifffile.imread(path))
    from self2align.images.files import read_image

    return read_image(path)[0]


@pytest.mark.parametrize(
    ("write", "name", "dtype", "axes", "changes"),
    [
        (_png, "a.png", "uint8", None, True),
        (_png, "a.png", "uint16", None, True),
        (_rgb, "a.tif", "uint8", None, True),
        (_rgb, "a.tif", "uint16", None, True),
        (_rgb, "a.tif", "uint16", "YXC", False),
        (_planes, "a.tif", "uint8", None, False),
        (_unsaid, "a.tif", "uint16", None, False),
        (_ome, "a.tif", "uint16", None, False),
        (_composite, "a.tif", "uint8", None, False),
        (_array, "a.zarr", "uint8", None, False),
    ],
)
def test_channels_are_not_mixed_where_the_file_is_no_colour_picture(
    tmp_path: Path, write: Callable[[Path, str], None], name: str, dtype: str, axes: str | None, changes: bool
) -> None:
    source, made = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    write(source, dtype)
    run, step = Run(3), np.iinfo(dtype).max / 255
    run.denoiser = _of_cameras()
    run(source, made, sigma=SIGMA * step, axes=axes)
    before, after = (_read(path).astype(np.float64) for path in (source, made))
    assert after.shape == before.shape
    changed = np.abs(after - before).max() / step
    assert (changed > SIGMA / 2) if changes else (changed <= 1)


@pytest.mark.parametrize(
    ("dtype", "told", "changes"),
    [("uint8", None, True), ("uint16", None, False), ("uint8", False, False), ("uint16", True, True)],
)
def test_arrays_of_8_bits_are_taken_for_pictures_unless_told_otherwise(
    dtype: str, told: bool | None, changes: bool
) -> None:
    frames, step = _channels(dtype), np.iinfo(dtype).max / 255
    made = Denoiser(_of_cameras())(frames, axes="CYX", sigma=SIGMA * step, colours=told)
    changed = np.abs(made.astype(np.float64) - frames).max() / step
    assert (changed > SIGMA / 2) if changes else (changed <= 1)
