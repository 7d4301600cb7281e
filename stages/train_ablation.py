"""train_ablation@NAME: the same network and steps on the same pairs under another objective or sampler."""

from pathlib import Path
from typing import Annotated

from typer import Option


def train_ablation(
    name: Annotated[str, Option(help="Key in train_ablation.runs.")],
    pairs: Annotated[Path, Option(help="Store of pairs.")],
    out: Annotated[Path, Option(help="Denoiser to write (.safetensors).")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Train one line of the ablation table (the paper's Table 2)."""
    from dataclasses import replace

    from self2align.params.loading import item, load
    from self2align.stages.screen import bar, show_figures
    from self2align.training.denoiser import train_on_pairs
    from self2align.training.settings import TRAINED

    chosen = load(params)
    run = item(chosen.train_ablation.runs, name, f"{params}: train_ablation.runs")
    trained = train_on_pairs(
        f"train_ablation@{name}",
        pairs=pairs,
        out=out,
        metrics=out.with_suffix(".json"),
        settings=replace(chosen.train_denoiser.settings(), objective=run.objective, last_layer=TRAINED),
        sampler=run.settings(),
        seed=chosen.seed,
        bars=bar,
    )
    show_figures(out, trained.figures, trained.notes)
