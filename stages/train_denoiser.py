"""train_denoiser: train a denoiser on the pair store alone."""

from pathlib import Path
from typing import Annotated

from typer import Option


def train_denoiser(
    pairs: Annotated[Path, Option(help="Store of pairs.")],
    out: Annotated[Path, Option(help="Denoiser to write (.safetensors); curve, figures and samples beside it.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Train the chosen network under the chosen objective and sampling strategy."""
    from self2align.params.loading import load
    from self2align.stages.screen import bar, show_figures
    from self2align.training.denoiser import train_on_pairs
    from self2align.training.samples import SamplePicture

    chosen = load(params)
    trained = train_on_pairs(
        "train_denoiser",
        pairs=pairs,
        out=out,
        metrics=out.with_name("metrics.json"),
        settings=chosen.train_denoiser.settings(),
        sampler=chosen.sampler.settings(),
        seed=chosen.seed,
        bars=bar,
        on_validation=SamplePicture(pairs, out.with_name("samples.png")),
    )
    show_figures(out, trained.figures, trained.notes)
