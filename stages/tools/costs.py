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
    out: Annotated[Path, Option(help="Folder to write to; not an output of the pipeline.")] = Path("data/costs"),
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Measure the costs of the methods beside their PSNR; times are not part of the report."""
    from self2align.params.loading import load

    chosen = load(params)

    from self2align.evaluation.costs import conditions, cost_image, cost_row
    from self2align.report.html.costs import cost_parts
    from self2align.report.pages import write_page
    from self2align.runtime.scratch import write_json
    from self2align.stages.screen import bar, show_page

    noise, rows = chosen.benchmark_noise(), chosen.benchmark.rows()
    title, image = cost_image(chosen.test_sets(benchmark_sets), noise, seed=chosen.benchmark.seed, side=side)
    measured = {}
    with bar("measuring costs") as progress:
        for number, (name, row) in enumerate(rows.items()):
            progress(number, len(rows), name)
            level = noise.at().level
            measured[name] = cost_row(row, image, level, benchmark / name, threads=threads, limit=limit)
    aligner = aligners / f"{chosen.generate_pairs.aligner}.safetensors"
    texts = conditions(title, image.shape, threads=threads, limit=limit, noise=noise, aligner=aligner)
    write_json(out / "costs.json", {"conditions": texts, "methods": measured})
    noisy = next((name for name, row in rows.items() if row.method == "noisy"), None)
    parts = cost_parts(measured, list(chosen.benchmark_sets), noisy)
    show_page(write_page(out / "costs", "self2align: costs", texts, parts), parts)
