"""Zarr arrays that others have made: read in their own format, and written again in the same."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from self2align.stores.damaged import BROKEN, as_line, text_of

_ANY_TYPE = frozenset({"crc32c", "gzip", "transpose", "zstd"})  # codecs of Zarr v3 that take bytes of any type
_METADATA = ("zarr.json", ".zarray", ".zattrs")


def open_array(path: Path) -> "zarr.Array[Any]":
    """Open an array for reading.

    Raises
    ------
    ValueError
        When it is a group or is broken. Zarr itself refuses values that pickle would decode.
    """
    with as_line(path, "a Zarr array"):
        node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Group):
        with as_line(path, "a Zarr array"):
            names = ", ".join(sorted(name for name, one in node.members(None) if isinstance(one, zarr.Array))[:5])
        raise ValueError(f"{path}: found a Zarr group of {names or 'no arrays'}, expected the path of one array")
    return node


def absent_chunks(path: Path, array: "zarr.Array[Any]") -> str:
    """Return how many chunks of an array have no data, "2 of 9 chunks"; empty if all have."""
    with as_line(path, "a whole Zarr array"):
        absent, count = array.nchunks - array.nchunks_initialized, array.nchunks
    return f"{absent} of {count} chunks" if absent else ""


def dimension_names(array: "zarr.Array[Any]") -> tuple[str, ...] | None:
    """Return the names of the axes, if all have one: of Zarr v3, or as xarray tells them in v2."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(str(name) for name in names)


def as_type(source: Path, dtype: str) -> tuple[str, dict[str, Any]] | None:
    """Return the metadata of an array for values of a type, ``float32``: name of the file and its content.

    None if it compresses in a way that is bound to its own type.
    """
    if (source / ".zarray").is_file():
        content = json.loads((source / ".zarray").read_text())
        if content.get("filters"):
            return None
        return ".zarray", {**content, "dtype": np.dtype(dtype).newbyteorder("<").str}
    content = json.loads((source / "zarr.json").read_text())
    codecs = _codecs(content.get("codecs", []), np.dtype(dtype).itemsize)
    return None if codecs is None else ("zarr.json", {**content, "data_type": dtype, "codecs": codecs})


def _codecs(codecs: Sequence[dict[str, Any]], size: int) -> list[dict[str, Any]] | None:
    """Return the codecs of Zarr v3 for values of so many bytes; None if one is bound to the type."""
    made = []
    for codec in codecs:
        told = dict(codec.get("configuration", {}))
        if codec["name"] == "bytes":
            told.setdefault("endian", "little")
        elif codec["name"] == "blosc":
            told["typesize"] = size
        elif codec["name"] == "sharding_indexed":
            told["codecs"] = _codecs(told["codecs"], size)
            if told["codecs"] is None:
                return None
        elif codec["name"] not in _ANY_TYPE:
            return None
        made.append({**codec, "configuration": told})
    return made


def write_like(
    source: Path, made: Path, piece: Callable[[tuple[slice, ...]], NDArray[Any]], dtype: str | None = None
) -> None:
    """Write an array of the same format, attributes and shape as another.

    Parameters
    ----------
    source
        The other.
    made
        Folder to write.
    piece
        Gives the values of a region. It is asked for one chunk (or shard) at a time, so each is written once.
    dtype
        Type of the values, if it is another: see `as_type`.
    """
    made.mkdir(parents=True)
    for name in _METADATA:
        if (source / name).is_file():
            (made / name).write_bytes((source / name).read_bytes())
    changed = as_type(source, dtype) if dtype is not None and dtype != open_array(source).dtype.name else None
    if changed is not None:
        (made / changed[0]).write_text(json.dumps(changed[1]))
    array = zarr.open_array(made, mode="r+")
    for region in _regions(array.shape, array.shards or array.chunks):
        array[region] = piece(region)


def write_frames(made: Path, frames: Iterator[NDArray[Any]], count: int, attributes: Mapping[str, float]) -> None:
    """Write frames as an array of Zarr v3 with the axes t, y and x, a chunk for each frame.

    Parameters
    ----------
    made
        Folder to write.
    frames
        ``(H, W)``, of one type, read one by one.
    count
        How many.
    attributes
        Of the array.
    """
    first = next(frames)
    array = zarr.create_array(
        made,
        shape=(count, *first.shape),
        chunks=(1, *first.shape),
        dtype=first.dtype,
        dimension_names=("t", "y", "x"),
        attributes=dict(attributes),
        zarr_format=3,
    )
    for number, frame in enumerate(chain([first], frames)):
        array[number] = frame


def _regions(shape: tuple[int, ...], step: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    axes = zip(shape, step, strict=True)
    yield from product(*([slice(at, min(at + size, end)) for at in range(0, end, size)] for end, size in axes))


def values(array: "zarr.Array[Any]", region: tuple[int | slice, ...]) -> NDArray[Any]:
    """Return the values of a region.

    Raises
    ------
    ValueError
        When a chunk does not decode.
    """
    try:
        return np.asarray(array[region])
    except BROKEN as error:
        raise ValueError(
            f"{array.store_path}: found a chunk that does not decode ({text_of(error)}), expected it whole"
        ) from error
