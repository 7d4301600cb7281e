"""benchmark_videos@SET: one set of clean sequences, for the benchmark of video."""

from pathlib import Path
from typing import Annotated

from typer import Option


def benchmark_videos(
    name: Annotated[str, Option(help="Key in benchmark_videos.")],
    out: Annotated[Path, Option(help="Store of frames to write.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Read one set of clean test sequences into a Zarr store."""
    from self2align.params.loading import item, load
    from self2align.sources.ingest import ingest_source
    from self2align.sources.source import Selection
    from self2align.stages.screen import bar, show_scenes

    chosen = load(params)
    row = item(chosen.benchmark_videos, name, f"{params}: benchmark_videos")
    ingested = ingest_source(
        name,
        stage="benchmark_videos",
        kind=row.kind,
        path=Path(row.path),
        selection=Selection(tuple(row.glob), tuple(row.exclude), color=chosen.ingest.color, max_frames=row.max_frames),
        out=out,
        bars=bar,
    )
    show_scenes(out, ingested.scenes, ingested.notes)
