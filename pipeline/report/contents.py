"""What `inspect` shows of a store or of weights, as lines of text and tables."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from self2align.noise.profile import NoiseProfile
from self2align.noise.words import in_words
from self2align.report.histogram import histogram_lines
from self2align.report.sheets import mean_confidence
from self2align.stores.contents import ArrayContents, array_contents
from self2align.stores.frames import FrameStore
from self2align.stores.pairs import ROLES, PairStore
from self2align.stores.weights import load_weights

LISTED = 20  # rows of a table
_DIGEST = re.compile("[0-9a-f]{64}")  # shown by its first 16 digits


@dataclass(frozen=True)
class Listing:
    """A table.

    Attributes
    ----------
    title
        Above it; may be empty.
    header, rows
        Texts or numbers, one per column.
    compact
        Whether to show it without rules, so that it fits into 80 columns.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    compact: bool = False


Block = str | Listing  # a line of text, or a table


def shortened(rows: Sequence[Sequence[object]], most: int = LISTED) -> list[Sequence[object]]:
    """Return at most ``most`` rows of a table; a further row says how many were left out."""
    if len(rows) <= most:
        return list(rows)
    rest = [f"... and {len(rows) - most} more", *[""] * (len(rows[0]) - 1)]
    return [*rows[:most], rest]


def size_text(count: int) -> str:
    """Return a number of bytes with a suitable unit."""
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{count} B" if count < 1024 else f"{value:.1f} {units[0]}"


