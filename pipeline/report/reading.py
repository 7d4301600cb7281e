"""Reads the results of earlier stages for the report."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from self2align.images.files import read_image
from self2align.methods.method import method_name
from self2align.noise.profile import NoiseProfile
from self2align.report.figures import Curve
from self2align.report.inputs import TrainingRun
from self2align.report.results import GalleryPair
from self2align.report.samples import Samples, take_apart
from self2align.report.tables import AblationLine
from self2align.runtime.tables import read_json, read_rows


def read_curve(path: Path, name: str) -> Curve:
    """Return a training's curve: the losses at the steps where they were measured."""
    rows = read_rows(path, numbers=("step",))
    columns = []
    for key in ("loss", "validation"):
        points = [(float(row["step"]), float(row[key])) for row in rows if row.get(key)]
        columns.append(np.array(points, dtype=np.float64).reshape(-1, 2))
    return Curve(name, columns[0], columns[1])


def read_alignment(folder: Path, aligners: Sequence[str]) -> dict[str, Any]:
    """Return the measures of each aligner: "unaligned" first, then ``aligners`` in order."""
    measures = read_json(folder / "metrics.json")
    order = ["unaligned", *aligners]
    known = {name: measures[name] for name in order if name in measures}
    return {**known, **measures}


def read_trainings(runs: Sequence[TrainingRun], held_out: Path) -> tuple[dict[str, Any], list[Curve]]:
    """Return figures and curves of trainings.

    Parameters
    ----------
    runs
        The denoiser first, whose figures must exist. A later one without figures is reported as skipped.
    held_out
        File with PSNR and SSIM on held-out frames by name; they are added to the figures.

    Returns
    -------
    dict
        Name -> figures and ``objective``; or ``objective`` and ``skipped``.
    list
        Curves with at least one point.
    """
    denoiser, *others = runs
    figures = {
        denoiser.name: {**read_json(denoiser.weights.with_name("metrics.json")), "objective": denoiser.objective}
    }
    curves = [read_curve(denoiser.weights.with_suffix(".csv"), denoiser.name)]
    for run in others:
        path = run.weights.with_suffix(".json")
        if not path.is_file():
            figures[run.name] = {"objective": run.objective, "skipped": f"{path.parent} holds no {path.name}"}
            continue
        figures[run.name] = {**read_json(path), "objective": run.objective}
        if "skipped" not in figures[run.name]:
            curves.append(read_curve(run.weights.with_suffix(".csv"), run.name))
    measured = read_json(held_out)
    figures = {name: {**measured.get(name, {}), **row} for name, row in figures.items()}
    return figures, [curve for curve in curves if len(curve.loss) or len(curve.validation)]


def method_traits(methods: Mapping[str, str], runs: Sequence[TrainingRun], network: str) -> dict[str, dict[str, str]]:
    """Return what each row of the benchmark is.

    Parameters
    ----------
    methods
        Row -> file.
    runs
        Trainings: a row of their weights has their traits.
    network
        Of all trainings.

    Returns
    -------
    dict
        Row -> traits, as `self2align.report.published.rows_of_systems` takes them.
    """
    trained = {run.weights: run for run in runs}
    traits = {}
    for name, file in methods.items():
        traits[name] = {"method": method_name(file)}
        run = trained.get(Path(file))
        if run is not None:
            traits[name] |= {"network": network, "objective": run.objective}
            traits[name] |= {"strategy": run.sampler.strategy, "score": run.sampler.score} if run.sampler else {}
    return traits


def ablation_lines(methods: Mapping[str, str], runs: Sequence[TrainingRun]) -> list[AblationLine]:
    """Return the lines of Table 2: every training with a sampler, the denoiser first; none if only that one has."""
    rows = {Path(file): name for name, file in methods.items()}
    lines = [
        AblationLine(
            run.objective, run.sampler.strategy, run.sampler.score, run.sampler.probability, rows.get(run.weights)
        )
        for run in runs
        if run.sampler is not None
    ]
    return lines if len(lines) > 1 else []


@dataclass(frozen=True)
class _Pair:
    """What `self2align.report.gallery` tells of a pair; ``pictures`` are names with files of its folder."""

    scene: str
    target_frame: int
    source_frame: int
    ssim: float
    ssim_filtered: float
    confidence: float
    pictures: list[tuple[str, Annotated[str, Field(pattern=r"^[^/\\\x00]+$")]]]


_PAIRS = TypeAdapter(list[_Pair])


def read_pairs(folder: Path) -> list[GalleryPair]:
    """Return the pairs that `self2align.report.gallery` wrote to a folder."""
    found = []
    path = folder / "pairs.json"
    try:
        pairs = _PAIRS.validate_python(read_json(path).get("pairs"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "pairs"
        raise ValueError(
            f"{path}: found {key} wrong ({first['msg']}), expected the pairs of an earlier stage"
        ) from error
    for pair in pairs:
        title = f"{pair.scene}: frame {pair.target_frame} and its neighbour, frame {pair.source_frame}"
        scores = f"SSIM {pair.ssim:.3f}, filtered {pair.ssim_filtered:.3f}"
        pictures = {name: (folder / file).read_bytes() for name, file in pair.pictures}
        found.append(GalleryPair(title, f"{scores}; mean confidence {pair.confidence:.2f}", pictures))
    return found


def read_samples(path: Path, noise: Mapping[str, NoiseProfile] | None = None) -> Samples | None:
    """Return the crops that a training saved, with the difference between them; None if there is no file.

    Parameters
    ----------
    path
        Of the crops.
    noise
        Of the scenes, as measured; None if it was not.
    """
    if not path.is_file():
        return None
    picture, _ = read_image(path)
    known = list((noise or {}).values())
    nearest = [one.neighbour if one.is_shared else 0.0 for one in known]
    measured = (min(nearest), max(nearest)) if any(one.is_shared for one in known) else None
    return take_apart(picture.transpose(1, 2, 0).astype(np.uint8), measured)


def read_scores(benchmark: Path, methods: Sequence[str]) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return PSNR and SSIM of each image in its first repeat: (method, set, image) -> (dB, 1)."""
    scores: dict[tuple[str, str, str], tuple[float, float]] = {}
    for method in methods:
        rows = _image_rows(benchmark, method)
        for row in sorted(rows, key=lambda row: float(row["repeat"])):
            key = (method, row["set"], row["image"])
            scores.setdefault(key, (float(row["psnr"]), float(row["ssim"])))
    return scores


def _image_rows(benchmark: Path, method: str) -> list[dict[str, str]]:
    path = benchmark / method / "images.csv"
    return read_rows(path, texts=("set", "image"), numbers=("repeat", "psnr", "ssim"))


def read_histogram(path: Path) -> list[dict[str, str]]:
    """Return the bins of the pairs' scores, at least one, as `self2align.report.measures.scores_png` takes them."""
    rows = read_rows(path, numbers=("from", "to", "ssim", "ssim_filtered"))
    if not rows:
        raise ValueError(f"{path}: found no row, expected the histogram of an earlier stage")
    return rows


def read_means(benchmark: Path, methods: Sequence[str]) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return PSNR and SSIM of each image, means over its repeats: (method, set, image) -> (dB, 1)."""
    scores = defaultdict(list)
    for method in methods:
        for row in _image_rows(benchmark, method):
            scores[method, row["set"], row["image"]].append((float(row["psnr"]), float(row["ssim"])))
    return {
        key: (sum(psnr for psnr, _ in found) / len(found), sum(ssim for _, ssim in found) / len(found))
        for key, found in scores.items()
    }
