"""evaluate_denoiser: every denoiser that was trained here on the scenes with the role test, against clean frames."""

from pathlib import Path
from typing import Annotated

from typer import Option


def evaluate_denoiser(
    noisy: Annotated[Path, Option(help="Store of noisy frames.")],
    frames: Annotated[Path, Option(help="Folder of stores of clean frames.")],
    denoiser: Annotated[Path, Option(help="The denoiser.")],
    ablation: Annotated[Path, Option(help="Folder of the ablation's denoisers; may be empty.")],
    baselines: Annotated[Path, Option(help="Folder of the baselines; may be empty.")],
    out: Annotated[Path, Option(help="Folder for figures.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Measure PSNR and SSIM on held-out frames: what to choose by, so that the benchmark stays unseen."""
    from self2align.evaluation.held_out import NOISY, measure_scene
    from self2align.params.loading import load
    from self2align.runtime.scratch import write_json
    from self2align.runtime.tables import write_rows
    from self2align.runtime.workers import run_tasks
    from self2align.stages.screen import bar, say, table
    from self2align.stores.frames import FrameStore

    chosen = load(params)
    header = ("denoiser", "scene", "psnr", "ssim")
    scenes = FrameStore(noisy).with_role("test")
    real = chosen.synthesize.model == "none"
    if real or not scenes:
        why = "the footage has no clean frames" if real else "there is no scene with the role test"
        say(f"evaluate_denoiser: {why}; nothing measured")
        write_rows(out / "scenes.csv", header, [])
        write_json(out / "metrics.json", {"skipped": why})
        return
    files = {"denoiser": denoiser}
    files |= {name: ablation / f"{name}.safetensors" for name in chosen.train_ablation.runs}
    files |= {name: baselines / f"{name}.safetensors" for name in chosen.train_baselines.runs}
    tasks = [(noisy, frames, files, scene.title, chosen.evaluate_denoiser.frames_per_scene) for scene in scenes]
    with bar("measuring denoisers") as progress:
        results = run_tasks(measure_scene, tasks, progress)
    rows = [
        [name, scene.title, f"{figures[0]:.4f}", f"{figures[1]:.5f}"]
        for scene, found in zip(scenes, results, strict=True)
        for name, figures in found.items()
    ]
    write_rows(out / "scenes.csv", header, rows)
    names = [NOISY, *files]
    sums = {name: [sum(found[name][k] for found in results) for k in (0, 1)] for name in names}
    means = {
        name: {"psnr": round(both[0] / len(scenes), 4), "ssim": round(both[1] / len(scenes), 5)}
        for name, both in sums.items()
    }
    write_json(out / "metrics.json", means)
    shown = [[name, f"{row['psnr']:.2f}", f"{row['ssim']:.3f}"] for name, row in means.items()]
    table(f"{out}: {len(scenes)} held-out scenes", ["denoiser", "PSNR dB", "SSIM"], shown)
