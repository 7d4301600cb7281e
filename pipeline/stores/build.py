"""Writing a store: sharded, resumable, the same bytes with any number of workers.

A store is made of tables: groups whose arrays share their first axis. One task fills one shard of every
array of a table and no two tasks touch one shard file (two writers in one shard lose chunks). A finished
task leaves its columns (small values, one a row) in a marker file, so a killed run resumes where it stopped.
Everything happens in a scratch folder; the whole store is moved into place at the end.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from safetensors.numpy import load, save
from zarr.codecs import BloscCodec, BloscShuffle

from self2align.runtime.disk import check_room, move_into_place
from self2align.runtime.progress import Progress, noted
from self2align.runtime.scratch import file_digest
from self2align.runtime.sealed import is_whole, read_sealed, write_sealed
from self2align.runtime.workers import run_tasks
from self2align.stores.damaged import as_line

# Of the raw size: measured video compresses to 0.28 of it at best (docs/decisions/stores.md).
LEAST = 0.25
Fill = Callable[[str, int, int], dict[str, NDArray[Any]]]


@dataclass(frozen=True)
class ArraySpec:
    """One array of a table, without its first axis.

    Attributes
    ----------
    dtype
        At rest.
    shape
        Of one row; ``()`` makes a column: one value a row, kept in one chunk.
    dims
        Dimension names after the first.
    attributes
        ``units``, ``long_name``, and CF's ``scale_factor`` and ``add_offset``, which xarray applies.
    """

    dtype: str
    shape: tuple[int, ...] = ()
    dims: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A group of arrays that share their first axis, ``axis``, of ``rows`` rows."""

    name: str
    axis: str
    rows: int
    rows_per_shard: int
    arrays: Mapping[str, ArraySpec]
    attributes: Mapping[str, Any] = field(default_factory=dict)


