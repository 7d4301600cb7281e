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
    from self2align.params.schema import load
    from self2align.sources.decoding import ingest_to_store

    chosen = load(params)
    if source not in chosen.ingest.sources:
        raise ValueError(f"{params}: ingest.sources: found no {source!r}, expected one of it")
    mine = chosen.ingest.sources[source]
    ingest_to_store(
        stage="ingest",
        key=source,
        kind=mine.kind,
        path=Path(mine.path),
        glob=mine.glob,
        exclude=mine.exclude,
        color=chosen.ingest.color,
        step=mine.step,
        max_frames=mine.max_frames,
        crop=(mine.crop[0], mine.crop[1]) if mine.crop else None,
        white=mine.white,
        roles=mine.roles,
        single=False,
        out=out,
    )
