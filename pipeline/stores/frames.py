"""Stores of frames: one group for each frame size, one row for each frame.

::

    frames.zarr, noisy.zarr
      480x854/            one group a frame size and type
        frames            (frame, channel, y, x)   one frame a chunk
      480x854/truth/      only where the motion was made by us
        transfer          (pair, 2, y, x)          px, x first
        occluded          (pair, y, x)
        target, source    (pair)                   rows of ``frames``

The root's attribute ``scenes`` lists the scenes: source, name, roles, group, first row, number of frames.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from pydantic import TypeAdapter

from self2align import __version__
from self2align.runtime.progress import Progress
from self2align.stores.build import ArraySpec, Table, build, rows_per_shard, verify_once
from self2align.stores.codes import Coding
from self2align.stores.damaged import as_line
from self2align.stores.scene import Truth

KIND = "self2align frames 1"
ROLES = ("align", "pairs", "validation", "test")  # what scenes are used for


@dataclass(frozen=True)
class SceneRecord:
    """One scene in a store of frames.

    Attributes
    ----------
    source, name
        Key in ``ingest.sources``; name within it.
    roles
        What it is for: align, pairs, validation, test.
    group
        The table that holds its frames.
    first, count
        Rows of the table.
    height, width
        px.
    """

    source: str
    name: str
    roles: tuple[str, ...]
    group: str
    first: int
    count: int
    height: int
    width: int

    @property
    def title(self) -> str:
        """Return source and name as one."""
        return f"{self.source}/{self.name}"


_RECORDS = TypeAdapter(list[SceneRecord])
_WHOLE = "a whole store of frames"


def open_store(path: Path, kind: str, check: bool = True) -> zarr.Group:
    """Open a store of ours for reading.

    Parameters
    ----------
    path, kind
        Where it is, and its attribute ``kind``.
    check
        Whether its files are compared with its digest: the compressed chunks themselves have no checksum.

    Raises
    ------
    ValueError
        When there is no store, one of another kind, or a damaged one.
    """
    if not (path / "zarr.json").is_file():
        raise ValueError(f"{path}: found no Zarr store, expected one of kind {kind!r}")
    with as_line(path, f"a store of kind {kind!r}"):
        group = zarr.open_group(path, mode="r", zarr_format=3)
        found = group.attrs.get("kind")
    if found != kind:
        raise ValueError(f"{path}: found a Zarr store of kind {found!r}, expected {kind!r}")
    if check:
        verify_once(path)
    return group


class FrameStore:
    """A store of frames, open for reading. See `open_store`."""

    def __init__(self, path: Path, check: bool = True) -> None:
        self.path = path
        self.root = open_store(path, KIND, check)
        with as_line(path, _WHOLE):
            self.attributes: dict[str, Any] = dict(self.root.attrs)
            self.content = str(self.attributes["content"])
            self.scenes = _RECORDS.validate_python(self.attributes["scenes"])
        self._arrays: dict[str, zarr.Array[Any]] = {}

    def _array(self, name: str) -> "zarr.Array[Any]":
        if name not in self._arrays:
            with as_line(self.path, _WHOLE):
                array = self.root[name]
            if not isinstance(array, zarr.Array):
                raise ValueError(f"{self.path}: found no array {name}, expected {_WHOLE}")
            self._arrays[name] = array
        return self._arrays[name]

    def with_role(self, role: str) -> list[SceneRecord]:
        """Return the scenes that have a role."""
        return [scene for scene in self.scenes if role in scene.roles]

    def scene(self, title: str) -> SceneRecord:
        """Return the scene of that title (source/name)."""
        for scene in self.scenes:
            if scene.title == title:
                return scene
        raise ValueError(f"{self.path}: found no scene {title!r}, expected one of {len(self.scenes)} scenes")

    def coding(self, scene: SceneRecord) -> Coding:
        """Return how the frames of a scene are held."""
        array = self._array(f"{scene.group}/frames")
        with as_line(self.path, _WHOLE):
            return Coding.of(array.dtype, array.attrs)

    def channels(self, scene: SceneRecord) -> int:
        """Return C of the frames of a scene."""
        return int(self._array(f"{scene.group}/frames").shape[1])

    def codes(self, scene: SceneRecord, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return frames ``start`` to ``stop`` of a scene as held, ``(T, C, H, W)``."""
        stop = scene.count if stop is None else stop
        assert 0 <= start <= stop <= scene.count
        array = self._array(f"{scene.group}/frames")
        with as_line(self.path, _WHOLE):
            rows = np.asarray(array[scene.first + start : scene.first + stop])
        if len(rows) != stop - start or rows.shape[2:] != (scene.height, scene.width):
            shape = (stop - start, *rows.shape[1:2], scene.height, scene.width)
            raise ValueError(f"{self.path}: found frames of shape {rows.shape} for {scene.title}, expected {shape}")
        return rows

    def frames(self, scene: SceneRecord, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Return frames of a scene as values, ``(T, C, H, W)``, float32, white being 1.0, unclipped."""
        return self.coding(scene).decode(self.codes(scene, start, stop))

    def truth(self, scene: SceneRecord) -> Truth | None:
        """Return the true motion of a scene, frame numbers counted within the scene; None if unknown."""
        group = f"{scene.group}/truth"
        if group not in self.root:
            return None
        target, source = (np.asarray(self._array(f"{group}/{name}")[:]) for name in ("target", "source"))
        rows = np.flatnonzero((target >= scene.first) & (target < scene.first + scene.count))
        if not rows.size:
            return None
        chosen = slice(int(rows[0]), int(rows[-1]) + 1)
        return Truth(
            target=target[chosen] - np.int32(scene.first),
            source=source[chosen] - np.int32(scene.first),
            transfer=np.asarray(self._array(f"{group}/transfer")[chosen]).astype(np.float32),
            occluded=np.asarray(self._array(f"{group}/occluded")[chosen]).astype(bool),
        )


def opened(path: Path) -> FrameStore:
    """Return a store of frames that stays open in this process, as long as it is the same store.

    For workers: the process that started them has checked it.
    """
    return _opened(path.resolve(), (path / "zarr.json").stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _opened(path: Path, made: int) -> FrameStore:
    return FrameStore(path, check=False)


@dataclass(frozen=True)
class Part:
    """A scene to be stored, whose rows are fetched only when its shard is written.

    Attributes
    ----------
    record
        Source, name, roles, size; group and first row are set by `assign_rows`.
    coding
        How its frames are held.
    channels
        C.
    handle
        Where its rows come from; means something to the ``fetch`` of the writer alone.
    pairs
        Number of pairs with true motion.
    """

    record: SceneRecord
    coding: Coding
    channels: int
    handle: str
    pairs: int = 0


# (part, first frame, end) -> frames as held, (T, C, H, W).
FetchFrames = Callable[[Part, int, int], NDArray[Any]]
# (part) -> its true motion.
FetchTruth = Callable[[Part], Truth]


def _group_name(part: Part, known: dict[str, tuple[Coding, int, bool]]) -> str:
    wanted = (part.coding, part.channels, part.pairs > 0)
    name = f"{part.record.height}x{part.record.width}"
    number = 2
    while known.setdefault(name, wanted) != wanted:
        name = f"{part.record.height}x{part.record.width}-{number}"
        number += 1
    return name


def assign_rows(parts: Sequence[Part]) -> list[Part]:
    """Give each scene its table and rows: scenes of one size and type share a table, in order."""
    known: dict[str, tuple[Coding, int, bool]] = {}
    used: dict[str, int] = {}
    placed = []
    for part in parts:
        group = _group_name(part, known)
        first = used.get(group, 0)
        used[group] = first + part.record.count
        placed.append(replace(part, record=replace(part.record, group=group, first=first)))
    return placed


def _tables(parts: Sequence[Part]) -> list[Table]:
    tables = []
    for group in sorted({part.record.group for part in parts}):
        mine = [part for part in parts if part.record.group == group]
        one = mine[0]
        shape = (one.channels, one.record.height, one.record.width)
        size = int(np.prod(shape)) * np.dtype(one.coding.dtype).itemsize
        spec = ArraySpec(
            one.coding.dtype,
            shape,
            ("channel", "y", "x"),
            {**one.coding.attributes(), "long_name": "frames", "units": "1 (white is 1.0)"},
        )
        rows = sum(part.record.count for part in mine)
        tables.append(Table(group, "frame", rows, rows_per_shard(size), {"frames": spec}))
        pairs = sum(part.pairs for part in mine)
        if pairs:
            tables.append(_truth_table(group, pairs, shape[1:]))
    return tables


def _truth_table(group: str, pairs: int, size: tuple[int, int]) -> Table:
    return Table(
        f"{group}/truth",
        "pair",
        pairs,
        rows_per_shard(5 * size[0] * size[1]),
        {
            "transfer": ArraySpec(
                "float16",
                (2, *size),
                ("component", "y", "x"),
                {"units": "px", "long_name": "true transfer field, x first"},
            ),
            "occluded": ArraySpec("bool", size, ("y", "x"), {"long_name": "target pixel unseen in the source"}),
            "target": ArraySpec("int32", attributes={"long_name": "row of the target in frames"}),
            "source": ArraySpec("int32", attributes={"long_name": "row of the source in frames"}),
        },
    )


def _fill(
    parts: Sequence[Part],
    fetch: FetchFrames,
    fetch_truth: FetchTruth | None,
    table: str,
    start: int,
    stop: int,
) -> dict[str, NDArray[Any]]:
    group = table.removesuffix("/truth")
    mine = [part for part in parts if part.record.group == group]
    if table != group:
        assert fetch_truth is not None
        return _fill_truth(mine, fetch_truth, start, stop)
    pieces = []
    for part in mine:
        first = part.record.first
        low, high = max(start, first), min(stop, first + part.record.count)
        if low < high:
            pieces.append(fetch(part, low - first, high - first))
    return {"frames": np.concatenate(pieces)}


def _fill_truth(mine: Sequence[Part], fetch: FetchTruth, start: int, stop: int) -> dict[str, NDArray[Any]]:
    before = 0
    pieces = []
    for part in mine:
        low, high = max(start, before) - before, min(stop, before + part.pairs) - before
        if low < high:
            truth = fetch(part)
            first = np.int32(part.record.first)
            pieces.append(
                (
                    truth.transfer[low:high].astype(np.float16),
                    truth.occluded[low:high],
                    truth.target[low:high].astype(np.int32) + first,
                    truth.source[low:high].astype(np.int32) + first,
                )
            )
        before += part.pairs
    names = ("transfer", "occluded", "target", "source")
    return {name: np.concatenate([piece[i] for piece in pieces]) for i, name in enumerate(names)}


def write_frames(
    final: Path,
    parts: Sequence[Part],
    fetch: FetchFrames,
    attributes: Mapping[str, Any],
    scratch: Path,
    progress: Progress,
    fetch_truth: FetchTruth | None = None,
) -> list[SceneRecord]:
    """Write a store of frames; ``fetch`` and ``fetch_truth`` must be picklable and pure.

    Returns
    -------
    list of SceneRecord
        What was written, in order.
    """
    placed = assign_rows(parts)
    records = [part.record for part in placed]
    root = {
        **attributes,
        "kind": KIND,
        "version": __version__,
        "scenes": [dict(sorted(asdict(record).items())) for record in records],
    }
    build(final, _tables(placed), partial(_fill, placed, fetch, fetch_truth), root, scratch, progress)
    return records
