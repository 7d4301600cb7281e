"""train_ian@ALIGNER: train one aligner on noisy frames alone."""

from pathlib import Path
from typing import Annotated

from typer import Option


def train_ian(
    aligner: Annotated[str, Option(help="Key in train_ian.aligners.")],
    noisy: Annotated[Path, Option(help="Store of noisy frames.")],
    out: Annotated[Path, Option(help="Aligner to write (.safetensors); its curve lies beside it (.csv).")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
    noise: Annotated[
        Path | None, Option(help="Noise of the scenes (.json); none for noise that pixels do not share.")
    ] = None,
) -> None:
    """Train an aligner, self-supervised; a classical one is stored as its settings alone."""
    from self2align.noise.profiles import load_profiles
    from self2align.params.loading import item, load
    from self2align.stages.screen import bar, say
    from self2align.training.aligner import train_aligner

    chosen = load(params)
    row = item(chosen.train_ian.aligners, aligner, f"{params}: train_ian.aligners")
    trained = train_aligner(
        aligner,
        noisy=noisy,
        out=out,
        kind=row.kind,
        arguments=row.arguments,
        loss=None if row.training is None else row.loss,
        training=row.training.settings() if row.training else None,
        seed=chosen.seed,
        bars=bar,
        profiles=None if noise is None else load_profiles(noise),
        init=row.start(),
    )
    for note in trained.notes:
        say(note)
