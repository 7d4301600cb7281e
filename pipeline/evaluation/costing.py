"""What `costs` gathers beside its measurements: training minutes, the benchmark's figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from self2align.evaluation.benchmark import why_not
from self2align.evaluation.costs import hardware, measure_cost, parameter_count
from self2align.params.schema import DENOISER, MethodParams, Params
from self2align.report.page import noise_text
from self2align.report.results import read_json, version_text
from self2align.stores.weights import load_weights

MIB = 2**20


def training_minutes(weights: Path) -> float | None:
    """Return how long a training takes at the pace that it noted beside its weights; None without a note."""
    note = weights.with_suffix(".timing.json")
    steps = (load_weights(weights)[1].get("training") or {}).get("steps")
    timing = read_json(note) if note.is_file() else {}
    if not steps or not timing.get("steps"):
        return None
    # Of a training that went on from a checkpoint, the note has the last part alone.
    return float(timing["seconds"] / timing["steps"] * steps / 60)


def benchmark_psnr(folder: Path) -> dict[str, float]:
    """Return a method's PSNR on each set, dB; nothing where the benchmark has not run."""
    figures = read_json(folder / "metrics.json") if (folder / "metrics.json").is_file() else {}
    return {name: row["psnr"] for name, row in figures.items() if isinstance(row, dict)}


def cost_row(
    row: MethodParams, image: NDArray[Any], level: float, folder: Path, *, threads: int, limit: float
) -> dict[str, Any]:
    """Return a row of `self2align.report.html.costs.cost_table`.

    Parameters
    ----------
    row
        The method.
    image, level
        ``(C, H, W)``, noisy, and its noise level, white being 1.0.
    folder
        Of the method's figures in the benchmark.
    threads, limit
        See `self2align.evaluation.costs.measure_cost`.
    """
    why, file = why_not(row), Path(row.file)
    if why is not None:
        return {"skipped": why}
    try:
        cost = measure_cost(row.method, file, row.arguments, level, image, threads=threads, limit=limit)
    except ChildProcessError as error:
        return {"skipped": str(error)}
    megapixels = image.shape[1] * image.shape[2] / 1e6
    return {
        "seconds": cost.seconds / megapixels,
        "memory": None if cost.memory is None else cost.memory / MIB,
        "device_memory": None if cost.device_memory is None else cost.device_memory / MIB,
        "finished": cost.finished,
        "parameters": parameter_count(row.method, file, row.arguments, len(image)),
        "minutes": training_minutes(file) if row.method == DENOISER else None,
        "psnr": benchmark_psnr(folder),
    }


def conditions(
    image: str, shape: Sequence[int], threads: int, limit: float, params: Params, aligners: Path
) -> dict[str, str]:
    """Return what costs were measured under, in words.

    Parameters
    ----------
    image, shape
        Name of the test image; its size as it was denoised, ``(C, H, W)``.
    threads, limit
        See `self2align.evaluation.costs.measure_cost`.
    params, aligners
        Name the aligner of the pairs, and the folder where its weights lie.
    """
    noise, aligner = params.synthesize, params.generate_pairs.aligner
    told = {
        "Machine": hardware(),
        "Threads": f"{threads} on the CPU",
        "Image": f"{image}, cut or mirrored to {shape[1]} x {shape[2]} px, {shape[0]} channels",
        "Noise": noise_text(noise.model, noise.sigma, noise.peak),
        "Limit": f"{limit:g} s a method; one that was stopped has costs of so much or more",
    }
    weights = aligners / f"{aligner}.safetensors"
    minutes = training_minutes(weights) if weights.is_file() else None
    if minutes is not None:
        told["Aligner"] = f"{aligner}, {minutes:.1f} min of training, which all that learn from aligned pairs need too"
    return {**told, "Versions": version_text()}
