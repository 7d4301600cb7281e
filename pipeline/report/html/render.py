"""The report as one HTML page that holds all it shows; the same figures give the same bytes."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from self2align.report.html.crops import AMPLIFIED, data_uri, show_image
from self2align.report.html.grids import benchmark_grid, best_lines, grid, image_grid
from self2align.report.html.plots import DASHES, SHAPES, curve_plots, gain_plot
from self2align.report.page import (
    ABLATION_TEXT,
    RECORDS_TEXT,
    SPREADS,
    Results,
    Shown,
    parameters_yaml,
    samples_text,
    systems_text,
)
from self2align.report.plots import COLORS
from self2align.report.published import published_ablation, records_table, systems_table
from self2align.report.tables import ablation_table, alignment_table, scene_table, spread_table, training_table

REPEATS = {
    "quick": "quick: the first repeat of each test set, from the noise stream of the full protocol",
    "full": "full: all repeats of each test set, as published",
}


def _read(name: str) -> str:
    return files("self2align.report.html").joinpath(name).read_text(encoding="utf-8")


def render(template: str, *, title: str, first: str, **values: Any) -> str:
    """Return a page that asks for nothing beside it, from a template here; all names on it are escaped.

    Parameters
    ----------
    template
        Extends ``base.html.j2``.
    title
        Of the page.
    first
        The section that the figures begin with.
    values
        What the template wants, ``summary`` among it.
    """
    environment = Environment(
        loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(shapes=SHAPES, dashes=DASHES, colors=COLORS)
    page = environment.get_template(template)
    return page.render(title=title, first=first, style=_read("style.css"), script=_read("script.js"), **values)


def html_page(results: Results, shown: Shown) -> str:
    """Return the report as one page."""
    return render(
        "report.html.j2",
        title="self2align: report",
        first="table-1" if results.benchmark else "alignment" if shown.samples is None else "samples",
        results=results,
        noisy=_noisy(results),
        summary=_summary(results, shown),
        missing=shown.missing,
        samples=samples_text(results, shown.samples) if shown.samples else None,
        parameters=parameters_yaml(shown.params),
        amplified=AMPLIFIED,
        **_benchmark(results, shown),
        **_pipeline(results, shown),
    )


def _noisy(results: Results) -> str | None:
    """Return the method that gains count from; None if it did not run."""
    return results.noisy if results.noisy and "skipped" not in results.benchmark[results.noisy] else None


def _summary(results: Results, shown: Shown) -> dict[str, str]:
    best = best_lines(results.benchmark, results.sets, _noisy(results))
    return {
        **{f"Best on {name}": text for name, text in best.items()},
        "Noise": results.noise,
        **({"Protocol": REPEATS[results.repeats]} if results.benchmark else {}),
        "Seed": str(shown.params["seed"]),
        "Versions": ", ".join(f"{name} {version}" for name, version in shown.versions.items()),
    }


def _benchmark(results: Results, shown: Shown) -> dict[str, Any]:
    methods = [name for name, row in results.benchmark.items() if "skipped" not in row]
    plots = {name: gain_plot(shown.means, name, methods, _noisy(results)) for name in results.sets}
    caption = f"PSNR and SSIM, means over images and repeats; {results.noise}; {results.repeats}."
    return {
        "table_1": benchmark_grid(caption, results.benchmark, results.sets, _noisy(results)),
        "plots": [
            (plot, image_grid(f"{name}: PSNR, dB, and SSIM on each image", shown.means, name, methods))
            for name, plot in plots.items()
            if plot
        ],
        "images": [show_image(image, methods) for image in shown.images],
        **_paper(results),
    }


def _paper(results: Results) -> dict[str, Any]:
    """Return the tables of the paper's systems and samplers, and what is published of them; None for those left out."""
    sets, places = results.sets, results.published
    systems = systems_table(results.benchmark, sets, places, results.systems)
    lines = ablation_table(results.ablation, results.benchmark, sets)
    text = "The same pairs, network and steps; the first line is the denoiser of Table 1."
    return {
        "systems_text": systems_text(bool(places)),
        "systems": grid("Each system, and the row of Table 1 that stands for it.", systems),
        "records": grid(f"PSNR, dB. {RECORDS_TEXT}", records_table(places)) if places else None,
        "table_2": grid(text, lines) if results.ablation else None,
        "published_2": grid(f"PSNR, dB. {ABLATION_TEXT}", published_ablation(places))
        if places and results.ablation
        else None,
    }


def _pipeline(results: Results, shown: Shown) -> dict[str, Any]:
    measured = "skipped" not in results.alignment
    aligners = [name for name, row in results.alignment.items() if measured and "skipped" not in row]
    spreads = {name: results.pairs[name] for name in SPREADS if name in results.pairs}
    kept = {name: run["keep_probability"] for name, run in results.trainings.items() if "keep_probability" in run}
    return {
        "alignment": grid(
            "Means over the scenes with the role test.", alignment_table(results.alignment), results.alignment
        )
        if measured
        else None,
        "scenes": grid("Aligned PSNR by scene, dB.", scene_table(results.scenes, aligners)) if results.scenes else None,
        "pictures": {name: data_uri(png) for name, png in shown.pictures.items() if png is not None},
        "gallery": [(pair, {name: data_uri(png) for name, png in pair.pictures.items()}) for pair in shown.pairs],
        "spreads": grid("Scores of the pairs, and the exposure between their frames.", spread_table(spreads)),
        "trainings": grid("What each training ended with.", training_table(results.trainings), results.trainings),
        "kept": grid(
            "Keep-probability of the pairs that each trained on; 1 keeps every pixel of its input.", spread_table(kept)
        )
        if kept
        else None,
        "curves": curve_plots(shown.curves),
        "versions": grid("Packages that decide the figures.", (["package", "version"], list(shown.versions.items()))),
    }
