"""The report's page, in Markdown."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from self2align.report.figures import Compared, Curve
from self2align.report.published import published_ablation, records_table, systems_table
from self2align.report.samples import Samples
from self2align.report.tables import (
    NOT_RUN,
    AblationLine,
    ablation_table,
    alignment_table,
    benchmark_table,
    markdown,
    scene_table,
    spread_table,
    training_table,
)

SPREADS = ("ssim", "ssim_filtered", "gain", "offset")  # of the pairs, in this order


@dataclass(frozen=True)
class Results:
    """What the stages found.

    Attributes
    ----------
    noise
        A `noise_text`.
    repeats
        "quick" or "full".
    sets
        Test sets, in order.
    noisy
        The method that leaves the noise in; None if there is none.
    benchmark
        Method -> set -> ``images, psnr, repeats, ssim``; or ``{"skipped": why}``.
    systems
        The paper's: the method that each is here, or None (`self2align.report.published.rows_of_systems`).
    published
        Test sets that published figures are for (`self2align.report.published.comparable_sets`).
    ablation
        Lines of Table 2; may be empty.
    alignment
        Aligner -> measures (`self2align.report.tables.alignment_table`); or ``{"skipped": why}``.
    scenes
        Rows of the alignment of each scene: ``aligner, scene, psnr, ...``, as text.
    pairs
        Counts and spreads of the pair store.
    trainings
        Name -> figures, with the objective; the denoiser first, then the baselines; or ``{"skipped": why}``.
    """

    noise: str
    repeats: str
    sets: Sequence[str]
    noisy: str | None
    benchmark: Mapping[str, Mapping[str, Any]]
    systems: Mapping[str, str | None]
    published: Mapping[str, int]
    ablation: Sequence[AblationLine]
    alignment: Mapping[str, Any]
    scenes: Sequence[Mapping[str, str]]
    pairs: Mapping[str, Any]
    trainings: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class GalleryPair:
    """A pair of the gallery.

    Attributes
    ----------
    title, scores
        Scene and frames; SSIM and confidence, in words.
    pictures
        Name -> PNG, in order.
    """

    title: str
    scores: str
    pictures: Mapping[str, bytes]


@dataclass(frozen=True)
class Shown:
    """What the report shows beside the figures.

    Attributes
    ----------
    means
        (method, set, image) -> PSNR (dB) and SSIM, means over repeats.
    images
        Of the visual comparison.
    missing
        Names of pictures that it lacks.
    samples
        Crops before and after; None where the training left none.
    pairs
        The gallery.
    pictures
        comparison.png, samples.png, alignment.png, scores.png and curve.png, the files; None where there is none.
    curves
        Of the trainings.
    params
        All parameters.
    versions
        Of this and of the packages that decide the figures.
    """

    means: Mapping[tuple[str, str, str], tuple[float, float]]
    images: Sequence[Compared]
    missing: Sequence[str]
    samples: Samples | None
    pairs: Sequence[GalleryPair]
    pictures: Mapping[str, bytes | None]
    curves: Sequence[Curve]
    params: Mapping[str, Any]
    versions: Mapping[str, str]


def noise_text(model: str, sigma: float, peak: float) -> str:
    """Return what noise there is, in words."""
    gaussian, poisson = f"Gaussian noise, sigma {sigma:g} of 255", f"Poisson noise, {peak:g} photons at white"
    known = {"gaussian": gaussian, "poisson": poisson, "poisson_gaussian": f"{poisson}, and {gaussian}"}
    return known.get(model, "the footage's own noise")


def skipped_lines(results: Mapping[str, Any]) -> list[str]:
    """Return a line for each of some results that did not run, with the reason."""
    return [
        f"- {name}: {NOT_RUN}: {row['skipped']}"
        for name, row in results.items()
        if isinstance(row, Mapping) and "skipped" in row
    ]


def page(results: Results, shown: Shown) -> str:
    """Return the report; its pictures lie beside it."""
    there = {name: data is not None for name, data in shown.pictures.items()}
    measured = [
        _benchmark(results),
        _systems(results),
        *_ablation(results),
        _comparison(there["comparison.png"], shown.missing),
    ]
    sections = [
        _reading(results),
        *(measured if results.benchmark else []),
        *_samples(results, shown.samples),
        _alignment(results, there["alignment.png"]),
        _pairs(results, there["scores.png"]),
        _training(results, there["curve.png"]),
        f"## Parameters\n\n```yaml\n{parameters_yaml(shown.params)}\n```",
        "## Versions\n\n" + markdown(["package", "version"], list(shown.versions.items())),
    ]
    return "\n\n".join(["# self2align: report", *sections]) + "\n"


def _reading(results: Results) -> str:
    how = {
        "quick": "the first repeat of each test set, from the noise stream of the full protocol (`quick`)",
        "full": "all repeats of each test set, as published (`full`)",
    }
    rest = (
        "follow the pipeline: how well neighbouring frames were aligned, what the pairs made of them are worth, and "
        "how the training went. On one machine all figures repeat from the parameters at the end."
    )
    if not results.benchmark:
        none = f"Noise: {results.noise}. No benchmark (`benchmark.methods` names no method)."
        return f"{none}\n\nHow to read it: the sections {rest}"
    return (
        f"Noise: {results.noise}. Benchmark: {how[results.repeats]}.\n\nHow to read it: Table 1 tells how "
        "well each method removes noise from the still images of the test sets; more is better for PSNR "
        f"(dB) and SSIM, and the best of each column is bold. The sections after it {rest}"
    )


def _benchmark(results: Results) -> str:
    header, rows = benchmark_table(results.benchmark, results.sets, results.noisy)
    measured = [row for row in results.benchmark.values() if "skipped" not in row]
    sizes = []
    for name in results.sets:
        counts = {(row[name]["images"], row[name]["repeats"]) for row in measured if name in row}
        sizes += [
            f"{name}: {_count(images, 'image')}, {_count(repeats, 'repeat')}" for images, repeats in sorted(counts)
        ]
    gains = f" Gains count from `{results.noisy}`, the images as they come." if results.noisy else ""
    lines = [
        "## Table 1: denoising",
        f"PSNR (dB) and SSIM, means over images and repeats; {results.noise}; `{results.repeats}`.{gains}",
        markdown(header, rows),
        f"{'; '.join(sizes)}." if sizes else "Nothing was measured.",
    ]
    return "\n\n".join([*lines, *_listed(skipped_lines(results.benchmark))])


def _systems(results: Results) -> str:
    table = systems_table(results.benchmark, results.sets, results.published, results.systems)
    parts = ["## The systems of the paper", systems_text(bool(results.published)), markdown(*table)]
    if results.published:
        parts += [f"PSNR, dB. {RECORDS_TEXT}", markdown(*records_table(results.published))]
    return "\n\n".join(parts)


RECORDS_TEXT = "Published by others for this protocol, as means over all repeats; none of it was measured here."


def systems_text(published: bool) -> str:
    """Return what the table of the paper's systems shows, in words."""
    text = (
        "Every system that the paper compares; what the benchmark has no row for was not run. Self2Align is the "
        "paper's own objective and sampler here; what is trained by default is in Table 1. PSNR, dB, and SSIM."
    )
    apart = " Published figures are those of the paper, of other code trained on other data: for orientation alone."
    return text + apart * published


