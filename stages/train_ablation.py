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
    from self2align.params.schema import SamplerParams, load
    from self2align.training.denoiser import show, train_on_pairs

    chosen = load(params)
    if name not in chosen.train_ablation.runs:
        raise ValueError(f"{params}: train_ablation.runs: found no {name!r}, expected one of it")
    run = chosen.train_ablation.runs[name]
    sampler = SamplerParams(strategy=run.strategy, score=run.score, probability=run.probability)
    metrics = out.with_suffix(".json")
    figures = train_on_pairs(f"train_ablation@{name}", pairs, out, metrics, chosen, run.objective, sampler)
    show(out, figures)
