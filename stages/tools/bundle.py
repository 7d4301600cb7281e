"""bundle OUTPUT: a denoiser and an aligner in one file."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def bundle(
    out: Annotated[Path, Argument(metavar="OUTPUT", help="File to write (.safetensors).")],
    weights: Annotated[Path, Option(help="Denoiser.")] = Path("data/train_denoiser/denoiser.safetensors"),
    aligner: Annotated[Path | None, Option(help="Aligner; default: that of `generate_pairs.aligner`.")] = None,
    folder: Annotated[Path, Option(help="Folder of aligners.")] = Path("data/train_ian"),
    params: Annotated[Path, Option(help="Parameter file, which names the aligner.")] = Path("params.yaml"),
    overwrite: Annotated[bool, Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a denoiser and an aligner, with their headers, as one file."""
    if out.suffix != ".safetensors":
        raise ValueError(f"{out}: found suffix {out.suffix!r}, expected '.safetensors'")
    if out.exists() and not overwrite:
        raise ValueError(f"{out}: found a file, expected none (--overwrite replaces it)")
    from self2align.params.loading import load
    from self2align.stores.presence import check_weights

    check_weights(weights)
    if aligner is None:
        aligner = folder / f"{load(params).generate_pairs.aligner}.safetensors"
    check_weights(aligner)

    from self2align.stages.screen import say
    from self2align.stores.weights import save_bundle

    save_bundle(out, {"denoiser": weights, "aligner": aligner})
    say(f"{out}: denoiser of {weights}, aligner of {aligner}; use: self2align denoise --weights {out} --temporal 2 ...")
