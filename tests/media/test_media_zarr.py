"""Zarr arrays: the same array, but for the noise."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from tests.media.running import Run

SHAPE = {"T": 3, "C": 2, "Z": 2, "Y": 20, "X": 24}


def _random(shape: tuple[int, ...], dtype: Any = np.uint16) -> NDArray[Any]:
    values = np.random.default_rng(0).random(shape)
    return (values * np.iinfo(dtype).max).astype(dtype) if np.dtype(dtype).kind in "ui" else values.astype(dtype)


def _write(path: Path, values: NDArray[Any], **told: Any) -> None:
    array = zarr.create_array(path, shape=values.shape, dtype=values.dtype, **told)
    array[...] = values


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["YX", "TYX", "TCYX", "TCZYX"])
def test_arrays_keep_values_and_metadata(tmp_path: Path, run: Run, axes: str, version: Any) -> None:
    values = _random(tuple(SHAPE[axis] for axis in axes))
    chunks = (*(2 for _ in axes[:-2]), 16, 16)
    _write(tmp_path / "in.zarr", values, zarr_format=version, chunks=chunks, attributes={"b": 1, "a": [2]})
    run(tmp_path / "in.zarr", tmp_path / "out.zarr")
    result: Any = zarr.open_array(tmp_path / "out.zarr", mode="r")
    np.testing.assert_array_equal(result[...], values)
    name = "zarr.json" if version == 3 else ".zarray"
    assert (tmp_path / "out.zarr" / name).read_bytes() == (tmp_path / "in.zarr" / name).read_bytes()
    assert dict(result.attrs) == {"a": [2], "b": 1}
    assert len(run.seen) == values.size // (20 * 24)


def test_names_of_axes_are_believed(tmp_path: Path) -> None:
    run = Run(channels=2, identity=False)
    values = _random((20, 2, 24, 3), np.uint8)
    names = ["y", "channel", "x", "frame"]
    _write(tmp_path / "in.zarr", values, dimension_names=names, chunks=(20, 1, 8, 2), shards=(20, 2, 24, 2))
    run(tmp_path / "in.zarr", tmp_path / "out.zarr")
    assert len(run.seen) == 3
    result: Any = zarr.open_array(tmp_path / "out.zarr", mode="r")
    for frame in range(3):
        expected = run.denoiser(values[..., frame].transpose(1, 0, 2).astype(np.float32) / np.float32(255))
        found = np.asarray(result[..., frame]).transpose(1, 0, 2)
        assert np.abs(found - expected.clip(0, 1) * 255).max() <= 0.501


def test_axes_can_be_told(tmp_path: Path, run: Run) -> None:
    values = _random((20, 24, 3), np.float32)
    _write(tmp_path / "in.zarr", values)
    with pytest.raises(
        ValueError, match=r"in\.zarr: found an array of shape .* without dimension names, expected axes"
    ):
        run(tmp_path / "in.zarr", tmp_path / "out.zarr")
    run(tmp_path / "in.zarr", tmp_path / "out.zarr", axes="yxc")
    np.testing.assert_allclose(np.asarray(zarr.open_array(tmp_path / "out.zarr")[...]), values, atol=1e-6)
    with pytest.raises(ValueError, match=r"in\.zarr: found axes 'yx' for an array of shape \(20, 24, 3\), expected 3"):
        run(tmp_path / "in.zarr", tmp_path / "other.zarr", axes="yx")


def test_codes_with_scale_and_offset_are_decoded(tmp_path: Path, run: Run) -> None:
    # As noisy frames lie in our own stores: unclipped.
    codes = _random((2, 20, 24))
    _write(tmp_path / "in.zarr", codes, attributes={"scale_factor": 3 / 65535, "add_offset": -1.0})
    run(tmp_path / "in.zarr", tmp_path / "out.zarr")
    assert (np.min(run.seen), np.max(run.seen)) == pytest.approx((-1, 2), abs=0.02)
    np.testing.assert_array_equal(np.asarray(zarr.open_array(tmp_path / "out.zarr")[...]), codes)


def _group(path: Path) -> None:
    group = zarr.open_group(path, mode="w")
    group.create_array("level0", shape=(8, 8), dtype="uint8")


def _pickled(path: Path) -> None:
    _write(path, _random((20, 24)), zarr_format=2)
    metadata = json.loads((path / ".zarray").read_text(encoding="utf-8"))
    metadata["compressor"] = {"id": "pickle", "protocol": 5}
    (path / ".zarray").write_text(json.dumps(metadata), encoding="utf-8")


def _broken(path: Path) -> None:
    _write(path, _random((20, 24)))
    (path / "zarr.json").write_text("{", encoding="utf-8")


def _broken_chunk(path: Path) -> None:
    _write(path, _random((20, 24)))
    chunk = next(file for file in path.rglob("*") if file.is_file() and file.name != "zarr.json")
    chunk.write_bytes(b"no chunk")


def _vast(path: Path) -> None:
    zarr.create_array(path, shape=(2**20, 2**20), chunks=(64, 64), dtype="uint8")


def _nothing(path: Path) -> None:
    zarr.create_array(path, shape=(0, 20, 24), chunks=(1, 20, 24), dtype="uint8")


def _text(path: Path) -> None:
    zarr.create_array(path, shape=(20, 24), dtype="bool")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_group, "found a Zarr group of level0, expected the path of one array"),
        (_pickled, "found No Zarr data type found that matches .*pickle.*, expected a Zarr array"),
        (_broken, "found .*, expected a Zarr array"),
        (_broken_chunk, r"found a chunk that does not decode \(.*\), expected it whole"),
        (_vast, "found a frame of 1048576 x 1048576 pixels of 1 values, expected"),
        (_nothing, r"found an array of shape \(0, 20, 24\), expected values"),
        (_text, "found values of type bool, expected integers or real numbers"),
    ],
)
def test_what_cannot_be_denoised_is_refused_in_one_line(tmp_path: Path, run: Run, make: Any, message: str) -> None:
    make(tmp_path / "in.zarr")
    with pytest.raises(ValueError, match=rf"in\.zarr: {message}") as told:
        run(tmp_path / "in.zarr", tmp_path / "out.zarr")
    assert "\n" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.zarr"]
