"""benchmark@METHOD: one method on all test sets, on the same noisy pixels as every other."""

from pathlib import Path
from typing import Annotated

from typer import Option


def benchmark(
    method: Annotated[str, Option(help="Key in benchmark.methods.")],
    benchmark_sets: Annotated[Path, Option(help="Folder of stores of clean test images.")],
    out: Annotated[Path, Option(help="Folder for figures and pictures.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Measure PSNR and SSIM of one method by the field's protocol."""
    from pipeline.methods.protocol import BenchmarkSet, plan_items
    from pipeline.params import load
    from stages.measuring import measure_all, write_figures, write_skipped
    from stages.opening import keep_only

    chosen = load(params)
    mine = chosen.benchmark
    if method not in mine.methods:
        raise ValueError(f"{params}: benchmark.methods: found no {method!r}, expected one of it")
    row, noise = mine.methods[method], chosen.synthesize
    if noise.model == "none":
        write_skipped(out, f"benchmark@{method}", "the footage's own noise has no model to put on clean test images")
        return
    if Path(row.file).is_file() and not Path(row.file).stat().st_size:
        write_skipped(out, f"benchmark@{method}", "the baseline was not trained")
        return
    keep_only(benchmark_sets, list(chosen.benchmark_sets))
    sets = [
        BenchmarkSet(key, benchmark_sets / f"{key}.zarr", one.repeats) for key, one in chosen.benchmark_sets.items()
    ]
    items = plan_items(
        sets,
        seed=mine.seed,
        full=mine.repeats == "full",
        model=noise.model,
        sigma=noise.sigma,
        peak=noise.peak,
    )
    results = measure_all(method, row, items, sets, noise, mine.pictures, mine.seed, out)
    write_figures(out, method, items, results)
