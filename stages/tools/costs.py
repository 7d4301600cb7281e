"""costs: time, memory and parameters of every method of the benchmark, measured side by side on this machine."""

from pathlib import Path
from typing import Annotated

from typer import Option


def costs(
    side: Annotated[int, Option(min=32, max=4096, help="Side of the square test image, px.")] = 256,
    threads: Annotated[int, Option(min=1, help="Threads of the methods that compute on the CPU.")] = 1,
    limit: Annotated[float, Option(min=1, help="Seconds after which a method is stopped; the table says so.")] = 300,
    benchmark_sets: Annotated[Path, Option(help="Folder of stores of test images.")] = Path("data/benchmark_sets"),
    benchmark: Annotated[Path, Option(help="Folder of the methods' figures.")] = Path("data/benchmark"),
    aligners: Annotated[Path, Option(help="Folder of aligners.")] = Path("data/train_ian"),
    out: Annotated[Path, Option(help="Folder to write to; no output of the pipeline.")] = Path("data/costs"),
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Measure what the methods cost, beside what they are worth; wall-clock figures are no part of the report."""
    from self2align.evaluation.benchmark import check_files, plan_work, sets_of
    from self2align.evaluation.costing import conditions, cost_row
    from self2align.evaluation.costs import fit_image
    from self2align.evaluation.protocol import noise_level, read_item
    from self2align.params.loading import load
    from self2align.report.html.costs import cost_parts
    from self2align.report.pages import write_page
    from self2align.runtime.scratch import write_json
    from self2align.stages.screen import bar

    chosen = load(params)
    mine, noise = chosen.benchmark, chosen.synthesize
    if noise.model == "none":
        raise ValueError(f"{params}: synthesize.model: found 'none', expected noise that can be put on a test image")
    check_files(mine.methods)
    how = (noise.model, noise.sigma, noise.peak)
    first = sets_of(benchmark_sets, chosen.benchmark_sets)[0]
    item = plan_work(mine.methods, [first], noise, mine)[0].items[0]
    image = fit_image(read_item(item, first.store, *how)[1], side)
    rows = {}
    with bar("measuring costs") as progress:
        for number, (name, row) in enumerate(mine.methods.items()):
            progress(number, len(mine.methods), name)
            rows[name] = cost_row(row, image, noise_level(*how), benchmark / name, threads=threads, limit=limit)
    told = conditions(f"{item.test_set}: {item.image}", image.shape, threads, limit, chosen, aligners)
    write_json(out / "costs.json", {"conditions": told, "methods": rows})
    quiet = next((name for name, row in mine.methods.items() if row.method == "noisy"), None)
    write_page(out / "costs", "self2align: costs", told, cost_parts(rows, list(chosen.benchmark_sets), quiet))
