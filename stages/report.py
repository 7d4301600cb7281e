"""report: all figures on one page, in Markdown and in HTML, with pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

if TYPE_CHECKING:
    from self2align.params.schema import Params
    from self2align.report.inputs import ReportInputs


def report(
    benchmark_sets: Annotated[Path, Option(help="Folder of stores of clean test images.")],
    benchmark: Annotated[Path, Option(help="Folder of the methods' figures and pictures.")],
    alignment: Annotated[Path, Option(help="Folder of the alignment measures.")],
    pairs: Annotated[Path, Option(help="Folder of the pair store and its figures.")],
    denoiser: Annotated[Path, Option(help="Folder of the denoiser.")],
    ablation: Annotated[Path, Option(help="Folder of the ablation's denoisers; may be empty.")],
    baselines: Annotated[Path, Option(help="Folder of the baselines; may be empty.")],
    held_out: Annotated[Path, Option(help="Figures of the denoisers on held-out frames.")],
    out: Annotated[Path, Option(help="Folder to write the report to.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
    noise: Annotated[Path | None, Option(help="Noise of the scenes (.json), for its picture.")] = None,
    benchmark_video: Annotated[Path | None, Option(help="Folder of the methods' figures on video.")] = None,
) -> None:
    """Write the report: tables, the visual comparison, training curves."""
    from self2align.params.loading import load
    from self2align.report.gathering import make_report
    from self2align.report.inputs import StageOutputs
    from self2align.report.tables import benchmark_table, skipped_lines
    from self2align.stages.screen import say, table
    from self2align.stores.opening import keep_only

    chosen = load(params)
    keep_only(benchmark_sets, list(chosen.benchmark_sets))
    keep_only(benchmark, list(chosen.benchmark.methods))
    if benchmark_video is not None:
        keep_only(benchmark_video, list(chosen.benchmark_video.methods))
    keep_only(ablation, list(chosen.train_ablation.runs))
    keep_only(baselines, list(chosen.train_baselines.runs))
    outputs = StageOutputs(benchmark_sets, benchmark, alignment, pairs, held_out, noise, benchmark_video)
    results, pages = make_report(out, outputs, _inputs(chosen, denoiser, ablation, baselines))
    if results.benchmark:
        header, rows = benchmark_table(results.benchmark, results.sets, results.noisy, mark=lambda cell: f"{cell} *")
        table(f"{results.noise}; {results.repeats}", header, rows)
        for line in skipped_lines(results.benchmark):
            say(line)
    for title, (header, rows) in results.videos.tables() if results.videos else ():
        table(title, header, rows)
    say(f"report: {', '.join(map(str, pages))}")


def _inputs(params: "Params", denoiser: Path, ablation: Path, baselines: Path) -> "ReportInputs":
    from self2align.report.inputs import ReportInputs, TrainingRun, VideoMethod

    weights, sampler = denoiser / "denoiser.safetensors", params.sampler.settings()
    runs = [TrainingRun("denoiser", weights, params.train_denoiser.objective, sampler)]
    for name, line in params.train_ablation.runs.items():
        runs.append(TrainingRun(name, ablation / f"{name}.safetensors", line.objective, line.settings()))
    for name, baseline in params.train_baselines.runs.items():
        runs.append(TrainingRun(name, baselines / f"{name}.safetensors", baseline.objective, None))
    return ReportInputs(
        noise=params.benchmark_noise(),
        color=params.ingest.color,
        repeats=params.benchmark.repeats,
        sets=list(params.benchmark_sets),
        methods={name: row.file for name, row in params.benchmark.methods.items()},
        aligners=list(params.train_ian.aligners),
        network=params.train_denoiser.network,
        trainings=runs,
        crop=params.report.crop,
        images=params.report.images,
        parameters=params.model_dump(),
        videos={name: VideoMethod(row.file, row.temporal) for name, row in params.benchmark_video.methods.items()},
    )
