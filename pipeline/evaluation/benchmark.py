"""The benchmark's work: items measured on all workers, each kept as soon as it is done."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from self2align.evaluation.protocol import BenchmarkSet, Item, measure, missing_package, plan_items
from self2align.methods import ON_DEVICE
from self2align.params.schema import DENOISER, BenchmarkParams, BenchmarkSetParams, MethodParams, SynthesizeParams
from self2align.runtime.devices import device
from self2align.runtime.scratch import file_digest, move_into_place, workspace, write_json
from self2align.runtime.tables import write_rows
from self2align.runtime.workers import run_tasks
from self2align.stages.screen import bar, say, table
from self2align.stores.frames import FrameStore

HEADER = ("set", "image", "repeat", "psnr", "ssim")


def sets_of(folder: Path, sets: Mapping[str, BenchmarkSetParams]) -> list[BenchmarkSet]:
    """Return the test sets, in order, whose stores lie in a folder."""
    return [BenchmarkSet(name, folder / f"{name}.zarr", one.repeats) for name, one in sets.items()]


def check_files(methods: Mapping[str, MethodParams]) -> None:
    """Check that the modules and weights are there.

    Raises
    ------
    ValueError
        For the first that is not.
    """
    for name, row in methods.items():
        if not Path(row.file).is_file():
            raise ValueError(f"benchmark.methods.{name}.file: found no {row.file}, expected a module or weights")


def why_not(row: MethodParams) -> str | None:
    """Return why a method cannot be measured here, though nothing is wrong; None if it can."""
    package = missing_package(row.method)
    if package is not None:
        return f"package {package} is not installed"
    if not Path(row.file).stat().st_size:
        return "the baseline was not trained"
    return None


@dataclass(frozen=True)
class Work:
    """One method under one noise, on all images.

    Attributes
    ----------
    method, row
        Its name, and its row of the parameters.
    noise, seed
        What is put on the images, and the seed of its stream.
    sets, items
        What is measured; see `self2align.evaluation.protocol.plan_items`.
    """

    method: str
    row: MethodParams
    noise: SynthesizeParams
    seed: int
    sets: Sequence[BenchmarkSet]
    items: Sequence[Item]

    def inputs(self) -> dict[str, Any]:
        """Return all that decides the figures, as JSON values."""
        return {
            "method": self.row.model_dump(),
            "file": file_digest(Path(self.row.file)),
            "noise": self.noise.model_dump(),
            "sets": {one.name: FrameStore(one.store).content for one in self.sets},
            "items": [[item.test_set, item.image, item.repeat] for item in self.items],
            "stream": [self.seed, [[one.name, one.repeats] for one in self.sets]],
        }


def plan_work(
    methods: Mapping[str, MethodParams],
    sets: Sequence[BenchmarkSet],
    noise: SynthesizeParams,
    benchmark: BenchmarkParams,
) -> list[Work]:
    """Return the work of some methods under one noise."""
    full = benchmark.repeats == "full"
    items = plan_items(sets, seed=benchmark.seed, full=full, model=noise.model, sigma=noise.sigma, peak=noise.peak)
    return [Work(name, row, noise, benchmark.seed, sets, items) for name, row in methods.items()]


def measure_all(work: Work, pictures: int = 0, out: Path | None = None) -> list[dict[str, float]]:
    """Return PSNR (dB) and SSIM of every item.

    Parameters
    ----------
    work
        What.
    pictures
        The first images of each set have theirs kept, in the first repeat.
    out
        Folder for the folder ``pictures``; for none, if None.
    """
    row, noise = work.row, work.noise
    stores = {one.name: one.store for one in work.sets}
    shown: dict[str, int] = defaultdict(int)
    named = workspace(f"benchmark-{work.method}", {**work.inputs(), "pictures": pictures})
    with named as scratch, bar(f"measuring {work.method}") as progress:
        (scratch / "pictures").mkdir(exist_ok=True)
        tasks = []
        for number, item in enumerate(work.items):
            picture = None
            if item.repeat == 0 and shown[item.test_set] < pictures:
                shown[item.test_set] += 1
                picture = scratch / "pictures" / item.test_set / f"{item.image.replace('/', '-')}.png"
                picture.parent.mkdir(exist_ok=True)
            marker = scratch / f"{number:06d}.json"
            what = (row.method, Path(row.file), row.arguments, noise.model, noise.sigma, noise.peak)
            tasks.append((item, stores[item.test_set], *what, picture, marker))
        # A GPU serves one process best.
        alone = row.method in (DENOISER, *ON_DEVICE) and device().type == "cuda"
        run_tasks(measure, tasks, progress, 1 if alone else None)
        results = [json.loads(task[-1].read_text(encoding="utf-8")) for task in tasks]
        if out is not None:
            move_into_place(scratch / "pictures", out / "pictures")
    return results


def figure_rows(items: Sequence[Item], results: Sequence[dict[str, float]]) -> list[list[object]]:
    """Return the figures of every item, as the columns of `HEADER`."""
    return [
        [item.test_set, item.image, item.repeat, f"{one['psnr']:.4f}", f"{one['ssim']:.5f}"]
        for item, one in zip(items, results, strict=True)
    ]


def set_means(items: Sequence[Item], results: Sequence[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Return for each set PSNR (dB) and SSIM, means over all repeats and images, and the numbers of these."""
    means: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(item.test_set for item in items):
        mine = [(item, one) for item, one in zip(items, results, strict=True) if item.test_set == name]
        means[name] = {
            "images": len({item.image for item, _ in mine}),
            "psnr": round(sum(one["psnr"] for _, one in mine) / len(mine), 4),
            "repeats": len({item.repeat for item, _ in mine}),
            "ssim": round(sum(one["ssim"] for _, one in mine) / len(mine), 5),
        }
    return means


def write_figures(out: Path, work: Work, results: Sequence[dict[str, float]]) -> None:
    """Write per-image figures, and means of each set; show the means."""
    write_rows(out / "images.csv", HEADER, figure_rows(work.items, results))
    means = set_means(work.items, results)
    write_json(out / "metrics.json", means)
    shown = [[name, row["images"], row["repeats"], row["psnr"], row["ssim"]] for name, row in means.items()]
    table(f"{out}: {work.method}", ["set", "images", "repeats", "PSNR dB", "SSIM"], shown)


def write_skipped(out: Path, what: str, why: str) -> None:
    """Write that nothing was measured, and why."""
    say(f"{what}: {why}; not measured")
    write_rows(out / "images.csv", HEADER, [])
    write_json(out / "metrics.json", {"skipped": why})
    (out / "pictures").mkdir(parents=True, exist_ok=True)
