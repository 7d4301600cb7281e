"""How many frames footage has, as far as that is known without decoding it."""

from pathlib import Path

from self2align.sources import stack
from self2align.sources.array import array_axes, list_arrays
from self2align.sources.folder import scenes_root, walk
from self2align.stores.arrays import is_zarr
from self2align.videos.opening import find_footage, opened

TICKS = 1_000_000  # a second, in units of a container's duration


def count_frames(kind: str, path: Path, axes: str | None = None) -> int:
    """Return the number of frames of a folder, of stacks or of arrays."""
    if kind == "folder":
        return sum(len(files) for _, files in walk(scenes_root(path)))
    if kind == "stack":
        return sum(stack.count_frames(file, axes) for file in ([path] if path.is_file() else stack.list_stacks(path)))
    assert kind == "array", kind
    return sum(array_axes(one, axes)[0].count for one in ([path] if is_zarr(path) else list_arrays(path)))


def stated_frames(path: Path) -> int:
    """Return the number of frames that the header of a video says, or an estimate from its duration."""
    with opened(path) as container:
        stream = container.streams[find_footage(path, container).index]
        if stream.frames or container.duration is None:
            return int(stream.frames)
        return int(container.duration / TICKS * float(stream.average_rate or 25))
