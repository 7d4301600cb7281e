"""What lies in a store, for looking at it: arrays, their layout and size, single rows."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.codec import BytesBytesCodec
from zarr.errors import ZarrUserWarning

from self2align.stores import frames, pairs
from self2align.stores.damaged import BROKEN, as_line, text_of
from self2align.stores.frames import FrameStore, SceneRecord

KINDS = (frames.KIND, pairs.KIND)


@dataclass(frozen=True)
class ArrayContents:
    """One array of a store.

    Attributes
    ----------
    name
        Its place below the root, with "/" between levels.
    dtype, shape, chunks
        As Zarr has them.
    shards
        None where each chunk is a file of its own.
    codec
        Compressors, in short ("blosc lz4 5 bitshuffle"); "none" without.
    stored
        Bytes of its chunk files.
    raw
        Bytes of its values.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    codec: str
    stored: int
    raw: int


def store_kind(path: Path) -> str:
    """Return the kind of a store.

    Raises
    ------
    ValueError
        When there is no store, or none of ours.
    """
    expected = f"expected a store of kind {' or '.join(repr(kind) for kind in KINDS)}"
    if not path.exists():
        raise ValueError(f"{path}: found nothing there, {expected}")
    if not (path / "zarr.json").is_file():
        what = "a folder without zarr.json" if path.is_dir() else "a file"
        inner = sorted(item.name for item in path.glob("*.zarr")) if path.is_dir() else []
        hint = f" (it holds {', '.join(inner[:5])})" if inner else ""
        raise ValueError(f"{path}: found {what}{hint}, {expected}")
    try:
        content = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    except BROKEN as error:
        raise ValueError(f"{path}: found a zarr.json that is no JSON ({text_of(error)}), {expected}") from error
    attributes = content.get("attributes") if isinstance(content, dict) else None
    kind = attributes.get("kind") if isinstance(attributes, dict) else None
    if kind not in KINDS:
        raise ValueError(f"{path}: found a Zarr store of kind {kind!r}, {expected}")
    return str(kind)


def array_contents(path: Path) -> list[ArrayContents]:
    """Return the arrays of a store, sorted by name; reads no values."""
    with as_line(path, "a whole store"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)  # of files that are no part of it: `verify` finds them
        root = zarr.open_group(path, mode="r", zarr_format=3)
        members = sorted(root.members(max_depth=None), key=lambda member: member[0])
    found = []
    for name, array in members:
        if not isinstance(array, zarr.Array):
            continue
        codecs = [item.to_dict() for item in array.compressors if isinstance(item, BytesBytesCodec)]
        codec = ", ".join(_codec_name(item) for item in codecs) or "none"
        folder = path / name
        files = (file for file in folder.rglob("*") if file.name != "zarr.json" and file.is_file())
        stored = sum(file.stat().st_size for file in files)
        layout = (array.shape, array.chunks, array.shards)
        found.append(ArrayContents(name, str(array.dtype), *layout, codec, stored, int(array.nbytes)))
    return found


def _codec_name(codec: Mapping[str, Any]) -> str:
    settings = codec.get("configuration", {})
    words = [settings.get(key) for key in ("cname", "clevel", "level", "shuffle")]
    return " ".join([str(codec["name"]), *(str(word) for word in words if word is not None)])


def true_transfer(store: FrameStore, scene: SceneRecord, target: int) -> NDArray[np.float32] | None:
    """Return a true transfer field of a scene, ``(2, H, W)``, px; None where none is known.

    It is that of the pair whose target frame lies nearest to ``target``; no other field is read.
    """
    group = f"{scene.group}/truth"
    if group not in store.root:
        return None
    targets, fields = store.root[f"{group}/target"], store.root[f"{group}/transfer"]
    assert isinstance(targets, zarr.Array)
    assert isinstance(fields, zarr.Array)
    place = np.asarray(targets[:]).astype(np.int64) - scene.first
    rows = np.flatnonzero((place >= 0) & (place < scene.count))
    if not rows.size:
        return None
    row = int(rows[np.argmin(np.abs(place[rows] - target))])
    return np.asarray(fields[row]).astype(np.float32)


def damage(path: Path) -> list[str]:
    """Return what is wrong with the files of a store, a line each; nothing for a whole one.

    Every shard is looked for and decoded: Zarr itself reads a missing one as zeros.
    """
    found = []
    for described in sorted(path.rglob("zarr.json")):
        name = described.parent.relative_to(path).as_posix()
        try:
            content = json.loads(described.read_text(encoding="utf-8"))
        except BROKEN as error:
            found.append(f"{name}/zarr.json is no JSON ({text_of(error)})")
            continue
        if isinstance(content, dict) and content.get("node_type") == "group":
            continue
        try:
            array = zarr.open_array(path, path=name, mode="r", zarr_format=3)
        except BROKEN as error:
            found.append(f"{name}/zarr.json describes no array ({text_of(error)})")
            continue
        unit = array.shards or array.chunks
        counts = [-(-size // step) for size, step in zip(array.shape, unit, strict=True)]
        for place in np.ndindex(*counts):
            file = f"{name}/c.{'.'.join(map(str, place))}"
            if not (path / file).is_file():
                found.append(f"{file} is missing")
                continue
            box = tuple(slice(at * step, (at + 1) * step) for at, step in zip(place, unit, strict=True))
            try:
                array[box]
            except BROKEN as error:
                found.append(f"{file} does not decode ({text_of(error)})")
    return found
