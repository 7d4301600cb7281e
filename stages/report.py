"""report: all figures on one page, in Markdown and in HTML, with the visual comparison and the training curves."""

from pathlib import Path
from typing import Annotated

from typer import Option


def report(
    benchmark_sets: Annotated[Path, Option(help="Folder of stores of clean test images.")],
    benchmark: Annotated[Path, Option(help="Folder of the methods' figures and pictures.")],
    alignment: Annotated[Path, Option(help="Folder of the measures of alignment.")],
    pairs: Annotated[Path, Option(help="Folder of the pair store and its figures.")],
    denoiser: Annotated[Path, Option(help="Folder of the denoiser.")],
    ablation: Annotated[Path, Option(help="Folder of the ablation's denoisers; may be empty.")],
    baselines: Annotated[Path, Option(help="Folder of the baselines; may be empty.")],
    held_out: Annotated[Path, Option(help="Figures of the denoisers on held-out frames.")],
    out: Annotated[Path, Option(help="Folder to write the report to.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Write the report: tables, the visual comparison, curves."""
    from pipeline.params import load
    from pipeline.report.canvas import png_bytes
    from pipeline.report.figures import comparison, curve_png
    from pipeline.report.html.render import Shown, html_page
    from pipeline.report.measures import alignment_png, scores_png
    from pipeline.report.page import Results, noise_text, page
    from pipeline.report.published import comparable_sets
    from pipeline.scratch import write_atomically
    from stages.opening import keep_only
    from stages.results import (
        ablation_lines,
        choose_places,
        compare,
        package_versions,
        read_alignment,
        read_json,
        read_means,
        read_rows,
        read_scores,
        read_trainings,
        show_benchmark,
        write_pictures,
    )
    from stages.screen import say

    chosen = load(params)
    keep_only(benchmark_sets, list(chosen.benchmark_sets))
    keep_only(benchmark, list(chosen.benchmark.methods))
    keep_only(ablation, list(chosen.train_ablation.runs))
    keep_only(baselines, list(chosen.train_baselines.runs))
    noise, sets = chosen.synthesize, list(chosen.benchmark_sets)
    figures = {name: read_json(benchmark / name / "metrics.json") for name in chosen.benchmark.methods}
    methods = [name for name, row in figures.items() if "skipped" not in row]
    trainings, curves = read_trainings(denoiser, ablation, baselines, held_out, chosen)
    results = Results(
        noise=noise_text(noise.model, noise.sigma, noise.peak),
        repeats=chosen.benchmark.repeats,
        sets=sets,
        noisy=next((name for name, row in chosen.benchmark.methods.items() if row.method == "noisy"), None),
        benchmark=figures,
        ablation=ablation_lines(chosen),
        alignment=read_alignment(alignment, chosen),
        scenes=read_rows(alignment / "scenes.csv"),
        pairs=read_json(pairs / "metrics.json"),
        trainings=trainings,
    )
    places = choose_places(benchmark_sets, benchmark, sets, methods, chosen.report.images)
    images, missing = compare(places, benchmark, methods, read_scores(benchmark, methods), chosen.report.crop)
    pictures = {
        "comparison.png": png_bytes(comparison(images, methods, chosen.report.crop)) if images else None,
        "alignment.png": alignment_png(results.scenes, list(results.alignment)) if results.scenes else None,
        "scores.png": scores_png(read_rows(pairs / "scores.csv")),
        "curve.png": curve_png(curves) if curves else None,
    }
    there = write_pictures(out, pictures)
    values, versions = chosen.model_dump(), package_versions()
    shown = Shown(
        means=read_means(benchmark, methods),
        images=images,
        missing=missing,
        pictures={name: pictures[name] for name in ("alignment.png", "scores.png")},
        curves=curves,
        params=values,
        versions=versions,
        published=comparable_sets(sets, model=noise.model, sigma=noise.sigma, color=chosen.ingest.color),
    )
    text = page(results, pictures=there, missing=missing, params=values, versions=versions)
    write_atomically(out / "report.md", text.encode())
    write_atomically(out / "report.html", html_page(results, shown).encode())
    show_benchmark(results)
    say(f"report: {out / 'report.md'}, {out / 'report.html'}")
