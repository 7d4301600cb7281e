"""sweep: methods of the benchmark from little noise to much, and under Poisson noise; no stage of the pipeline."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

SIGMAS, PEAKS = (10.0, 15.0, 25.0, 35.0, 50.0, 75.0), (10.0, 30.0, 50.0)


def sweep(
    method: Annotated[list[str] | None, Argument(help="Keys in benchmark.methods; without, all of them.")] = None,
    sigma: Annotated[
        list[float] | None,
        Option(min=1, max=255, help="Of Gaussian noise, on the scale of 0 to 255; once for each level."),
    ] = None,
    peak: Annotated[
        list[float] | None, Option(min=1, help="Photons at white, of Poisson noise; once for each level.")
    ] = None,
    benchmark_sets: Annotated[Path, Option(help="Folder of stores of test images.")] = Path("data/benchmark_sets"),
    out: Annotated[Path, Option(help="Folder to write to; no output of the pipeline.")] = Path("data/sweep"),
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Measure methods at several noise levels; without --sigma and --peak: sigma 10 to 75, 10 to 50 photons."""
    from self2align.evaluation.benchmark import HEADER, check_files, sets_of
    from self2align.evaluation.sweep import choose_methods, measure_levels, noise_levels
    from self2align.params.loading import load
    from self2align.report.html.render import REPEATS
    from self2align.report.html.sweep import sweep_parts
    from self2align.report.page import noise_text
    from self2align.report.pages import write_page
    from self2align.report.results import version_text
    from self2align.runtime.tables import write_rows

    chosen = load(params)
    mine, trained = chosen.benchmark, chosen.synthesize
    rows = choose_methods(mine.methods, method or list(mine.methods))
    check_files(rows)
    default = sigma is None and peak is None
    levels = noise_levels(SIGMAS if default else sigma or (), PEAKS if default else peak or ())
    sets = sets_of(benchmark_sets, chosen.benchmark_sets)
    found, images = measure_levels(rows, levels, sets, mine)
    write_rows(out / "images.csv", ("method", "noise", *HEADER), images)
    told = {
        "Trained at": noise_text(trained.model, trained.sigma, trained.peak),
        "Protocol": REPEATS[mine.repeats],
        "Versions": version_text(),
    }
    parts = sweep_parts(found, list(chosen.benchmark_sets), list(levels))
    write_page(out / "sweep", "self2align: sweep over noise", told, parts)
