"""Reading what earlier stages left, for the report."""

import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from self2align import __version__
from self2align.images.files import read_image, to_color
from self2align.params.schema import Params, SamplerParams
from self2align.report.canvas import Picture, to_picture
from self2align.report.figures import Compared, Curve, busiest_crop
from self2align.report.page import GalleryPair, Results, skipped_lines
from self2align.report.tables import AblationLine, benchmark_table
from self2align.runtime.scratch import write_atomically
from self2align.stages.screen import say, table
from self2align.stores.frames import FrameStore, SceneRecord


def read_json(path: Path) -> dict[str, Any]:
    """Return the figures in a file."""
    if not path.is_file():
        raise ValueError(f"{path}: found no file, expected the figures of an earlier stage")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: found broken JSON ({error}), expected figures") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: found a {type(content).__name__}, expected figures by name")
    return content


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table with a header."""
    if not path.is_file():
        raise ValueError(f"{path}: found no file, expected the table of an earlier stage")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_curve(path: Path, name: str) -> Curve:
    """Return a training's curve: steps and losses, where they were measured."""
    rows = read_rows(path)
    columns = []
    for key in ("loss", "validation"):
        points = [(float(row["step"]), float(row[key])) for row in rows if row.get(key)]
        columns.append(np.array(points, dtype=np.float64).reshape(-1, 2))
    return Curve(name, columns[0], columns[1])


def read_alignment(folder: Path, params: Params) -> dict[str, Any]:
    """Return the measures of each aligner: unaligned first, then in the order of the parameters."""
    measures = read_json(folder / "metrics.json")
    order = ["unaligned", *params.train_ian.aligners]
    known = {name: measures[name] for name in order if name in measures}
    return {**known, **measures}


def read_trainings(
    denoiser: Path, ablation: Path, baselines: Path, held_out: Path, params: Params
) -> tuple[dict[str, Any], list[Curve]]:
    """Return figures and curves of the denoiser, then of the other runs that the parameters name.

    PSNR and SSIM on held-out frames are among the figures where they were measured.
    """
    objective = params.train_denoiser.objective
    figures = {"denoiser": {**read_json(denoiser / "metrics.json"), "objective": objective}}
    curves = [read_curve(denoiser / "denoiser.csv", "denoiser")]
    others = [(ablation, name, run.objective) for name, run in params.train_ablation.runs.items()]
    others += [(baselines, name, run.objective) for name, run in params.train_baselines.runs.items()]
    for folder, name, objective in others:
        if not (folder / f"{name}.json").is_file():
            figures[name] = {"objective": objective, "skipped": f"{folder} holds no {name}.json"}
            continue
        figures[name] = {**read_json(folder / f"{name}.json"), "objective": objective}
        if "skipped" not in figures[name]:
            curves.append(read_curve(folder / f"{name}.csv", name))
    measured = read_json(held_out)
    figures = {name: {**measured.get(name, {}), **row} for name, row in figures.items()}
    return figures, [curve for curve in curves if len(curve.loss) or len(curve.validation)]


def _trained(params: Params) -> dict[str, tuple[str, SamplerParams | None]]:
    """Return objective and sampler, if it has one, of each file of weights that is trained here."""
    found: dict[str, tuple[str, SamplerParams | None]] = {
        "data/train_denoiser/denoiser.safetensors": (params.train_denoiser.objective, params.sampler)
    }
    for name, line in params.train_ablation.runs.items():
        found[f"data/train_ablation/{name}.safetensors"] = (line.objective, line)
    for name, run in params.train_baselines.runs.items():
        found[f"data/train_baselines/{name}.safetensors"] = (run.objective, None)
    return found


def method_traits(params: Params) -> dict[str, dict[str, str]]:
    """Return what each method of the benchmark is, as `self2align.report.published.rows_of_systems` wants it."""
    trained, traits = _trained(params), {}
    for name, row in params.benchmark.methods.items():
        traits[name] = {"method": row.method}
        if row.file in trained:
            objective, sampler = trained[row.file]
            traits[name] |= {"network": params.train_denoiser.network, "objective": objective}
            traits[name] |= {"strategy": sampler.strategy, "score": sampler.score} if sampler else {}
    return traits


def ablation_lines(params: Params) -> list[AblationLine]:
    """Return the lines of Table 2: the denoiser's own sampler, then the others; none where nothing is compared."""
    if not params.train_ablation.runs:
        return []
    files = {row.file: name for name, row in params.benchmark.methods.items()}
    return [
        AblationLine(objective, sampler.strategy, sampler.score, sampler.probability, files.get(file))
        for file, (objective, sampler) in _trained(params).items()
        if sampler is not None
    ]


def read_pairs(folder: Path) -> list[GalleryPair]:
    """Return the pairs that `self2align.report.gallery` has left in a folder."""
    shown = []
    for pair in read_json(folder / "pairs.json")["pairs"]:
        title = f"{pair['scene']}: frame {pair['target_frame']}, and frame {pair['source_frame']} as its neighbour"
        scores = f"SSIM {pair['ssim']:.3f}, filtered {pair['ssim_filtered']:.3f}"
        pictures = {name: (folder / file).read_bytes() for name, file in pair["pictures"]}
        shown.append(GalleryPair(title, f"{scores}; mean confidence {pair['confidence']:.2f}", pictures))
    return shown


