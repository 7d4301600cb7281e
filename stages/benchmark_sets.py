"""benchmark_sets@SET: one set of clean still images, for the benchmark."""

from pathlib import Path
from typing import Annotated

from typer import Option


def benchmark_sets(
    name: Annotated[str, Option(help="Key in benchmark_sets.")],
    out: Annotated[Path, Option(help="Store of images to write.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Read one set of test images into a Zarr store."""
    from self2align.params.loading import item, load
    from self2align.sources.ingest import ingest_source
    from self2align.sources.source import Selection
    from self2align.stages.screen import bar, show_scenes

    chosen = load(params)
    row = item(chosen.benchmark_sets, name, f"{params}: benchmark_sets")
    ingested = ingest_source(
        name,
        stage="benchmark_sets",
        kind=row.kind,
        path=Path(row.path),
        selection=Selection(tuple(row.glob), color=chosen.ingest.color),
        out=out,
        bars=bar,
        single=True,
    )
    show_scenes(out, ingested.scenes, ingested.notes)
