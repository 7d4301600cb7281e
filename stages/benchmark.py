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
    from self2align.evaluation.benchmark import benchmark_method, skip_benchmark
    from self2align.methods.method import missing_package
    from self2align.params.loading import item, load
    from self2align.stages.screen import bar, say, table
    from self2align.stores.opening import keep_only

    chosen = load(params)
    row = item(chosen.benchmark.rows(), method, f"{params}: benchmark.methods")
    noise = chosen.benchmark_noise()
    if why := skip_benchmark(row, noise, out):
        say(f"benchmark@{method}: {why}; not measured")
        if package := missing_package(row.method):
            say(f"to measure it: pip install {package}; dvc repro -s -f benchmark@{method}; dvc repro")
        return
    keep_only(benchmark_sets, list(chosen.benchmark_sets))
    means = benchmark_method(
        row,
        chosen.test_sets(benchmark_sets),
        noise=noise,
        seed=chosen.benchmark.seed,
        full=chosen.benchmark.repeats == "full",
        pictures=chosen.benchmark.pictures,
        out=out,
        bars=bar,
    )
    rows = [[name, *(one[key] for key in ("images", "repeats", "psnr", "ssim"))] for name, one in means.items()]
    table(f"{out}: {method}", ["set", "images", "repeats", "PSNR dB", "SSIM"], rows)
