"""synthesize: add seeded noise to the frames, or pass real noisy footage through."""

from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Option


def synthesize(
    frames: Annotated[Path, Option(help="Folder of stores of frames.")],
    out: Annotated[Path, Option(help="Store of noisy frames to write.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Add noise to all sources, one frozen draw a frame."""
    from self2align.noise.synthesis import fetch_noisy, noisy_parts
    from self2align.params.schema import load
    from self2align.runtime.scratch import workspace
    from self2align.stages.screen import bar, table
    from self2align.stores.frames import write_frames
    from self2align.stores.opening import open_sources

    chosen = load(params)
    noise = chosen.synthesize
    stores = open_sources(frames, list(chosen.ingest.sources))
    inputs = {"noise": noise.model_dump(), "seed": chosen.seed, "frames": [store.content for store in stores]}
    with workspace("synthesize", inputs) as scratch, bar("adding noise") as progress:
        parts = noisy_parts(stores, noise.model, noise.levels, noise.peak)
        fetch = partial(fetch_noisy, noise.model, noise.levels, noise.peak, chosen.seed)
        attributes = {"noise": noise.model_dump(), "seed": chosen.seed}
        scenes = write_frames(out, parts, fetch, attributes, scratch, progress)
    rows = []
    for role in ("align", "pairs", "validation", "test"):
        mine = [scene for scene in scenes if role in scene.roles]
        rows.append([role, len(mine), sum(scene.count for scene in mine)])
    level = f", sigma {' to '.join(f'{end:g}' for end in sorted(set(noise.levels)))}"
    title = f"{out}: {noise.model}" + (level if "gaussian" in noise.model else "")
    table(title, ["role", "scenes", "frames"], rows)