@dataclass(frozen=True)
class Place:
    """One test image."""

    test_set: str
    store: FrameStore
    scene: SceneRecord


def _picture_path(benchmark: Path, method: str, place: Place) -> Path:
    return benchmark / method / "pictures" / place.test_set / f"{place.scene.name.replace('/', '-')}.png"


def choose_places(
    benchmark_sets: Path, benchmark: Path, sets: Sequence[str], methods: Sequence[str], most: int
) -> list[Place]:
    """Return the images to compare: in turn one of each set, of those that any method left a picture of."""
    queues = []
    for name in sets:
        store = FrameStore(benchmark_sets / f"{name}.zarr")
        places = [Place(name, store, scene) for scene in sorted(store.scenes, key=lambda scene: scene.name)]
        queues.append([p for p in places if any(_picture_path(benchmark, m, p).is_file() for m in methods)])
    turns = [queue[turn] for turn in range(max(map(len, queues), default=0)) for queue in queues if turn < len(queue)]
    return sorted(turns[:most], key=lambda place: sets.index(place.test_set))


def _read_crop(path: Path, clean: Picture) -> Picture:
    image, white = read_image(path)
    picture = to_picture(to_color(image, "rgb").astype(np.float32) / white)
    if picture.shape != clean.shape:
        found, wanted = (f"{one.shape[0]} x {one.shape[1]} px" for one in (picture, clean))
        raise ValueError(f"{path}: found {found}, expected {wanted} as the clean image has")
    return picture


def compare(
    places: Sequence[Place],
    benchmark: Path,
    methods: Sequence[str],
    scores: Mapping[tuple[str, str, str], tuple[float, float]],
    size: int,
) -> tuple[list[Compared], list[str]]:
    """Return the images of the comparison, and the names of pictures that are not there.

    Parameters
    ----------
    places
        The images.
    benchmark
        Folder of the methods' pictures.
    methods
        In order.
    scores
        (method, set, image) -> PSNR and SSIM, of the first repeat.
    size
        Of the crops, px.
    """
    images, missing = [], []
    for place in places:
        clean = to_picture(place.store.frames(place.scene, 0, 1)[0])
        crop = busiest_crop(clean, size)
        crops = {}
        for method in methods:
            path = _picture_path(benchmark, method, place)
            if path.is_file():
                crops[method] = crop.of(_read_crop(path, clean)).copy()
            else:
                missing.append(f"{method}: {place.test_set}/{place.scene.name}")
        keys = {method: (method, place.test_set, place.scene.name) for method in methods}
        known = {method: scores[key] for method, key in keys.items() if key in scores}
        images.append(Compared(f"{place.test_set}: {place.scene.name}", clean, crop, crops, known))
    return images, missing


def read_scores(benchmark: Path, methods: Sequence[str]) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return PSNR and SSIM of each image in its first repeat: (method, set, image) -> (dB, 1)."""
    scores: dict[tuple[str, str, str], tuple[float, float]] = {}
    for method in methods:
        rows = read_rows(benchmark / method / "images.csv")
        for row in sorted(rows, key=lambda row: int(row["repeat"])):
            key = (method, row["set"], row["image"])
            scores.setdefault(key, (float(row["psnr"]), float(row["ssim"])))
    return scores


def read_means(benchmark: Path, methods: Sequence[str]) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return PSNR and SSIM of each image, means over its repeats: (method, set, image) -> (dB, 1)."""
    scores = defaultdict(list)
    for method in methods:
        for row in read_rows(benchmark / method / "images.csv"):
            scores[method, row["set"], row["image"]].append((float(row["psnr"]), float(row["ssim"])))
    return {
        key: (sum(psnr for psnr, _ in found) / len(found), sum(ssim for _, ssim in found) / len(found))
        for key, found in scores.items()
    }


def package_versions() -> dict[str, str]:
    """Return the versions of this and of the packages that decide the figures."""
    return {"self2align": __version__, **{name: version(name) for name in ("torch", "numpy", "zarr")}}


def version_text() -> str:
    """Return the same versions on one line."""
    return ", ".join(f"{name} {text}" for name, text in package_versions().items())


def write_pictures(out: Path, pictures: Mapping[str, bytes | None]) -> None:
    """Write pictures by name; remove those that a run before left."""
    for name, data in pictures.items():
        (out / name).unlink(missing_ok=True)
        if data is not None:
            write_atomically(out / name, data)


def show_benchmark(results: Results) -> None:
    """Show Table 1 on the terminal; nothing where no method was to be measured."""
    if not results.benchmark:
        return
    shown = benchmark_table(results.benchmark, results.sets, results.noisy, mark=lambda cell: f"{cell} *")
    table(f"{results.noise}; {results.repeats}", *shown)
    for line in skipped_lines(results.benchmark):
        say(line)
