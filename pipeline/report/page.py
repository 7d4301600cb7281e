"""The report's page in Markdown."""

from collections.abc import Sequence

from self2align.report import texts
from self2align.report.published import published_ablation, records_table, systems_table
from self2align.report.results import Illustrations, Results
from self2align.report.tables import (
    ablation_table,
    alignment_table,
    benchmark_table,
    markdown,
    pair_table,
    scene_table,
    skipped_lines,
    spread_table,
    training_table,
)


def markdown_page(results: Results, shown: Illustrations) -> str:
    """Return the report; its pictures are files beside it."""
    measured = [_benchmark(results), _systems(results), *_ablation(results), _comparison(shown)]
    sections = [
        _introduction(results),
        *(measured if results.benchmark else []),
        *_video(results),
        *_samples(results, shown),
        *_noise(shown),
        _alignment(results, shown),
        _pairs(results, shown),
        _training(results, shown),
        f"## Parameters\n\n```yaml\n{texts.parameters_yaml(results.parameters)}\n```",
        "## Versions\n\n" + markdown(["package", "version"], list(results.versions.items())),
    ]
    return "\n\n".join(["# self2align: report", *sections]) + "\n"


def _introduction(results: Results) -> str:
    protocol = (
        f"Benchmark: {texts.REPEATS[results.repeats]}."
        if results.benchmark
        else "No benchmark: `benchmark.methods` names no method."
    )
    return (
        f"Noise: {results.noise}. {protocol}\n\nThe report follows the pipeline"
        f"{', after the benchmark' if results.benchmark else ''}: how well neighbouring frames were aligned, how good "
        "the pairs are, and how the training went. On one machine, the parameters at the end reproduce all figures."
    )


def _benchmark(results: Results) -> str:
    header, rows = benchmark_table(results.benchmark, results.sets, results.noisy)
    sizes = []
    for name in results.sets:
        found = [results.benchmark[method][name] for method in results.measured if name in results.benchmark[method]]
        counts = {(row["images"], row["repeats"]) for row in found}
        sizes += [
            f"{name}: {texts.counted(images, 'image')}, {texts.counted(repeats, 'repeat')}"
            for images, repeats in sorted(counts)
        ]
    parts = [
        "## Table 1: denoising",
        f"{texts.benchmark_text(results)} Means over images and repeats; {results.noise}; `{results.repeats}`.",
        markdown(header, rows),
        f"{'; '.join(sizes)}." if sizes else "Nothing was measured.",
    ]
    return "\n\n".join([*parts, *_listed(skipped_lines(results.benchmark))])


def _systems(results: Results) -> str:
    table = systems_table(results.benchmark, results.sets, results.published, results.systems)
    parts = ["## The systems of the paper", texts.systems_text(results), markdown(*table)]
    if results.published:
        parts += [f"PSNR, dB. {texts.RECORDS}", markdown(*records_table(results.published))]
    return "\n\n".join(parts)


def _ablation(results: Results) -> list[str]:
    if not results.ablation:
        return []
    table = ablation_table(results.ablation, results.benchmark, results.sets)
    parts = ["## Table 2: sampling of the network's input", texts.ABLATION, markdown(*table)]
    if results.published:
        parts += [f"PSNR, dB. {texts.PUBLISHED_ABLATION}", markdown(*published_ablation(results.published))]
    return ["\n\n".join(parts)]


def _listed(lines: Sequence[str]) -> list[str]:
    return ["\n".join(lines)] if lines else []


def _video(results: Results) -> list[str]:
    if results.videos is None:
        return []
    parts = ["## Video", *texts.VIDEO]
    tables = results.videos.tables()
    for title, table in tables:
        parts += [f"{title}:", markdown(*table)]
    parts += [] if tables else ["Nothing was measured."]
    parts += _listed(skipped_lines(results.videos.figures))
    for title, table in results.videos.details():
        parts += [f"{title}:", markdown(*table)]
    return ["\n\n".join(parts)]


def _comparison(shown: Illustrations) -> str:
    title = "## Visual comparison"
    if shown.files["comparison.png"] is None:
        return f"{title}\n\n{texts.NO_PICTURES}"
    lines = [f"- no picture: {name}" for name in shown.missing]
    picture = "![Crops of the clean images and of every method](comparison.png)"
    return "\n\n".join([title, picture, texts.COMPARISON, *_listed(lines)])


def _samples(results: Results, shown: Illustrations) -> list[str]:
    if shown.samples is None:
        return []
    title, picture = "## Before and after", "![Crops: noisy, denoised, and their difference](samples.png)"
    return ["\n\n".join([title, picture, texts.samples_text(results, shown.samples)])]


def _noise(shown: Illustrations) -> list[str]:
    if shown.files.get("noise.png") is None:
        return []
    return ["\n\n".join(["## Noise", f"![{texts.NOISE}](noise.png)", texts.NOISE])]


def _alignment(results: Results, shown: Illustrations) -> str:
    title = "## Alignment"
    if "skipped" in results.alignment:
        return f"{title}\n\nNot measured: {results.alignment['skipped']}."
    parts = [
        title,
        *texts.ALIGNMENT,
        markdown(*alignment_table(results.alignment)),
        *_listed(skipped_lines(results.alignment)),
    ]
    if shown.files["alignment.png"] is not None:
        parts.append("![Each measure: a point for each scene, a bar at the mean](alignment.png)")
    if results.scenes:
        aligners = [name for name, row in results.alignment.items() if "skipped" not in row]
        parts += ["PSNR by scene, dB:", markdown(*scene_table(results.scenes, aligners))]
    return "\n\n".join(parts)


def _pairs(results: Results, shown: Illustrations) -> str:
    parts = ["## Pairs", texts.pairs_text(results), markdown(*pair_table(results.pairs))]
    if shown.files["scores.png"] is not None:
        parts += ["![Histogram of the pairs' scores](scores.png)", texts.SCORES]
    return "\n\n".join(parts)


def _training(results: Results, shown: Illustrations) -> str:
    parts = [
        "## Training",
        markdown(*training_table(results.trainings)),
        *_listed(skipped_lines(results.trainings)),
    ]
    for name, run in results.trainings.items():
        if "keep_probability" in run:
            title = f"Keep-probability of the training pairs of `{name}` (1 keeps every pixel of the network's input):"
            parts += [title, markdown(*spread_table({"keep-probability": run["keep_probability"]}))]
    if shown.files["curve.png"] is not None:
        parts += ["![Losses by step](curve.png)", texts.CURVES]
    return "\n\n".join(parts)