def _ablation(results: Results) -> list[str]:
    if not results.ablation:
        return []
    text = (
        "The same pairs, network and steps; the first line is the denoiser of Table 1. `adaptive` is equation 7 "
        "of the paper, `ssim` its strategy 2, `fixed` its strategy 1."
    )
    table = ablation_table(results.ablation, results.benchmark, results.sets)
    parts = ["## Table 2: how the network's input is sampled", text, markdown(*table)]
    if results.published:
        parts += [f"PSNR, dB. {ABLATION_TEXT}", markdown(*published_ablation(results.published))]
    return ["\n\n".join(parts)]


ABLATION_TEXT = "The paper's own Table 2, published; not measured here."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")


def _listed(lines: Sequence[str]) -> list[str]:
    return ["\n".join(lines)] if lines else []


def _comparison(there: bool, missing: Sequence[str]) -> str:
    if not there:
        return "## Visual comparison\n\nNo method left a picture (`benchmark.pictures`)."
    text = (
        "## Visual comparison\n\n![Crops of the clean images and of every method](comparison.png)\n\nThe "
        "same crop of the first repeat for all, where the clean image has the most detail; PSNR and SSIM "
        "are those of the whole image."
    )
    lines = [f"- no picture: {name}" for name in missing]
    return "\n\n".join([text, *_listed(lines)])


