"""synthesize: add seeded noise to the frames, or pass real noisy footage through."""

from pathlib import Path
from typing import Annotated

from typer import Option


def synthesize(
    frames: Annotated[Path, Option(help="Folder of stores of frames.")],
    out: Annotated[Path, Option(help="Store of noisy frames to write.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Add noise to all sources, one fixed draw per frame."""
    from self2align.noise.synthesis import add_noise
    from self2align.params.loading import load
    from self2align.sources.pattern import load_pattern
    from self2align.stages.screen import bar, table
    from self2align.stores.frames import ROLES
    from self2align.stores.opening import open_sources

    chosen = load(params)
    noise = chosen.synthesize.settings()
    told = chosen.synthesize.fixed_pattern
    pattern = None if told is None else load_pattern(Path(told))
    stores = open_sources(frames, list(chosen.ingest.sources))
    scenes = add_noise(stores, noise=noise, seed=chosen.seed, out=out, bars=bar, pattern=pattern)
    by_role = {role: [scene for scene in scenes if role in scene.roles] for role in ROLES}
    rows = [[role, len(part), sum(scene.count for scene in part)] for role, part in by_role.items()]
    table(f"{out}: {noise.describe()}", ["role", "scenes", "frames"], rows)
