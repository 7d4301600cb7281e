"""The report as one HTML page."""

from typing import Any

from self2align.report import texts
from self2align.report.html.crops import AMPLIFIED, data_uri, show_image
from self2align.report.html.grids import benchmark_grid, best_lines, grid, image_grid
from self2align.report.html.plots import curve_plots, gain_plot
from self2align.report.html.render import render
from self2align.report.published import published_ablation, records_table, systems_table
from self2align.report.results import Illustrations, Results
from self2align.report.tables import (
    ablation_table,
    alignment_table,
    pair_table,
    scene_table,
    spread_table,
    training_table,
)


def html_page(results: Results, shown: Illustrations) -> str:
    """Return the report as one page."""
    return render(
        "report.html.j2",
        title="self2align: report",
        first="table-1" if results.benchmark else "alignment" if shown.samples is None else "samples",
        summary=_summary(results),
        texts=texts,
        results=results,
        missing=shown.missing,
        samples=texts.samples_text(results, shown.samples) if shown.samples else None,
        parameters=texts.parameters_yaml(results.parameters),
        amplified=AMPLIFIED,
        pictures={name: data_uri(png) for name, png in shown.files.items() if png is not None},
        gallery=[(pair, {name: data_uri(png) for name, png in pair.pictures.items()}) for pair in shown.pairs],
        versions=grid("Packages that affect the figures.", (["package", "version"], list(results.versions.items()))),
        **_benchmark(results, shown),
        **_paper(results),
        **_video(results),
        **_pipeline(results),
    )


def _summary(results: Results) -> dict[str, str]:
    best = best_lines(results.benchmark, results.sets, results.reference)
    return {
        **{f"Best on {name}": text for name, text in best.items()},
        "Noise": results.noise,
        **({"Protocol": texts.REPEATS[results.repeats]} if results.benchmark else {}),
        "Seed": str(results.parameters["seed"]),
        "Versions": ", ".join(f"{name} {version}" for name, version in results.versions.items()),
    }


def _benchmark(results: Results, shown: Illustrations) -> dict[str, Any]:
    methods = results.measured
    plots = {name: gain_plot(results.means, name, methods, results.reference) for name in results.sets}
    caption = f"PSNR and SSIM, means over images and repeats; {results.noise}; {results.repeats}."
    return {
        "table_1": benchmark_grid(caption, results.benchmark, results.sets, results.reference),
        "plots": [
            (plot, image_grid(f"{name}: PSNR, dB, and SSIM on each image", results.means, name, methods))
            for name, plot in plots.items()
            if plot
        ],
        "images": [show_image(image, methods) for image in shown.images],
    }


def _paper(results: Results) -> dict[str, Any]:
    """Return the tables of the paper's systems and samplers, and of published figures; None for those left out."""
    sets, places = results.sets, results.published
    systems = systems_table(results.benchmark, sets, places, results.systems)
    lines = ablation_table(results.ablation, results.benchmark, sets)
    return {
        "systems": grid("Each system, and its row of Table 1.", systems),
        "records": grid(f"PSNR, dB. {texts.RECORDS}", records_table(places)) if places else None,
        "table_2": grid("PSNR, dB, and SSIM under each sampler.", lines) if results.ablation else None,
        "published_2": grid(f"PSNR, dB. {texts.PUBLISHED_ABLATION}", published_ablation(places))
        if places and results.ablation
        else None,
    }


def _video(results: Results) -> dict[str, Any]:
    """Return the tables of the benchmark of video; none without rows."""
    videos = results.videos
    return {
        "videos": [grid(f"{title}.", table, videos.figures) for title, table in videos.tables()] if videos else [],
        "video_details": [grid(f"{title}.", table) for title, table in videos.details()] if videos else [],
    }


def _pipeline(results: Results) -> dict[str, Any]:
    """Return the tables and plots of the stages before the benchmark; None for those left out."""
    measured = "skipped" not in results.alignment
    aligners = [name for name, row in results.alignment.items() if measured and "skipped" not in row]
    kept = {name: run["keep_probability"] for name, run in results.trainings.items() if "keep_probability" in run}
    return {
        "alignment": grid(
            "Means over the scenes with the role test.", alignment_table(results.alignment), results.alignment
        )
        if measured
        else None,
        "scenes": grid("Aligned PSNR by scene, dB.", scene_table(results.scenes, aligners)) if results.scenes else None,
        "spreads": grid("Scores of the pairs, and the change of exposure.", pair_table(results.pairs)),
        "trainings": grid("Final figures of each training.", training_table(results.trainings), results.trainings),
        "kept": grid(
            "Keep-probability of the training pairs; 1 keeps every pixel of the network's input.", spread_table(kept)
        )
        if kept
        else None,
        "curves": curve_plots(results.curves),
    }
