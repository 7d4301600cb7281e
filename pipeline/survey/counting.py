"""How many frames footage has, as far as that is known without decoding it."""

from pathlib import Path

from self2align.sources import stack
from self2align.sources.array import array_axes, list_arrays
from self2align.sources.folder import scenes_root, walk
from self2align.stores.presence import is_zarr


def count_frames(kind: str, path: Path, axes: str | None = None) -> int:
    """Return the number of frames of a folder, of stacks or of arrays."""
    if kind == "folder":
        return sum(len(files) for _, files in walk(scenes_root(path)))
    if kind == "stack":
        return sum(stack.count_frames(file, axes) for file in ([path] if path.is_file() else stack.list_stacks(path)))
    assert kind == "array", kind
    return sum(array_axes(one, axes)[0].count for one in ([path] if is_zarr(path) else list_arrays(path)))
