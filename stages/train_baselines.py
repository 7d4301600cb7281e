"""train_baselines@NAME: another objective on the same crops, network and steps; some read clean frames."""

from pathlib import Path
from typing import Annotated

from typer import Option


def train_baselines(
    name: Annotated[str, Option(help="Key in train_baselines.runs.")],
    noisy: Annotated[Path, Option(help="Store of noisy frames.")],
    frames: Annotated[Path, Option(help="Folder of stores of clean frames.")],
    pairs: Annotated[Path, Option(help="Store of aligned pairs, for the frames that it leaves out.")],
    out: Annotated[Path, Option(help="Denoiser to write (.safetensors).")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Train a baseline on the same crops as the denoiser."""
    from dataclasses import replace

    from self2align.params.loading import item, load
    from self2align.stages.screen import bar, say, show_figures
    from self2align.training.baselines import skip_baseline, train_on_frames

    chosen = load(params)
    run = item(chosen.train_baselines.runs, name, f"{params}: train_baselines.runs")
    if why := skip_baseline(out, run.objective, noisy):
        say(f"{name}: {why}; not trained")
        return
    trained = train_on_frames(
        f"train_baselines@{name}",
        noisy=noisy,
        frames=frames,
        pairs=pairs,
        out=out,
        settings=replace(chosen.train_denoiser.settings(), objective=run.objective),
        crops=chosen.generate_pairs.crops(),
        seed=chosen.seed,
        bars=bar,
    )
    show_figures(out, trained.figures, trained.notes)