def rows_per_shard(bytes_per_row: int, multiple: int = 1, target: int = 48 * 2**20) -> int:
    """Return how many rows fill a shard of about ``target`` bytes, as a multiple of ``multiple``."""
    return max(1, target // max(1, bytes_per_row * multiple)) * multiple


def build(
    final: Path,
    tables: Sequence[Table],
    fill: Fill,
    attributes: Mapping[str, Any],
    scratch: Path,
    progress: Progress,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Write a store and move it into place.

    Parameters
    ----------
    final
        Where the store belongs.
    tables
        What it holds.
    fill
        ``(table, start, stop) -> {array: rows}``; picklable; a pure function of its arguments.
    attributes
        Of the root; ``content`` (`content_digest`) is added.
    scratch
        This work's own folder (`self2align.runtime.scratch.workspace`).
    progress
        Called with (shards done, shards in all).

    Returns
    -------
    dict
        The columns of every table, for summaries.
    """
    store, done = scratch / "store", scratch / "done"
    if not store.exists():
        # A previous run was killed after it moved the store into place: its markers are stale.
        (scratch / "laid-out").unlink(missing_ok=True)
        shutil.rmtree(done, ignore_errors=True)
    done.mkdir(exist_ok=True)
    for leftover in store.rglob("*.partial"):
        leftover.unlink()
    if not (scratch / "laid-out").exists():
        for table in tables:
            _lay_out(store, table)
        (scratch / "laid-out").touch()
    todo = [
        (store, table, start, done / f"{_flat(table.name)}-{start}.safetensors")
        for table in tables
        for start in range(0, table.rows, table.rows_per_shard)
    ]
    open_tasks = [task for task in todo if not is_whole(task[-1])]
    skipped = len(todo) - len(open_tasks)
    check_room(scratch, int(LEAST * sum(_raw_bytes(table, start) for _, table, start, *_ in open_tasks)), f"{final}")

    def shown(done: int, _: int, note: str = "") -> None:
        noted(progress)(skipped + done, len(todo), note)

    run_tasks(_write_shard, open_tasks, shown, common=(fill,))
    columns = {table.name: _write_columns(store, table, done) for table in tables}
    group = zarr.open_group(store, mode="a", zarr_format=3)
    group.attrs.put(dict(sorted({**attributes, "content": content_digest(store, attributes)}.items())))
    move_into_place(store, final)
    return columns


def _raw_bytes(table: Table, start: int) -> int:
    """Return the size of the rows of a shard before compression."""
    rows = min(start + table.rows_per_shard, table.rows) - start
    return rows * sum(math.prod(one.shape) * np.dtype(one.dtype).itemsize for one in table.arrays.values())


def _flat(name: str) -> str:
    return name.replace("/", "-")


def _lay_out(store: Path, table: Table) -> None:
    zarr.open_group(store, mode="a", zarr_format=3)
    group = zarr.open_group(store, path=table.name, mode="a", zarr_format=3)
    group.attrs.put(dict(sorted(table.attributes.items())))
    for name, spec in sorted(table.arrays.items()):
        rows = max(1, table.rows)
        zarr.create_array(
            store,
            name=f"{table.name}/{name}",
            shape=(table.rows, *spec.shape),
            dtype=spec.dtype,
            chunks=(1, *spec.shape) if spec.shape else (rows,),
            shards=(min(table.rows_per_shard, rows), *spec.shape) if spec.shape else None,
            # Chosen by measurement on noisy frames: docs/decisions/stores.md.
            compressors=[BloscCodec(cname="lz4", clevel=5, shuffle=BloscShuffle.bitshuffle)],
            # "c.0.0.0" lies in the array's own folder; "c/0/0/0" would make three more for each shard.
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=(table.axis, *spec.dims),
            attributes=dict(sorted(spec.attributes.items())),
            fill_value=0,
            overwrite=True,
        )


def _write_shard(fill: Fill, store: Path, table: Table, start: int, marker: Path) -> None:
    stop = min(start + table.rows_per_shard, table.rows)
    rows = fill(table.name, start, stop)
    assert set(rows) == set(table.arrays), (sorted(rows), sorted(table.arrays))
    columns = {}
    for name, spec in table.arrays.items():
        values = np.asarray(rows[name])
        assert values.shape == (stop - start, *spec.shape), (name, values.shape, spec.shape)
        assert values.dtype == np.dtype(spec.dtype), (name, values.dtype, spec.dtype)
        if spec.shape:
            array = zarr.open_array(store, path=f"{table.name}/{name}", mode="r+")
            array[start:stop] = values
        else:
            columns[name] = values
    write_sealed(marker, save(columns))


def _write_columns(store: Path, table: Table, done: Path) -> dict[str, NDArray[Any]]:
    columns = {}
    starts = range(0, table.rows, table.rows_per_shard)
    # No .npz: zip knows no time before 1980, and a machine without a clock starts in 1970.
    markers = {start: load(read_sealed(done / f"{_flat(table.name)}-{start}.safetensors")) for start in starts}
    for name, spec in table.arrays.items():
        if spec.shape:
            continue
        parts = []
        for start in starts:
            parts.append(markers[start][name])
        columns[name] = np.concatenate(parts) if parts else np.zeros(0, spec.dtype)
        array = zarr.open_array(store, path=f"{table.name}/{name}", mode="r+")
        array[:] = columns[name]
    return columns


def content_digest(store: Path, attributes: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a store holds: its attributes (but the digest itself) and every file."""
    told = {name: value for name, value in attributes.items() if name != "content"}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode())
    for path in sorted(_files(store)):
        digest.update(f"{path.relative_to(store).as_posix()}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


def verify(store: Path) -> None:
    """Check a store against its own digest.

    Raises
    ------
    ValueError
        When a file is missing, added or changed: Zarr itself reads a missing shard as zeros.
    """
    with as_line(store, "a whole store"):
        attributes = dict(zarr.open_group(store, mode="r", zarr_format=3).attrs)
    expected, found = str(attributes.get("content")), content_digest(store, attributes)
    if found != expected:
        raise ValueError(
            f"{store}: found content {found[:16]}, expected {expected[:16]}: the store is damaged; "
            "`self2align doctor` says how to restore it"
        )


@lru_cache(maxsize=64)
def _verified(store: Path, made: int) -> None:
    verify(store)


def verify_once(store: Path) -> None:
    """Check a store as `verify` does, once in this process as long as it is the same store."""
    _verified(store, (store / "zarr.json").stat().st_mtime_ns)


def _files(store: Path) -> Iterable[Path]:
    top = store / "zarr.json"
    return (path for path in store.rglob("*") if path.is_file() and path != top)