def brief(value: Any) -> str:
    """Return a value of the parameters or of a header on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {brief(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(brief(item) for item in value) or "none"
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return value[:16]
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def describe_arrays(path: Path, kind: str) -> list[Block]:
    """Return the tree of a store: types, shapes, chunks, shards, codecs, bytes.

    Parameters
    ----------
    path
        The store.
    kind
        See `self2align.stores.contents.store_kind`.
    """
    arrays = array_contents(path)
    stored, raw = sum(item.stored for item in arrays), sum(item.raw for item in arrays)
    ratio = f", {raw / stored:.2f} times smaller than raw" if stored else ""
    codecs = {item.codec for item in arrays}
    header = ["array", "type", "shape", "chunk/shard", "stored", "raw", "ratio"]
    if len(codecs) > 1:
        header.append("codec")
    tree = Listing("", header, [row[: len(header)] for row in tree_rows(arrays)], compact=True)
    single = [f"codec of all arrays: {codecs.pop()}"] if len(codecs) == 1 else []
    return [f"{path}: {kind}, {size_text(stored)}{ratio}", tree, *single]


def tree_rows(arrays: Sequence[ArrayContents]) -> list[tuple[str, ...]]:
    """Return the rows of a tree: one for each group, followed by one for each of its arrays.

    Columns: name, type, shape, rows of a chunk and of a shard, bytes stored, bytes raw, ratio, codec.
    """
    rows: list[tuple[str, ...]] = []
    for group in sorted({item.name.rpartition("/")[0] for item in arrays}):
        indent = "  " * group.count("/")
        rows.append((f"{indent}{group.rpartition('/')[2]}/", *[""] * 7))
        members = [item for item in arrays if item.name.rpartition("/")[0] == group]
        for item in members:
            branch = "└─ " if item is members[-1] else "├─ "
            rows.append((indent + branch + item.name.rpartition("/")[2], *_layout(item)))
    return rows


def _layout(item: ArrayContents) -> tuple[str, ...]:
    ratio = f"{item.raw / item.stored:.2f}" if item.stored else ""
    sizes = (size_text(item.stored), size_text(item.raw), ratio)
    return (item.dtype, _shape(item.shape), _rows(item), *sizes, item.codec)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(str(side) for side in shape)


def _rows(item: ArrayContents) -> str:
    """Return the shapes of chunk and shard; only the number of rows if they span all other axes."""
    parts = [part for part in (item.chunks, item.shards) if part is not None]
    if all(part[1:] == item.shape[1:] for part in parts):
        return "/".join(str(part[0]) for part in parts) + " rows"
    return "/".join(_shape(part) for part in parts)


def _describe_attributes(attributes: Mapping[str, Any]) -> list[Block]:
    known = {"scenes", "kind", "skipped", "content"}
    lines: list[Block] = [f"{name}: {brief(attributes[name])}" for name in sorted(attributes.keys() - known)]
    lines.append(f"content: {str(attributes.get('content', 'none'))[:16]}")
    skipped = attributes.get("skipped", [])
    if skipped:
        lines.append(f"left out: {len(skipped)} scenes")
        lines += [str(line[0]) for line in shortened([[f"  {item['scene']}: {item['why']}"] for item in skipped])]
    return lines


def describe_frames(store: FrameStore) -> list[Block]:
    """Return the attributes and the scenes of a store of frames."""
    rows = [
        [scene.title, ", ".join(scene.roles), scene.count, f"{scene.height} x {scene.width}"] for scene in store.scenes
    ]
    frames = sum(scene.count for scene in store.scenes)
    scenes = Listing(f"{len(rows)} scenes, {frames} frames", ["scene", "roles", "frames", "px"], shortened(rows))
    return [*_describe_attributes(store.attributes), scenes]


def describe_pairs(store: PairStore) -> list[Block]:
    """Return the attributes and the scenes of a store of pairs, and histograms of its scores."""
    columns = store.columns
    counts = Counter(zip(columns["scene"].tolist(), columns["role"].tolist(), strict=True))
    rows = []
    for (scene, role), count in sorted(counts.items()):
        chosen = (columns["scene"] == scene) & (columns["role"] == role)
        scores = [f"{np.median(columns[name][chosen]):.3f}" for name in ("ssim", "ssim_filtered")]
        rows.append([store.scenes[scene], ROLES[role], count, *scores])
    title = f"{store.count} pairs of {len(rows)} scenes, with median scores"
    scenes = Listing(title, ["scene", "role", "pairs", "SSIM", "filtered"], shortened(rows))
    blocks = [*_describe_attributes(store.attributes), scenes]
    if not store.count:
        return blocks
    for name in ("ssim", "ssim_filtered"):
        blocks.append(f"{name}: mean {columns[name].mean():.3f}, median {np.median(columns[name]):.3f}")
        blocks += [f"  {line}" for line in histogram_lines(columns[name])]
    mean, used = mean_confidence(store)
    which = "all pairs" if used == store.count else f"{used} of {store.count} pairs, evenly spaced"
    return [*blocks, f"mean confidence: {mean:.3f} ({which})"]


def _purpose(header: Mapping[str, Any]) -> list[str]:
    """Return in words what noise a denoiser is for."""
    if header.get("kind") != "denoiser":
        return []
    told = header.get("noise_seen")
    seen = told if isinstance(told, Mapping) else {}
    lines = []
    sigmas = seen.get("sigma")
    if isinstance(sigmas, list) and [type(one) for one in sigmas] == [float, float]:
        low, high = sigmas
        levels = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        lines.append(f"noise of sigma {levels} of 255")
    if header.get("normalised") is not None:
        lines.append("any exposure, gain and unit: frames are brought to one level of noise")
    if seen.get("correlated") is not None:
        lines.append("noise that neighbouring pixels share" if seen["correlated"] else "noise of independent pixels")
    return lines


def _noise(record: Any) -> str:
    """Return the noise that weights record in words; as it is, if it is none."""
    try:
        return in_words(NoiseProfile.recorded(record))
    except (TypeError, ValueError):
        return brief(record)


def describe_weights(path: Path) -> list[Block]:
    """Return the header and the size of a weights file."""
    tensors, header = load_weights(path)
    count = sum(tensor.numel() for tensor in tensors.values())
    rows: list[list[object]] = [
        ["parameters", f"{count:,}"],
        ["tensors", len(tensors)],
        ["file", size_text(path.stat().st_size)],
    ]
    leading = ("network", "aligner", "objective", "arguments", "channels")
    rows += [["made for", line] for line in _purpose(header)]
    names = [name for name in leading if name in header]
    names += sorted(header.keys() - {*leading, "kind", "training"})
    rows += [[name, _noise(header[name]) if name == "noise_profile" else brief(header[name])] for name in names]
    if isinstance(header.get("training"), Mapping):
        rows += [[f"training.{name}", brief(value)] for name, value in header["training"].items()]
    elif "training" in header:
        rows.append(["training", "none"])
    return [Listing(f"{path}: {header.get('kind', 'weights')}", ["what", "value"], rows)]
