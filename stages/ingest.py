"""ingest@SOURCE: decode, crop and split one source into scenes of frames."""

from pathlib import Path
from typing import Annotated

from typer import Option


def ingest(
    source: Annotated[str, Option(help="Key in ingest.sources.")],
    out: Annotated[Path, Option(help="Store of frames to write.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Decode one source of frames into a Zarr store."""
    from self2align.params.loading import item, load
    from self2align.sources.ingest import ingest_source
    from self2align.sources.source import Selection
    from self2align.stages.screen import bar, say, show_scenes

    chosen = load(params)
    row = item(chosen.ingest.sources, source, f"{params}: ingest.sources")
    ingested = ingest_source(
        source,
        stage="ingest",
        kind=row.kind,
        path=Path(row.path),
        selection=Selection(
            tuple(row.glob),
            tuple(row.exclude),
            chosen.ingest.color,
            row.step,
            row.max_frames,
            row.skip_damaged,
            row.axes,
        ),
        out=out,
        bars=bar,
        crop=(row.crop[0], row.crop[1]) if row.crop else None,
        white=row.white,
        roles=row.roles,
    )
    for line in ingested.readings:
        say(line)
    show_scenes(out, ingested.scenes, ingested.notes)
