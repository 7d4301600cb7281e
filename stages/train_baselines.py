"""train_baselines@NAME: another objective on the same crops, network and steps; some read clean frames."""

from pathlib import Path
from typing import Annotated

from typer import Option


def train_baselines(
    name: Annotated[str, Option(help="Key in train_baselines.runs.")],
    noisy: Annotated[Path, Option(help="Store of noisy frames.")],
    frames: Annotated[Path, Option(help="Folder of stores of clean frames.")],
    out: Annotated[Path, Option(help="Denoiser to write (.safetensors).")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Train a baseline on the same crops as the denoiser."""
    from self2align.objectives import OBJECTIVES
    from self2align.params.schema import load
    from self2align.runtime.families import load as load_member
    from self2align.runtime.scratch import write_json
    from self2align.stages.screen import say
    from self2align.training.baselines import train_on_frames
    from self2align.training.denoiser import show

    chosen = load(params)
    if name not in chosen.train_baselines.runs:
        raise ValueError(f"{params}: train_baselines.runs: found no {name!r}, expected one of it")
    run = chosen.train_baselines.runs[name]
    objective = load_member(OBJECTIVES, run.objective, f"train_baselines.runs.{name}.objective")
    if objective.aligned:
        raise ValueError(
            f"{params}: train_baselines.runs.{name}.objective: found {run.objective!r}, which trains on aligned pairs; "
            "expected a baseline (n2c, n2n, neighbor2neighbor, noise2self, noise2void)"
        )
    if chosen.synthesize.model == "none" and objective.supervised:
        say(f"{name}: the footage has no clean frames, which {run.objective} needs; not trained")
        write_json(out.with_suffix(".json"), {"skipped": "the footage has no clean frames"})
        out.with_suffix(".csv").write_text("step,loss,validation,learning_rate\n", encoding="utf-8")
        out.write_bytes(b"")
        return
    figures = train_on_frames(f"train_baselines@{name}", noisy, frames, out, chosen, run.objective)
    show(out, figures)
