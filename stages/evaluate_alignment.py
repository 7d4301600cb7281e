"""evaluate_alignment: measure every aligner on the scenes with the role test, against clean frames and true fields."""

from pathlib import Path
from typing import Annotated

from typer import Option

PLACES = {"psnr": 2, "psnr_confident": 2, "coverage": 2, "endpoint_error": 2, "noise_ratio": 3, "noise_correlation": 4}


def evaluate_alignment(
    noisy: Annotated[Path, Option(help="Store of noisy frames.")],
    frames: Annotated[Path, Option(help="Folder of stores of clean frames.")],
    aligners: Annotated[Path, Option(help="Folder of aligners.")],
    out: Annotated[Path, Option(help="Folder for figures.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Measure alignment: dB on clean frames, end-point error, and whether it follows the noise."""
    from self2align.evaluation.alignment import MEASURES, evaluate_scene, summarize
    from self2align.params.loading import load
    from self2align.report.measures import alignment_png
    from self2align.runtime.scratch import write_atomically, write_json
    from self2align.runtime.tables import write_rows
    from self2align.runtime.workers import run_tasks
    from self2align.stages.screen import bar, say, table
    from self2align.stores.frames import FrameStore
    from self2align.stores.opening import keep_only

    chosen = load(params)
    mine = chosen.evaluate_alignment
    header = ("aligner", "scene", *MEASURES)
    wanted = FrameStore(noisy).with_role("test")
    scenes = [scene for scene in wanted if scene.count > min(mine.offsets)]
    for scene in wanted:
        if scene not in scenes:
            say(f"left out {scene.title}: {scene.count} frames, too few for offsets {mine.offsets}")
    real = chosen.synthesize.model == "none"
    if real or not scenes:
        why = "the footage has no clean frames" if real else "no scene with the role test is long enough"
        say(f"evaluate_alignment: {why}; nothing measured")
        write_rows(out / "scenes.csv", header, [])
        write_json(out / "metrics.json", {"skipped": why})
        return
    keep_only(aligners, list(chosen.train_ian.aligners))
    files = {name: aligners / f"{name}.safetensors" for name in chosen.train_ian.aligners}
    how = (mine.offsets, mine.pairs_per_scene, mine.coverage, chosen.generate_pairs.exposure)
    tasks = [(noisy, frames, files, scene.title, *how) for scene in scenes]
    with bar("measuring alignment") as progress:
        results = run_tasks(evaluate_scene, tasks, progress)
    rows = [
        [name, scene.title, *("" if row[key] is None else f"{row[key]:.4f}" for key in MEASURES)]
        for scene, (found, _) in zip(scenes, results, strict=True)
        for name, row in found.items()
    ]
    write_rows(out / "scenes.csv", header, rows)
    means = summarize([found for found, _ in results])
    write_json(out / "metrics.json", means)
    # Wall-clock figures, and the picture that shows them, stay outside DVC's outputs.
    pace = {name: 1000 * sum(spent[name] for _, spent in results) / len(results) for name in means}
    write_json(out / "timing.json", {name: round(value, 2) for name, value in pace.items()})
    texts = [dict(zip(header, map(str, row), strict=True)) for row in rows]
    write_atomically(out / "measures.png", alignment_png(texts, list(means), pace))
    shown = [
        [name, *("" if v is None else f"{v:.{PLACES[key]}f}" for key, v in row.items()), f"{pace[name]:.0f}"]
        for name, row in means.items()
    ]
    share = f"best {mine.coverage:.0%}"
    names = ["aligner", "dB", share, "trust", "EPE px", "ratio", "corr.", "ms"]
    table(f"{out}: {len(scenes)} scenes; the same as a picture: {out / 'measures.png'}", names, shown)
