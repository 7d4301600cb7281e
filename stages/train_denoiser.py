"""train_denoiser: a denoiser from the pair store alone."""

from pathlib import Path
from typing import Annotated

from typer import Option


def train_denoiser(
    pairs: Annotated[Path, Option(help="Store of pairs.")],
    out: Annotated[Path, Option(help="Denoiser to write (.safetensors); curve, figures and samples beside it.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Train the chosen network under the chosen objective and sampling strategy."""
    from self2align.params.schema import load
    from self2align.training.denoiser import sample_picture, show, train_on_pairs

    chosen = load(params)
    look = sample_picture(pairs, out.with_name("samples.png"))
    objective = chosen.train_denoiser.objective
    metrics = out.with_name("metrics.json")
    last = chosen.train_denoiser.last_layer
    figures = train_on_pairs("train_denoiser", pairs, out, metrics, chosen, objective, chosen.sampler, look, last)
    show(out, figures)
