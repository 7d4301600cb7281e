"""What `report` puts together from what earlier stages left."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from self2align.images.files import read_image
from self2align.params.schema import Params
from self2align.report.canvas import png_bytes
from self2align.report.figures import Compared, Curve, comparison, curve_png
from self2align.report.html.render import html_page
from self2align.report.measures import alignment_png, scores_png
from self2align.report.page import Results, Shown, noise_text, page
from self2align.report.published import comparable_sets, rows_of_systems
from self2align.report.results import (
    ablation_lines,
    choose_places,
    compare,
    method_traits,
    package_versions,
    read_alignment,
    read_json,
    read_means,
    read_pairs,
    read_rows,
    read_scores,
    read_trainings,
    write_pictures,
)
from self2align.report.samples import Samples, take_apart
from self2align.runtime.scratch import write_atomically
from self2align.stores.opening import keep_only


@dataclass(frozen=True)
class Left:
    """Where earlier stages left their results; all folders but ``held_out``, a file."""

    benchmark_sets: Path
    benchmark: Path
    alignment: Path
    pairs: Path
    denoiser: Path
    ablation: Path
    baselines: Path
    held_out: Path

    def drop_former(self, params: Params) -> None:
        """Remove what was left for items that the parameters no longer name."""
        keep_only(self.benchmark_sets, list(params.benchmark_sets))
        keep_only(self.benchmark, list(params.benchmark.methods))
        keep_only(self.ablation, list(params.train_ablation.runs))
        keep_only(self.baselines, list(params.train_baselines.runs))


def read_results(left: Left, params: Params) -> tuple[Results, list[Curve]]:
    """Return all figures, and the curves of the trainings."""
    noise, sets, methods = params.synthesize, list(params.benchmark_sets), params.benchmark.methods
    trainings, curves = read_trainings(left.denoiser, left.ablation, left.baselines, left.held_out, params)
    results = Results(
        noise=noise_text(noise.model, noise.sigma, noise.peak),
        repeats=params.benchmark.repeats,
        sets=sets,
        noisy=next((name for name, row in methods.items() if row.method == "noisy"), None),
        benchmark={name: read_json(left.benchmark / name / "metrics.json") for name in methods},
        systems=rows_of_systems(method_traits(params)),
        published=comparable_sets(sets, model=noise.model, sigma=noise.sigma, color=params.ingest.color),
        ablation=ablation_lines(params),
        alignment=read_alignment(left.alignment, params),
        scenes=read_rows(left.alignment / "scenes.csv"),
        pairs=read_json(left.pairs / "metrics.json"),
        trainings=trainings,
    )
    return results, curves


def gather_shown(left: Left, params: Params, results: Results, curves: Sequence[Curve]) -> Shown:
    """Return what the report shows beside the figures."""
    methods = [name for name, row in results.benchmark.items() if "skipped" not in row]
    size = params.report.crop
    places = choose_places(left.benchmark_sets, left.benchmark, results.sets, methods, params.report.images)
    images, missing = compare(places, left.benchmark, methods, read_scores(left.benchmark, methods), size)
    samples = read_samples(left.denoiser / "samples.png")
    return Shown(
        means=read_means(left.benchmark, methods),
        images=images,
        missing=missing,
        samples=samples,
        pairs=read_pairs(left.pairs / "pictures"),
        pictures={
            **_draw(left, results, images, methods, size, curves),
            "samples.png": png_bytes(samples.picture) if samples else None,
        },
        curves=curves,
        params=params.model_dump(),
        versions=package_versions(),
    )


def read_samples(path: Path) -> Samples | None:
    """Return the crops that the training has left, and what was taken off them; None where it has left none."""
    if not path.is_file():
        return None
    picture, _ = read_image(path)
    return take_apart(picture.transpose(1, 2, 0).astype(np.uint8))


def _draw(
    left: Left,
    results: Results,
    images: Sequence[Compared],
    methods: Sequence[str],
    size: int,
    curves: Sequence[Curve],
) -> dict[str, bytes | None]:
    scores = read_rows(left.pairs / "scores.csv")
    return {
        "comparison.png": png_bytes(comparison(images, methods, size)) if images else None,
        "alignment.png": alignment_png(results.scenes, list(results.alignment)) if results.scenes else None,
        "scores.png": scores_png(scores),
        "curve.png": curve_png(curves) if curves else None,
    }


def write_report(out: Path, results: Results, shown: Shown) -> list[Path]:
    """Write the report and its pictures; return the pages."""
    write_pictures(out, shown.pictures)
    pages = {out / "report.md": page(results, shown), out / "report.html": html_page(results, shown)}
    for path, text in pages.items():
        write_atomically(path, text.encode())
    return list(pages)
