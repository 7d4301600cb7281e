"""report: all figures on one page, in Markdown and in HTML, with the visual comparison and the training curves."""

from pathlib import Path
from typing import Annotated

from typer import Option


def report(
    benchmark_sets: Annotated[Path, Option(help="Folder of stores of clean test images.")],
    benchmark: Annotated[Path, Option(help="Folder of the methods' figures and pictures.")],
    alignment: Annotated[Path, Option(help="Folder of the measures of alignment.")],
    pairs: Annotated[Path, Option(help="Folder of the pair store and its figures.")],
    denoiser: Annotated[Path, Option(help="Folder of the denoiser.")],
    ablation: Annotated[Path, Option(help="Folder of the ablation's denoisers; may be empty.")],
    baselines: Annotated[Path, Option(help="Folder of the baselines; may be empty.")],
    held_out: Annotated[Path, Option(help="Figures of the denoisers on held-out frames.")],
    out: Annotated[Path, Option(help="Folder to write the report to.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Write the report: tables, the visual comparison, curves."""
    from self2align.params.loading import load
    from self2align.report.gathering import Left, gather_shown, read_results, write_report
    from self2align.report.results import show_benchmark
    from self2align.stages.screen import say

    chosen = load(params)
    left = Left(benchmark_sets, benchmark, alignment, pairs, denoiser, ablation, baselines, held_out)
    left.drop_former(chosen)
    results, curves = read_results(left, chosen)
    pages = write_report(out, results, gather_shown(left, chosen, results, curves))
    show_benchmark(results)
    say(f"report: {', '.join(map(str, pages))}")
