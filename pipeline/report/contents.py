"""What `inspect` prints."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from self2align.report.histogram import histogram_lines
from self2align.report.sheets import mean_confidence
from self2align.stages.screen import console, say, table
from self2align.stores.contents import ArrayContents, array_contents
from self2align.stores.frames import FrameStore
from self2align.stores.pairs import ROLES, PairStore
from self2align.stores.weights import load_weights

LISTED = 20
_DIGEST = re.compile("[0-9a-f]{64}")  # shown by its first 16 digits


def shortened(rows: Sequence[Sequence[object]], most: int = LISTED) -> list[Sequence[object]]:
    """Return at most so many rows of a table, and one that says how many more there are."""
    if len(rows) <= most:
        return list(rows)
    rest = [f"... and {len(rows) - most} more", *[""] * (len(rows[0]) - 1)]
    return [*rows[:most], rest]


def size_text(count: int) -> str:
    """Return a number of bytes with a fitting unit."""
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{count} B" if count < 1024 else f"{value:.1f} {units[0]}"


def brief(value: Any) -> str:
    """Return a parameter's value on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {brief(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(brief(item) for item in value) or "none"
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return value[:16]
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def show_arrays(path: Path, kind: str) -> None:
    """Show the tree of a store: types, shapes, chunks, shards, codec, bytes."""
    arrays = array_contents(path)
    stored, raw = sum(item.stored for item in arrays), sum(item.raw for item in arrays)
    ratio = f", {raw / stored:.2f} times smaller than raw" if stored else ""
    say(f"{path}: {kind}, {size_text(stored)}{ratio}")
    codecs = {item.codec for item in arrays}
    # Without rules it fits into 80 columns; only a long shape is folded.
    shown = Table(header_style="bold", box=None, padding=(0, 2 if console.width > 90 else 1, 0, 0))
    for name in ("array", "type", "shape", "chunk/shard"):
        shown.add_column(name, no_wrap=name != "shape", overflow="fold")
    for name in ("stored", "raw", "ratio"):
        shown.add_column(name, justify="right", no_wrap=True)
    if len(codecs) > 1:
        shown.add_column("codec", no_wrap=True)
    for row in tree_rows(arrays):
        shown.add_row(*(escape(cell) for cell in row[: len(shown.columns)]))
    console.print(shown, soft_wrap=False)
    if len(codecs) == 1:
        say(f"codec of all arrays: {codecs.pop()}")


def tree_rows(arrays: Sequence[ArrayContents]) -> list[tuple[str, ...]]:
    """Return the rows of a tree: a line for each group, one below it for each of its arrays.

    A row has: name, type, shape, rows a chunk and a shard, bytes stored, bytes raw, ratio, codec.
    """
    rows: list[tuple[str, ...]] = []
    for group in sorted({item.name.rpartition("/")[0] for item in arrays}):
        indent = "  " * group.count("/")
        rows.append((f"{indent}{group.rpartition('/')[2]}/", *[""] * 7))
        mine = [item for item in arrays if item.name.rpartition("/")[0] == group]
        for item in mine:
            branch = "└─ " if item is mine[-1] else "├─ "
            rows.append((indent + branch + item.name.rpartition("/")[2], *_layout(item)))
    return rows


def _layout(item: ArrayContents) -> tuple[str, ...]:
    ratio = f"{item.raw / item.stored:.2f}" if item.stored else ""
    sizes = (size_text(item.stored), size_text(item.raw), ratio)
    return (item.dtype, _shape(item.shape), _rows(item), *sizes, item.codec)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(str(side) for side in shape)


def _rows(item: ArrayContents) -> str:
    """Return the shapes of chunk and shard: in rows, where they span all other axes."""
    parts = [part for part in (item.chunks, item.shards) if part is not None]
    if all(part[1:] == item.shape[1:] for part in parts):
        return "/".join(str(part[0]) for part in parts) + " rows"
    return "/".join(_shape(part) for part in parts)


def _show_attributes(attributes: Mapping[str, Any]) -> None:
    known = {"scenes", "kind", "skipped", "content"}
    for name in sorted(attributes.keys() - known):
        say(f"{name}: {brief(attributes[name])}")
    say(f"content: {str(attributes.get('content', 'none'))[:16]}")
    skipped = attributes.get("skipped", [])
    if skipped:
        say(f"left out: {len(skipped)} scenes")
        for line in shortened([[f"  {item['scene']}: {item['why']}"] for item in skipped]):
            say(str(line[0]))


def show_frames(store: FrameStore) -> None:
    """Show the attributes and the scenes of a store of frames."""
    _show_attributes(store.attributes)
    rows = [
        [escape(scene.title), ", ".join(scene.roles), scene.count, f"{scene.height} x {scene.width}"]
        for scene in store.scenes
    ]
    frames = sum(scene.count for scene in store.scenes)
    table(f"{len(rows)} scenes, {frames} frames", ["scene", "roles", "frames", "px"], shortened(rows))


def show_pairs(store: PairStore) -> None:
    """Show the attributes of a store of pairs, its scenes, and how its scores spread."""
    _show_attributes(store.attributes)
    columns = store.columns
    counts = Counter(zip(columns["scene"].tolist(), columns["role"].tolist(), strict=True))
    rows = []
    for (scene, role), count in sorted(counts.items()):
        mine = (columns["scene"] == scene) & (columns["role"] == role)
        scores = [f"{np.median(columns[name][mine]):.3f}" for name in ("ssim", "ssim_filtered")]
        rows.append([escape(store.scenes[scene]), ROLES[role], count, *scores])
    header = ["scene", "role", "pairs", "SSIM", "filtered"]
    table(f"{store.count} pairs of {len(rows)} scenes, with median scores", header, shortened(rows))
    if not store.count:
        return
    for name in ("ssim", "ssim_filtered"):
        say(f"{name}: mean {columns[name].mean():.3f}, median {np.median(columns[name]):.3f}")
        for line in histogram_lines(columns[name]):
            say(f"  {line}")
    mean, used = mean_confidence(store)
    which = "all pairs" if used == store.count else f"{used} of {store.count} pairs, evenly spaced"
    say(f"mean confidence: {mean:.3f} ({which})")


def show_weights(path: Path) -> None:
    """Show what weights tell of themselves."""
    tensors, header = load_weights(path)
    count = sum(tensor.numel() for tensor in tensors.values())
    first = {"parameters": f"{count:,}", "tensors": len(tensors), "file": size_text(path.stat().st_size)}
    rows: list[list[object]] = [[name, value] for name, value in first.items()]
    leading = ("network", "aligner", "objective", "arguments", "channels")
    names = [name for name in leading if name in header]
    names += sorted(header.keys() - {*leading, "kind", "training"})
    rows += [[name, escape(brief(header[name]))] for name in names]
    if isinstance(header.get("training"), Mapping):
        rows += [[f"training.{name}", escape(brief(value))] for name, value in header["training"].items()]
    elif "training" in header:
        rows.append(["training", "none"])
    table(escape(f"{path}: {header.get('kind', 'weights')}"), ["what", "value"], rows)
