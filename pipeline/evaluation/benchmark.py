"""The benchmark: every image of every set by one method, on all workers; finished images are kept."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from self2align.evaluation.protocol import BenchmarkSet, Item, MethodRow, measure, plan_items
from self2align.methods.method import DENOISER, load_method
from self2align.noise.model import NoiseSettings
from self2align.runtime.devices import device
from self2align.runtime.disk import move_into_place
from self2align.runtime.progress import Bars
from self2align.runtime.scratch import file_digest, workspace, write_json
from self2align.runtime.tables import write_rows
from self2align.runtime.workers import run_tasks
from self2align.stores.frames import FrameStore

HEADER = ("set", "image", "repeat", "psnr", "ssim")
Figures = dict[str, float]


@dataclass(frozen=True)
class Measurement:
    """One method under one noise, on all images.

    Attributes
    ----------
    row
        The method.
    noise, seed
        The noise of the test images, and the seed of its stream.
    sets, items
        What is measured; see `self2align.evaluation.protocol.plan_items`.
    """

    row: MethodRow
    noise: NoiseSettings
    seed: int
    sets: Sequence[BenchmarkSet]
    items: Sequence[Item]

    def inputs(self) -> dict[str, Any]:
        """Return all that decides the figures, as JSON values."""
        return {
            "method": [self.row.method, dict(self.row.arguments)],
            "file": file_digest(self.row.file),
            "noise": self.noise.record(),
            "sets": {one.name: FrameStore(one.store).content for one in self.sets},
            "items": [[item.test_set, item.image, item.repeat] for item in self.items],
            "stream": [self.seed, [[one.name, one.repeats] for one in self.sets]],
        }

    def run(self, bars: Bars, pictures: int = 0, out: Path | None = None) -> list[Figures]:
        """Return PSNR (dB) and SSIM of every item.

        Parameters
        ----------
        bars
            Opens the progress display.
        pictures
            Number of images per set whose results are kept, from the first repeat.
        out
            Folder for the folder ``pictures``; None for none.
        """
        stores = {one.name: one.store for one in self.sets}
        kept: dict[str, int] = defaultdict(int)
        code = [] if self.row.method == DENOISER else [load_method(self.row.method).denoise]
        inputs = {**self.inputs(), "pictures": pictures}
        named = workspace(f"benchmark-{self.row.name}", inputs, measure, *code)
        with named as scratch, bars(f"measuring {self.row.name}") as progress:
            (scratch / "pictures").mkdir(exist_ok=True)
            tasks = []
            for number, item in enumerate(self.items):
                picture = None
                if item.repeat == 0 and kept[item.test_set] < pictures:
                    kept[item.test_set] += 1
                    picture = scratch / "pictures" / item.test_set / f"{item.image.replace('/', '-')}.png"
                    picture.parent.mkdir(exist_ok=True)
                marker = scratch / f"{number:06d}.json"
                tasks.append((item, stores[item.test_set], self.row, self.noise, picture, marker))
            run_tasks(measure, tasks, progress, 1 if self._on_gpu() else None)
            results = [json.loads(task[-1].read_text(encoding="utf-8")) for task in tasks]
            if out is not None:
                move_into_place(scratch / "pictures", out / "pictures")
        return results

    def _on_gpu(self) -> bool:
        """Return whether the method runs on a GPU, which serves one process best."""
        name = self.row.method
        return (name == DENOISER or load_method(name).on_device) and device().type == "cuda"


def plan_measurements(
    rows: Sequence[MethodRow], sets: Sequence[BenchmarkSet], *, noise: NoiseSettings, seed: int, full: bool
) -> list[Measurement]:
    """Return the measurements of some methods under one noise."""
    items = plan_items(sets, seed=seed, full=full, noise=noise)
    return [Measurement(row, noise, seed, sets, items) for row in rows]


def figure_rows(items: Sequence[Item], results: Sequence[Figures]) -> list[list[object]]:
    """Return the figures of every item, as the columns of `HEADER`."""
    return [
        [item.test_set, item.image, item.repeat, f"{one['psnr']:.4f}", f"{one['ssim']:.5f}"]
        for item, one in zip(items, results, strict=True)
    ]


def set_means(items: Sequence[Item], results: Sequence[Figures]) -> dict[str, dict[str, Any]]:
    """Return for each set PSNR (dB) and SSIM, means over all repeats and images, and the numbers of these."""
    means: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(item.test_set for item in items):
        inside = [(item, one) for item, one in zip(items, results, strict=True) if item.test_set == name]
        means[name] = {
            "images": len({item.image for item, _ in inside}),
            "psnr": round(sum(one["psnr"] for _, one in inside) / len(inside), 4),
            "repeats": len({item.repeat for item, _ in inside}),
            "ssim": round(sum(one["ssim"] for _, one in inside) / len(inside), 5),
        }
    return means


def benchmark_method(
    row: MethodRow,
    sets: Sequence[BenchmarkSet],
    *,
    noise: NoiseSettings,
    seed: int,
    full: bool,
    pictures: int,
    out: Path,
    bars: Bars,
) -> Mapping[str, Mapping[str, Any]]:
    """Measure one method on all sets; write figures by image, means by set and pictures; return the means.

    Parameters
    ----------
    row, sets
        The method and the test images.
    noise, seed, full
        See `self2align.evaluation.protocol.plan_items`.
    pictures, out, bars
        See `Measurement.run`; figures go to ``out`` too.
    """
    (measurement,) = plan_measurements([row], sets, noise=noise, seed=seed, full=full)
    results = measurement.run(bars, pictures, out)
    write_rows(out / "images.csv", HEADER, figure_rows(measurement.items, results))
    means = set_means(measurement.items, results)
    write_json(out / "metrics.json", means)
    return means


def skip_benchmark(row: MethodRow, noise: NoiseSettings, out: Path) -> str | None:
    """Write empty outputs if a method cannot be measured although nothing is wrong; return why, or None to measure it.

    Raises
    ------
    ValueError
        If the file of the row does not exist.
    """
    if noise.at().synthetic:
        row.check_file()
        why = row.skip_reason()
    else:
        why = "there is no model of the footage's own noise, so none can be added to clean test images"
    if why is not None:
        write_rows(out / "images.csv", HEADER, [])
        write_json(out / "metrics.json", {"skipped": why})
        (out / "pictures").mkdir(parents=True, exist_ok=True)
    return why
