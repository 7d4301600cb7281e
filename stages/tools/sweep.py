"""sweep: methods of the benchmark from little noise to much, and under Poisson noise."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

SIGMAS, PEAKS = (10.0, 15.0, 25.0, 35.0, 50.0, 75.0), (10.0, 30.0, 50.0)


def sweep(
    method: Annotated[list[str] | None, Argument(help="Keys in benchmark.methods; default: all of them.")] = None,
    sigma: Annotated[
        list[float] | None,
        Option(min=1, max=255, help="Of Gaussian noise, on the scale 0 to 255; once per level."),
    ] = None,
    peak: Annotated[
        list[float] | None, Option(min=1, help="Photons at white, of Poisson noise; once per level.")
    ] = None,
    benchmark_sets: Annotated[Path, Option(help="Folder of stores of test images.")] = Path("data/benchmark_sets"),
    out: Annotated[Path, Option(help="Folder to write to; not an output of the pipeline.")] = Path("data/sweep"),
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Measure methods at several noise levels; default: sigma 10 to 75, and 10 to 50 photons."""
    from self2align.params.loading import load

    chosen = load(params)

    from self2align.evaluation.benchmark import HEADER
    from self2align.evaluation.sweep import choose_rows, measure_levels, noise_levels
    from self2align.report.html.sweep import Level, sweep_parts
    from self2align.report.pages import write_page
    from self2align.report.texts import REPEATS
    from self2align.runtime.tables import write_rows
    from self2align.runtime.versions import version_text
    from self2align.stages.screen import bar, show_page

    repeats, sets = chosen.benchmark.repeats, chosen.test_sets(benchmark_sets)
    rows = choose_rows(list(chosen.benchmark.rows().values()), method or [])
    default = sigma is None and peak is None
    levels = noise_levels(SIGMAS if default else sigma or (), PEAKS if default else peak or ())
    means, images = measure_levels(rows, levels, sets, seed=chosen.benchmark.seed, full=repeats == "full", bars=bar)
    write_rows(out / "images.csv", ("method", "noise", *HEADER), images)
    texts = {
        "Trained at": chosen.synthesize.settings().describe(),
        "Protocol": REPEATS[repeats],
        "Versions": version_text(),
    }
    shown = [Level(name, one.sigma if one.at().uses_sigma else None) for name, one in levels.items()]
    parts = sweep_parts(means, [one.name for one in sets], shown)
    show_page(write_page(out / "sweep", "self2align: sweep over noise", texts, parts), parts)
