"""benchmark_video@METHOD: one method on all test sequences, on the same noisy frames as every other."""

from pathlib import Path
from typing import Annotated

from typer import Option


def benchmark_video(
    method: Annotated[str, Option(help="Key in benchmark_video.methods.")],
    benchmark_videos: Annotated[Path, Option(help="Folder of stores of clean sequences.")],
    aligners: Annotated[Path, Option(help="Folder of the aligners' weights.")],
    out: Annotated[Path, Option(help="Folder for figures.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Measure PSNR, SSIM and flicker of one method on video."""
    from self2align.evaluation.video_benchmark import measure_video, skip_video
    from self2align.methods.method import missing_package
    from self2align.params.loading import item, load
    from self2align.stages.screen import bar, say, table
    from self2align.stores.opening import keep_only

    chosen = load(params)
    row = item(chosen.benchmark_video.rows(aligners), method, f"{params}: benchmark_video.methods")
    if why := skip_video(row, out):
        say(f"benchmark_video@{method}: {why}; not measured")
        if package := missing_package(row.method):
            say(f"to measure it: pip install {package}; dvc repro -s -f benchmark_video@{method}; dvc repro")
        return
    keep_only(benchmark_videos, list(chosen.benchmark_videos))
    means = measure_video(
        row,
        chosen.video_sets(benchmark_videos),
        sigmas=chosen.benchmark_video.sigma,
        seed=chosen.benchmark_video.seed,
        out=out,
        bars=bar,
    )
    keys = ("sequences", "frames", "psnr", "ssim", "flicker")
    rows = [
        [name, sigma, *("none" if one[key] is None else one[key] for key in keys)]
        for name, levels in means.items()
        for sigma, one in levels.items()
    ]
    table(f"{out}: {method}", ["set", "sigma", "sequences", "frames", "PSNR dB", "SSIM", "flicker"], rows)
