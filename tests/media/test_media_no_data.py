"""Regions of files that hold no picture, by a network that changes everything: the regions stay, nothing leaks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image

from tests.media.running import Run

SIZE = (64, 80)
HIDDEN = np.s_[16:48, 16:48]


def _noisy(dtype: Any, texture: NDArray[np.float32]) -> NDArray[Any]:
    clean = texture[0, : SIZE[0], : SIZE[1]] * 150 + 20
    values = clean + 10 * np.random.default_rng(0).standard_normal(SIZE)
    return (np.rint(values) if np.dtype(dtype).kind in "iu" else values).astype(dtype)


@pytest.fixture
def changing() -> Run:
    """A network of random weights whose work is not limited to what noise explains."""
    run = Run(identity=False, normalised=True)
    run.denoiser.exact = False
    return run


def _others() -> NDArray[np.bool_]:
    others = np.ones(SIZE, bool)
    others[HIDDEN] = False
    return others


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_the_color_of_transparent_pixels_makes_no_difference(
    tmp_path: Path, changing: Run, texture: NDArray[np.float32], suffix: str
) -> None:
    gray = _noisy(np.uint8, texture)
    alpha = np.where(_others(), 255, 0).astype(np.uint8)
    found = []
    for name, color in (("a", 0), ("b", 255)):
        pixels = gray.copy()
        pixels[HIDDEN] = color
        Image.merge("LA", [Image.fromarray(pixels), Image.fromarray(alpha)]).convert("RGBA").save(
            tmp_path / f"{name}{suffix}", lossless=True, exact=True
        )
        changing(tmp_path / f"{name}{suffix}", tmp_path / f"{name}-out{suffix}")
        with Image.open(tmp_path / f"{name}-out{suffix}") as image:
            found.append(np.asarray(image.convert("RGBA")))
        assert (found[-1][HIDDEN][..., 0] == color).all()
        np.testing.assert_array_equal(found[-1][..., 3], alpha)
    np.testing.assert_array_equal(found[0][_others()], found[1][_others()])


def test_a_border_without_numbers_comes_back_as_it_was(
    tmp_path: Path, changing: Run, texture: NDArray[np.float32]
) -> None:
    values = _noisy(np.float32, texture)
    values[HIDDEN], values[3, 3], values[5, 60] = np.nan, np.inf, 1e9
    tifffile.imwrite(tmp_path / "in.tif", values)
    changing(tmp_path / "in.tif", tmp_path / "out.tif")
    found = tifffile.imread(tmp_path / "out.tif")
    np.testing.assert_array_equal(found[~np.isfinite(values)], values[~np.isfinite(values)])
    assert found[5, 60] == np.float32(1e9)
    assert np.isfinite(found[np.isfinite(values)]).all()


@pytest.mark.parametrize("what", ["chunk", "_FillValue", "missing_value"])
def test_what_an_array_does_not_hold_stays_absent(
    tmp_path: Path, changing: Run, texture: NDArray[np.float32], what: str
) -> None:
    found = []
    for name, empty in (("a", -1), ("b", 30_000)):
        values = _noisy(np.int16, texture)
        values[HIDDEN] = empty
        array = zarr.create_array(
            tmp_path / f"{name}.zarr", shape=SIZE, chunks=(16, 16), dtype="int16", fill_value=empty, zarr_format=2,
            attributes={} if what == "chunk" else {what: empty},
        )  # fmt: skip
        array[:] = values
        changing(tmp_path / f"{name}.zarr", tmp_path / f"{name}-out.zarr")
        result = zarr.open_array(tmp_path / f"{name}-out.zarr", mode="r")
        assert result.nchunks_initialized == array.nchunks_initialized == 16
        found.append(np.asarray(result[:]))
        assert (found[-1][HIDDEN] == empty).all()
    np.testing.assert_array_equal(found[0][_others()], found[1][_others()])


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
@pytest.mark.parametrize("held", [None, 0, 1])
def test_what_holds_no_number_at_all_is_refused(tmp_path: Path, suffix: str, held: int | None) -> None:
    data = np.full((5, *SIZE), np.nan, np.float32)
    if held is not None:  # one value in a frame other than the first, the middle and the last is something
        data[held, 4, 5] = 3
    source, made = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(source, data, photometric="minisblack")
    else:
        zarr.create_array(source, data=data)
    if held is None:
        with pytest.raises(ValueError, match=rf"in\{suffix}: found no value in its 5 frames that is finite"):
            Run()(source, made, axes="TYX")
        assert sorted(tmp_path.iterdir()) == [source]
    else:
        Run()(source, made, axes="TYX")
        found = tifffile.imread(made) if suffix == ".tif" else np.asarray(zarr.open_array(made, mode="r")[...])
        np.testing.assert_array_equal(found, data)
