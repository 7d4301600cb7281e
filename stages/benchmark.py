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
    from self2align.evaluation.benchmark import (
        check_files,
        measure_all,
        plan_work,
        sets_of,
        why_not,
        write_figures,
        write_skipped,
    )
    from self2align.evaluation.protocol import missing_package
    from self2align.params.loading import load
    from self2align.stages.screen import say
    from self2align.stores.opening import keep_only

    chosen = load(params)
    mine = chosen.benchmark
    if method not in mine.methods:
        raise ValueError(f"{params}: benchmark.methods: found no {method!r}, expected one of it")
    row, noise = mine.methods[method], chosen.synthesize
    if noise.model == "none":
        write_skipped(out, f"benchmark@{method}", "the footage's own noise has no model to put on clean test images")
        return
    check_files({method: row})
    why = why_not(row)
    if why is not None:
        write_skipped(out, f"benchmark@{method}", why)
        if package := missing_package(row.method):
            say(f"to measure it: pip install {package}; dvc repro -s -f benchmark@{method}; dvc repro")
        return
    keep_only(benchmark_sets, list(chosen.benchmark_sets))
    sets = sets_of(benchmark_sets, chosen.benchmark_sets)
    (work,) = plan_work({method: row}, sets, noise, mine)
    write_figures(out, work, measure_all(work, mine.pictures, out))
