"""The benchmark's work: items measured on all workers, each kept as soon as it is done."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.devices import device
from pipeline.methods import ON_DEVICE
from pipeline.methods.protocol import BenchmarkSet, Item, measure
from pipeline.params import MethodParams, SynthesizeParams
from pipeline.scratch import file_digest, move_into_place, workspace, write_json
from pipeline.stores.build import run_tasks
from pipeline.stores.frames import FrameStore
from stages.screen import bar, say, table
from stages.summaries import write_rows

HEADER = ("set", "image", "repeat", "psnr", "ssim")


def measure_all(
    method: str,
    row: MethodParams,
    items: Sequence[Item],
    sets: Sequence[BenchmarkSet],
    noise: SynthesizeParams,
    pictures: int,
    seed: int,
    out: Path,
) -> list[dict[str, float]]:
    """Return the figures of every item; pictures of the first images go to ``out/pictures``."""
    file = Path(row.file)
    if not file.is_file():
        raise ValueError(f"benchmark.methods.{method}.file: found no {file}, expected a module or weights")
    stores = {one.name: one.store for one in sets}
    inputs = {
        "method": row.model_dump(),
        "file": file_digest(file),
        "noise": noise.model_dump(),
        "sets": {one.name: FrameStore(one.store).content for one in sets},
        "items": [[item.test_set, item.image, item.repeat] for item in items],
        "pictures": pictures,
        "stream": [seed, [[one.name, one.repeats] for one in sets]],
    }
    shown: dict[str, int] = defaultdict(int)
    with workspace(f"benchmark-{method}", inputs) as scratch, bar(f"measuring {method}") as progress:
        (scratch / "pictures").mkdir(exist_ok=True)
        tasks = []
        for number, item in enumerate(items):
            picture = None
            if item.repeat == 0 and shown[item.test_set] < pictures:
                shown[item.test_set] += 1
                picture = scratch / "pictures" / item.test_set / f"{item.image.replace('/', '-')}.png"
                picture.parent.mkdir(exist_ok=True)
            marker = scratch / f"{number:06d}.json"
            what = (row.method, file, row.arguments, noise.model, noise.sigma, noise.peak)
            tasks.append((item, stores[item.test_set], *what, picture, marker))
        # A GPU serves one process best.
        alone = row.method in ("denoiser", *ON_DEVICE) and device().type == "cuda"
        run_tasks(measure, tasks, progress, 1 if alone else None)
        results = [json.loads(task[-1].read_text(encoding="utf-8")) for task in tasks]
        move_into_place(scratch / "pictures", out / "pictures")
    return results


def write_figures(out: Path, method: str, items: Sequence[Item], results: Sequence[dict[str, float]]) -> None:
    """Write per-image figures and means over all repeats and images of each set; show the means."""
    rows = [
        [item.test_set, item.image, item.repeat, f"{one['psnr']:.4f}", f"{one['ssim']:.5f}"]
        for item, one in zip(items, results, strict=True)
    ]
    write_rows(out / "images.csv", HEADER, rows)
    means: dict[str, Any] = {}
    for name in dict.fromkeys(item.test_set for item in items):
        mine = [(item, one) for item, one in zip(items, results, strict=True) if item.test_set == name]
        means[name] = {
            "images": len({item.image for item, _ in mine}),
            "psnr": round(sum(one["psnr"] for _, one in mine) / len(mine), 4),
            "repeats": len({item.repeat for item, _ in mine}),
            "ssim": round(sum(one["ssim"] for _, one in mine) / len(mine), 5),
        }
    write_json(out / "metrics.json", means)
    shown = [[name, row["images"], row["repeats"], row["psnr"], row["ssim"]] for name, row in means.items()]
    table(f"{out}: {method}", ["set", "images", "repeats", "PSNR dB", "SSIM"], shown)


def write_skipped(out: Path, what: str, why: str) -> None:
    """Write that nothing was measured, and why."""
    say(f"{what}: {why}; not measured")
    write_rows(out / "images.csv", HEADER, [])
    write_json(out / "metrics.json", {"skipped": why})
    (out / "pictures").mkdir(parents=True, exist_ok=True)
