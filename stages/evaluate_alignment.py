"""evaluate_alignment: measure every aligner on the scenes with the role test, against clean frames and true fields."""

from pathlib import Path
from typing import Annotated

from typer import Option

PLACES = {"psnr": 2, "psnr_confident": 2, "coverage": 2, "endpoint_error": 2, "noise_ratio": 3, "noise_correlation": 4}


def evaluate_alignment(
    noisy: Annotated[Path, Option(help="Store of noisy frames.")],
    frames: Annotated[Path, Option(help="Folder of stores of clean frames.")],
    aligners: Annotated[Path, Option(help="Folder of aligners.")],
    out: Annotated[Path, Option(help="Folder for figures.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Measure alignment: dB on clean frames, end-point error, and whether it fits noise."""
    from self2align.evaluation.alignment import evaluate_aligners
    from self2align.params.loading import load
    from self2align.report.alignment import write_alignment
    from self2align.stages.screen import bar, say, table
    from self2align.stores.opening import keep_only

    chosen = load(params)
    settings = chosen.evaluate_alignment
    keep_only(aligners, list(chosen.train_ian.aligners))
    with bar("measuring alignment") as progress:
        results = evaluate_aligners(
            noisy,
            frames,
            {name: aligners / f"{name}.safetensors" for name in chosen.train_ian.aligners},
            offsets=settings.offsets,
            pairs_per_scene=settings.pairs_per_scene,
            coverage=settings.coverage,
            exposure=chosen.generate_pairs.exposure,
            progress=progress,
        )
    for note in results.notes:
        say(note)
    picture = write_alignment(out, results)
    if results.skipped:
        say(f"evaluate_alignment: {results.skipped}; nothing measured")
        return
    shown = [
        [
            name,
            *("" if v is None else f"{v:.{PLACES[key]}f}" for key, v in row.items()),
            f"{results.milliseconds[name]:.0f}",
        ]
        for name, row in results.means.items()
    ]
    names = ["aligner", "dB", f"best {settings.coverage:.0%}", "trust", "EPE px", "ratio", "corr.", "ms"]
    table(f"{out}; the same as a picture: {picture}", names, shown)