def _samples(results: Results, samples: Samples | None) -> list[str]:
    if samples is None:
        return []
    title, picture = "## Before and after", "![Noisy crops, denoised, and what was taken off](samples.png)"
    return ["\n\n".join([title, picture, samples_text(results, samples)])]


def samples_text(results: Results, samples: Samples) -> str:
    """Return what the crops before and after show, in words."""
    return samples.text(results.pairs["validation_pairs"] > 0)


def _alignment(results: Results, there: bool) -> str:
    title = "## Alignment"
    if "skipped" in results.alignment:
        return f"{title}\n\nNot measured: {results.alignment['skipped']}."
    text = (
        "Measured on scenes with the role `test`: the clean neighbour, warped by the field that was found "
        "on the noisy frames, against the clean target. *Where confident* is over the same share of pixels "
        "for all (`evaluate_alignment.coverage`), each aligner's own most trusted; *confidence* is the mean."
        "\n\n*Noise ratio* is the standard deviation of the neighbour's noise "
        "after warping over that before: about 0.67 for bilinear sampling at random fractions of a pixel; "
        "0.50 means that the aligner has collapsed to half-pixel shifts, which average four pixels "
        "everywhere. *Noise correlation* is that of the warped noise with the target's: it has to be 0, or "
        "the field follows the noise and a denoiser learns to keep it."
    )
    parts = [
        title,
        text,
        markdown(*alignment_table(results.alignment)),
        *_listed(skipped_lines(results.alignment)),
    ]
    if there:
        parts.append("![Each measure, a point a scene, a bar at the mean](alignment.png)")
    if results.scenes:
        aligners = [name for name, row in results.alignment.items() if "skipped" not in row]
        parts += ["PSNR by scene, dB:", markdown(*scene_table(results.scenes, aligners))]
    return "\n\n".join(parts)


def _pairs(results: Results, there: bool) -> str:
    pairs = results.pairs
    text = (
        f"{pairs['pairs']:,} pairs to train on, {pairs['validation_pairs']:,} for validation; "
        f"{_count(pairs['scenes_left_out'], 'scene')} left out. `ssim` compares noisy crops (equation 7 of "
        "the paper); `ssim_filtered` has the noise taken out; `gain` and `offset` are the exposure between "
        "the two frames."
    )
    spreads = {name: pairs[name] for name in SPREADS if name in pairs}
    parts = ["## Pairs", text, markdown(*spread_table(spreads))]
    if there:
        parts.append(
            "![How many pairs have which score](scores.png)\n\nNoise alone keeps `ssim` low, even of perfect "
            "pairs; `ssim_filtered` is near 1 for them at any noise level."
        )
    return "\n\n".join(parts)


def _training(results: Results, there: bool) -> str:
    parts = [
        "## Training",
        markdown(*training_table(results.trainings)),
        *_listed(skipped_lines(results.trainings)),
    ]
    for name, run in results.trainings.items():
        if "keep_probability" in run:
            title = f"Keep-probability of the pairs that `{name}` trained on (1 keeps every pixel of its input):"
            parts += [title, markdown(*spread_table({"keep-probability": run["keep_probability"]}))]
    if there:
        parts.append(
            "![Loss against steps](curve.png)\n\nLosses of different objectives have different floors: "
            "compare shapes, not levels."
        )
    return "\n\n".join(parts)


def parameters_yaml(params: Mapping[str, Any]) -> str:
    """Return parameters as YAML that reads back as they are."""
    yaml = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.default_flow_style = None
    yaml.width = 1000
    text = io.StringIO()
    yaml.dump(dict(params), text)
    return text.getvalue().rstrip()
