"""The report as one HTML page that holds all it shows; the same figures give the same bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from pipeline.report.figures import Compared, Curve
from pipeline.report.html.crops import AMPLIFIED, data_uri, show_image
from pipeline.report.html.grids import benchmark_grid, best_lines, grid, image_grid
from pipeline.report.html.plots import DASHES, SHAPES, curve_plots, gain_plot
from pipeline.report.page import SPREADS, Results, parameters_yaml
from pipeline.report.plots import COLORS
from pipeline.report.published import published_ablation, published_table
from pipeline.report.tables import ablation_table, alignment_table, scene_table, spread_table, training_table

REPEATS = {
    "quick": "quick: the first repeat of each test set, from the noise stream of the full protocol",
    "full": "full: all repeats of each test set, as published",
}


@dataclass(frozen=True)
class Shown:
    """What the page shows beside the figures.

    Attributes
    ----------
    means
        (method, set, image) -> PSNR (dB) and SSIM, means over repeats.
    images
        Of the visual comparison.
    missing
        Names of pictures that it lacks.
    pictures
        alignment.png and scores.png, the files; None where there is none.
    curves
        Of the trainings.
    params
        All parameters.
    versions
        Of this and of the packages that decide the figures.
    published
        Test sets that published figures are for (`pipeline.report.published.comparable_sets`).
    """

    means: Mapping[tuple[str, str, str], tuple[float, float]]
    images: Sequence[Compared]
    missing: Sequence[str]
    pictures: Mapping[str, bytes | None]
    curves: Sequence[Curve]
    params: Mapping[str, Any]
    versions: Mapping[str, str]
    published: Mapping[str, int]


def _read(name: str) -> str:
    return files("pipeline.report.html").joinpath(name).read_text(encoding="utf-8")


def html_page(results: Results, shown: Shown) -> str:
    """Return the report as one page that asks for nothing beside it; all names on it are escaped."""
    environment = Environment(
        loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(shapes=SHAPES, dashes=DASHES, colors=COLORS)
    return environment.get_template("report.html.j2").render(
        style=_read("style.css"),
        script=_read("script.js"),
        results=results,
        noisy=_noisy(results),
        summary=_summary(results, shown),
        missing=shown.missing,
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
        "Protocol": REPEATS[results.repeats],
        "Seed": str(shown.params["seed"]),
        "Versions": ", ".join(f"{name} {version}" for name, version in shown.versions.items()),
    }


def _benchmark(results: Results, shown: Shown) -> dict[str, Any]:
    methods = [name for name, row in results.benchmark.items() if "skipped" not in row]
    plots = {name: gain_plot(shown.means, name, methods, _noisy(results)) for name in results.sets}
    caption = f"PSNR and SSIM, means over images and repeats; {results.noise}; {results.repeats}."
    ablation = ablation_table(results.ablation, results.benchmark, results.sets)
    return {
        "table_1": benchmark_grid(caption, results.benchmark, results.sets, _noisy(results)),
        "published": grid(
            "Published PSNR, dB, and SSIM; none of them was measured here.", published_table(shown.published)
        )
        if shown.published
        else None,
        "table_2": grid("The same pairs, network and steps; the first line is the denoiser of Table 1.", ablation)
        if results.ablation
        else None,
        "published_2": grid(
            "The paper's own Table 2: PSNR, dB; not measured here.", published_ablation(shown.published)
        )
        if shown.published and results.ablation
        else None,
        "plots": [
            (plot, image_grid(f"{name}: PSNR, dB, and SSIM on each image", shown.means, name, methods))
            for name, plot in plots.items()
            if plot
        ],
        "images": [show_image(image, methods) for image in shown.images],
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
