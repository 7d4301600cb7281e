"""generate_pairs: align noisy neighbours and store scored pairs of crops."""

from pathlib import Path
from typing import Annotated

from typer import Option

SHOWN = 4  # pairs, as pictures


def generate_pairs(
    noisy: Annotated[Path, Option(help="Store of noisy frames.")],
    aligner: Annotated[Path, Option(help="Aligner (.safetensors).")],
    out: Annotated[Path, Option(help="Store of pairs to write.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
    noise: Annotated[
        Path | None, Option(help="Noise of the scenes (.json); none for noise that pixels do not share.")
    ] = None,
) -> None:
    """Make aligned pairs: transfer field, warped frame, confidence and SSIM scores."""
    from self2align.noise.profiles import load_profiles
    from self2align.pairs.making import make_pairs
    from self2align.pairs.scores import histogram
    from self2align.pairs.summary import pair_summary
    from self2align.params.loading import load
    from self2align.report.gallery import write_gallery
    from self2align.runtime.scratch import write_json
    from self2align.runtime.tables import write_rows
    from self2align.stages.screen import bar, say

    chosen = load(params)
    made = make_pairs(
        noisy=noisy,
        aligner=aligner,
        out=out,
        settings=chosen.generate_pairs.settings(),
        parameters=chosen.generate_pairs.model_dump(),
        seed=chosen.seed,
        bars=bar,
        profiles=None if noise is None else load_profiles(noise),
    )
    write_gallery(out, out.with_name("pictures"), SHOWN)
    columns = made.columns
    write_json(out.with_name("metrics.json"), pair_summary(columns, len(made.skipped)))
    training = columns["role"] == 0
    distribution = histogram(columns["ssim"][training], columns["ssim_filtered"][training])
    write_rows(out.with_name("scores.csv"), ("from", "to", "ssim", "ssim_filtered"), distribution)
    for note in made.notes:
        say(note)
    count = len(columns["role"])
    say(f"{out}: {count} pairs of {made.scenes} scenes; to look at them: self2align inspect {out}")
