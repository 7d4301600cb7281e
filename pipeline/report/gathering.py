"""Gathers the results of all stages and writes the report."""

from pathlib import Path

from self2align.methods.method import method_name
from self2align.noise.profiles import load_profiles
from self2align.report.canvas import png_bytes
from self2align.report.comparing import choose_images, compare
from self2align.report.figures import comparison, curve_png
from self2align.report.html.page import html_page
from self2align.report.inputs import ReportInputs, StageOutputs
from self2align.report.measures import alignment_png, scores_png
from self2align.report.noise import noise_png
from self2align.report.page import markdown_page
from self2align.report.published import comparable_sets, rows_of_systems
from self2align.report.reading import (
    ablation_lines,
    method_traits,
    read_alignment,
    read_histogram,
    read_means,
    read_pairs,
    read_samples,
    read_scores,
    read_trainings,
)
from self2align.report.results import Illustrations, Results
from self2align.report.videos import read_videos
from self2align.runtime.scratch import write_atomically
from self2align.runtime.tables import read_json, read_rows
from self2align.runtime.versions import package_versions


def make_report(out: Path, outputs: StageOutputs, inputs: ReportInputs) -> tuple[Results, list[Path]]:
    """Write the report to the folder ``out``.

    Returns
    -------
    Results
        The figures.
    list
        The pages: report.md and report.html.
    """
    results = read_results(outputs, inputs)
    return results, write_report(out, results, draw(outputs, inputs, results))


def read_results(outputs: StageOutputs, inputs: ReportInputs) -> Results:
    """Return the figures of all stages."""
    methods, noise = inputs.methods, inputs.noise
    benchmark = {name: read_json(outputs.benchmark / name / "metrics.json") for name in methods}
    trainings, curves = read_trainings(inputs.trainings, outputs.held_out)
    return Results(
        noise=noise.describe(),
        repeats=inputs.repeats,
        sets=inputs.sets,
        noisy=next((name for name, file in methods.items() if method_name(file) == "noisy"), None),
        benchmark=benchmark,
        means=read_means(outputs.benchmark, [name for name, row in benchmark.items() if "skipped" not in row]),
        systems=rows_of_systems(method_traits(methods, inputs.trainings, inputs.network)),
        published=comparable_sets(inputs.sets, model=noise.model, sigma=noise.sigma, color=inputs.color),
        ablation=ablation_lines(methods, inputs.trainings),
        alignment=read_alignment(outputs.alignment, inputs.aligners),
        scenes=read_rows(outputs.alignment / "scenes.csv", texts=("aligner", "scene")),
        pairs=read_json(outputs.pairs / "metrics.json"),
        trainings=trainings,
        curves=curves,
        parameters=inputs.parameters,
        versions=package_versions(),
        videos=read_videos(outputs.video, inputs.videos) if outputs.video and inputs.videos else None,
    )


def draw(outputs: StageOutputs, inputs: ReportInputs, results: Results) -> Illustrations:
    """Return the pictures of the report."""
    methods, size = results.measured, inputs.crop
    chosen = choose_images(outputs.benchmark_sets, outputs.benchmark, inputs.sets, methods, inputs.images)
    scores = read_scores(outputs.benchmark, methods)
    images, missing = compare(chosen, outputs.benchmark, methods, scores, size)
    noise = load_profiles(outputs.noise) if outputs.noise else None
    samples = read_samples(inputs.trainings[0].weights.with_name("samples.png"), noise)
    aligners = list(results.alignment)
    files = {
        "comparison.png": png_bytes(comparison(images, methods, size)) if images else None,
        "alignment.png": alignment_png(results.scenes, aligners) if results.scenes else None,
        "noise.png": noise_png(noise) if noise is not None else None,
        "scores.png": scores_png(read_histogram(outputs.pairs / "scores.csv")),
        "curve.png": curve_png(results.curves) if results.curves else None,
        "samples.png": png_bytes(samples.picture) if samples else None,
    }
    return Illustrations(images, missing, samples, read_pairs(outputs.pairs / "pictures"), files)


def write_report(out: Path, results: Results, shown: Illustrations) -> list[Path]:
    """Write the pages and their pictures; pictures of a former report are removed. Return the pages."""
    for name, data in shown.files.items():
        (out / name).unlink(missing_ok=True)
        if data is not None:
            write_atomically(out / name, data)
    pages = {out / "report.md": markdown_page(results, shown), out / "report.html": html_page(results, shown)}
    for path, text in pages.items():
        write_atomically(path, text.encode())
    return list(pages)
