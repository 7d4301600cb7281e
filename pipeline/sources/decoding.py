"""What `ingest` and `benchmark_sets` share: a source decoded into a store of frames."""

from collections.abc import Sequence
from pathlib import Path

from self2align.runtime.scratch import workspace
from self2align.sources.ingest import decode, describe, fetchers
from self2align.sources.source import Selection
from self2align.stages.screen import bar, say, table
from self2align.stores.frames import write_frames


def ingest_to_store(
    *,
    stage: str,
    key: str,
    kind: str,
    path: Path,
    glob: Sequence[str],
    exclude: Sequence[str],
    color: str,
    step: int,
    max_frames: int | None,
    crop: tuple[int, int] | None,
    white: float | None,
    roles: Sequence[str],
    single: bool,
    out: Path,
) -> None:
    """Decode one source and write its store."""
    selection = Selection(tuple(glob), tuple(exclude), color, step, max_frames)
    inputs = {
        "kind": kind,
        "path": str(path),
        "selection": repr(selection),
        "crop": crop,
        "white": white,
        "roles": list(roles),
    }
    listing = source_listing(path)
    with workspace(f"{stage}-{key}", {**inputs, "files": listing}) as scratch:
        folder = scratch / "decoded"
        folder.mkdir(exist_ok=True)
        with bar(f"decoding {key}") as progress:
            decoded = decode(
                key=key,
                kind=kind,
                path=path,
                selection=selection,
                crop=crop,
                white=white,
                roles=roles,
                single=single,
                folder=folder,
                progress=progress,
            )
        frames, truth = fetchers(folder)
        attributes = {"source_kind": kind, "color": color, "skipped": decoded.skipped}
        with bar(f"storing {key}") as progress:
            scenes = write_frames(out, decoded.parts, frames, attributes, scratch, progress, truth)
    for line in describe(decoded.skipped):
        say(line)
    rows = [[s.name, s.count, f"{s.height} x {s.width}"] for s in scenes[:20]]
    if len(scenes) > 20:
        rows.append([f"... and {len(scenes) - 20} more", "", ""])
    count = f"{len(scenes)} scene" + "s" * (len(scenes) != 1)
    table(f"{out}: {count}, {len(decoded.skipped)} left out", ["scene", "frames", "px"], rows)


def source_listing(path: Path) -> list[list[str | int]]:
    """Return names, sizes and times of a source's files: whether unfinished work still belongs to it."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [(file, file.stat()) for file in files if file.is_file()]
    return [[str(file), status.st_size, status.st_mtime_ns] for file, status in found]
