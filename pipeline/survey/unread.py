"""Files that lie among footage and are not read: DVC hashes the whole folder that a stage depends on."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from self2align.report.contents import size_text
from self2align.sources import stack
from self2align.sources.array import list_arrays
from self2align.sources.folder import walk
from self2align.stores.presence import is_zarr
from self2align.videos.opening import SUFFIXES

SHARE = 0.1  # of the folder's bytes: less costs little
LEAST = 2**28  # bytes: DVC hashes about as much in a second


def read_files(kind: str, path: Path) -> Iterator[Path]:
    """Yield the files of a folder that a kind of source reads."""
    if kind == "folder":
        yield from (folder / name for folder, names in walk(path) for name in names)
    elif kind == "stack":
        yield from stack.list_stacks(path)
    elif kind == "array":
        yield from (file for one in ([path] if is_zarr(path) else list_arrays(path)) for file in one.rglob("*"))
    else:
        yield from (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)


def unread_note(kind: str, path: Path) -> str | None:
    """Return a line about what else a folder holds, if that is much; None if not, or for a file.

    Parameters
    ----------
    kind
        A key of `self2align.sources.SOURCES`.
    path
        File or folder of the footage.
    """
    if not path.is_dir():
        return None
    wanted = set(read_files(kind, path))
    sizes: Counter[str] = Counter()
    total = 0
    for file in path.rglob("*"):
        if file.is_file():
            size = file.stat().st_size
            total += size
            if file not in wanted:
                sizes[file.suffix.lower() or "no suffix"] += size
    unread = sum(sizes.values())
    if unread < max(LEAST, SHARE * total):
        return None
    most = ", ".join(suffix for suffix, _ in sizes.most_common(3))
    return (
        f"{size_text(unread)} of {size_text(total)} in {path} are not read ({most}), but DVC hashes them at the first "
        "run. Footage in a folder of its own starts sooner"
    )
