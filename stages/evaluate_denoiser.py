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
    """Measure PSNR and SSIM on held-out frames: choose by these, so that the benchmark stays unseen."""
    from self2align.evaluation.held_out import evaluate_denoisers
    from self2align.params.loading import load
    from self2align.runtime.scratch import write_json
    from self2align.runtime.tables import write_rows
    from self2align.stages.screen import bar, say, table

    chosen = load(params)
    files = {"denoiser": denoiser}
    files |= {name: ablation / f"{name}.safetensors" for name in chosen.train_ablation.runs}
    files |= {name: baselines / f"{name}.safetensors" for name in chosen.train_baselines.runs}
    count = chosen.evaluate_denoiser.frames_per_scene
    with bar("measuring denoisers") as progress:
        results = evaluate_denoisers(noisy, frames, files, frames_per_scene=count, progress=progress)
    write_rows(out / "scenes.csv", ("denoiser", "scene", "psnr", "ssim"), results.rows)
    if results.skipped:
        say(f"evaluate_denoiser: {results.skipped}; nothing measured")
        write_json(out / "metrics.json", {"skipped": results.skipped})
        return
    write_json(out / "metrics.json", results.means)
    shown = [[name, f"{row['psnr']:.2f}", f"{row['ssim']:.3f}"] for name, row in results.means.items()]
    table(f"{out}: held-out scenes", ["denoiser", "PSNR dB", "SSIM"], shown)
