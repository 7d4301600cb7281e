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
    from self2align.params.schema import load
    from self2align.sources.decoding import ingest_to_store

    chosen = load(params)
    if name not in chosen.benchmark_sets:
        raise ValueError(f"{params}: benchmark_sets: found no {name!r}, expected one of it")
    mine = chosen.benchmark_sets[name]
    ingest_to_store(
        stage="benchmark_sets",
        key=name,
        kind=mine.kind,
        path=Path(mine.path),
        glob=mine.glob,
        exclude=[],
        color=chosen.ingest.color,
        step=1,
        max_frames=None,
        crop=None,
        white=None,
        roles=[],
        single=True,
        out=out,
    )
