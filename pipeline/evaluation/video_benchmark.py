"""The benchmark of video: all sequences at all levels of noise by one method, on all workers; finished ones stay."""

import json
from collections.abc import Mapping
from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any

import numpy as np

from self2align.alignment.dis import LEAST
from self2align.evaluation.block_errors import write_blocks
from self2align.evaluation.video_protocol import Sequence, VideoRow, VideoSet, measure_sequence
from self2align.methods.method import DENOISER, load_method
from self2align.runtime.devices import device
from self2align.runtime.progress import Bars
from self2align.runtime.scratch import file_digest, workspace, write_json
from self2align.runtime.sealed import read_sealed
from self2align.runtime.tables import write_rows
from self2align.runtime.workers import run_tasks
from self2align.stores.frames import FrameStore

HEADER = ("set", "sequence", "sigma", "frames", "psnr", "ssim", "flicker", "frames_sha256", "noise_sha256")
Figures = dict[str, Any]
Means = dict[str, dict[str, dict[str, float | int | None]]]


def plan_sequences(sets: Items[VideoSet], sigmas: Items[float]) -> list[Sequence]:
    """Return what is measured, in order: sets, their sequences by name, levels.

    Raises
    ------
    ValueError
        If a sequence is too small to align.
    """
    planned = []
    for one in sets:
        store = FrameStore(one.store)
        for scene in sorted(store.scenes, key=lambda scene: scene.name):
            if min(scene.height, scene.width) < LEAST:
                raise ValueError(
                    f"{one.store}: {scene.name}: found {scene.height} x {scene.width} px, expected at least {LEAST} px "
                    f"a side, to align (benchmark_videos.{one.name}.exclude can leave it out)"
                )
            planned += [Sequence(one.name, scene.name, sigma) for sigma in sigmas]
    return planned


def measure_video(
    row: VideoRow, sets: Items[VideoSet], *, sigmas: Items[float], seed: int, out: Path, bars: Bars
) -> Means:
    """Measure one method on all sets; write figures by sequence, means by set, and errors of blocks.

    Parameters
    ----------
    row, sets
        The method and the clean sequences.
    sigmas, seed
        Levels of the noise, of 255; seed of its draws.
    out
        Folder for ``sequences.csv``, ``metrics.json`` and ``blocks.safetensors``.
    bars
        Opens the progress display.

    Returns
    -------
    dict
        Set -> sigma (text) -> ``sequences, frames, psnr, ssim, flicker``; see `means_of`.
    """
    planned = plan_sequences(sets, sigmas)
    stores = {one.name: one.store for one in sets}
    inputs = {
        "method": [row.method, row.temporal, row.told, dict(row.arguments)],
        "files": [file_digest(path) for path in (row.file, row.aligner) if path is not None],
        "sets": [[one.name, FrameStore(one.store).content] for one in sets],
        "noise": [list(sigmas), seed],
    }
    code = [] if row.method == DENOISER else [load_method(row.method).denoise]
    named = workspace(f"benchmark_video-{row.name}", inputs, measure_sequence, *code)
    with named as scratch, bars(f"measuring {row.name}") as progress:
        places = [(scratch / f"{number:06d}.npy", scratch / f"{number:06d}.json") for number in range(len(planned))]
        tasks = [(one, stores[one.test_set], row, seed, *place) for one, place in zip(planned, places, strict=True)]
        run_tasks(measure_sequence, tasks, progress, 1 if _on_gpu(row) else None)
        results = [json.loads(read_sealed(marker)) for _, marker in places]
        blocks = {one.title: np.load(path) for one, (path, _) in zip(planned, places, strict=True)}
        write_blocks(out / "blocks.safetensors", blocks)
    write_rows(out / "sequences.csv", HEADER, [_line(one, found) for one, found in zip(planned, results, strict=True)])
    means = means_of(planned, results)
    write_json(out / "metrics.json", means)
    return means


def _on_gpu(row: VideoRow) -> bool:
    """Return whether the method runs on a GPU, which serves one process best."""
    return (row.method == DENOISER or load_method(row.method).on_device) and device().type == "cuda"


def _line(one: Sequence, found: Figures) -> list[object]:
    flicker = "" if found["flicker"] is None else f"{found['flicker']:.3f}"
    figures = [found["frames"], f"{found['psnr']:.4f}", f"{found['ssim']:.5f}", flicker]
    return [one.test_set, one.name, f"{one.sigma:g}", *figures, found["frames_sha256"], found["noise_sha256"]]


def means_of(planned: Items[Sequence], results: Items[Mapping[str, Any]]) -> Means:
    """Return for each set and level the numbers of sequences and frames, and means over the sequences.

    PSNR is in dB. Flicker (levels of 255) is of the sequences that have one, None without any.
    """
    means: Means = {}
    for one in planned:
        key = f"{one.sigma:g}"
        if key in means.setdefault(one.test_set, {}):
            continue
        alike = (one.test_set, one.sigma)
        inside = [row for at, row in zip(planned, results, strict=True) if (at.test_set, at.sigma) == alike]
        changes = [row["flicker"] for row in inside if row["flicker"] is not None]
        means[one.test_set][key] = {
            "sequences": len(inside),
            "frames": sum(row["frames"] for row in inside),
            "psnr": round(float(np.mean([row["psnr"] for row in inside])), 4),
            "ssim": round(float(np.mean([row["ssim"] for row in inside])), 5),
            "flicker": round(float(np.mean(changes)), 3) if changes else None,
        }
    return means


def skip_video(row: VideoRow, out: Path) -> str | None:
    """Write empty outputs if a method cannot be measured although nothing is wrong; return why, or None to measure it.

    Raises
    ------
    ValueError
        If a file of the row does not exist.
    """
    row.check_files()
    why = row.skip_reason()
    if why is not None:
        write_rows(out / "sequences.csv", HEADER, [])
        write_blocks(out / "blocks.safetensors", {})
        write_json(out / "metrics.json", {"skipped": why})
    return why
