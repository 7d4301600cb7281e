"""The benchmark's measurement at one noise after another."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from self2align.evaluation.benchmark import Measurement, figure_rows, plan_measurements, set_means
from self2align.evaluation.protocol import BenchmarkSet, MethodRow
from self2align.noise.model import NoiseSettings
from self2align.runtime.progress import Bars
from self2align.runtime.scratch import workspace, write_json


def choose_rows(rows: Sequence[MethodRow], names: Sequence[str]) -> list[MethodRow]:
    """Return the rows of those names; all for no name. Their files are checked.

    Raises
    ------
    ValueError
        For an unknown name or a missing file.
    """
    known = {row.name: row for row in rows}
    for name in names:
        if name not in known:
            raise ValueError(f"method: found {name!r}, expected one of benchmark.methods: {', '.join(known)}")
    chosen = [known[name] for name in names or known]
    for row in chosen:
        row.check_file()
    return chosen


def noise_levels(sigmas: Sequence[float], peaks: Sequence[float]) -> dict[str, NoiseSettings]:
    """Return Gaussian noise of each sigma (of 255), then Poisson noise of each peak (photons at white), by name."""
    levels = {f"sigma {one:g}": NoiseSettings("gaussian", one, None, 1.0) for one in sigmas}
    return levels | {f"Poisson {one:g}": NoiseSettings("poisson", 0.0, None, one) for one in peaks}


def measure_levels(
    rows: Sequence[MethodRow],
    levels: Mapping[str, NoiseSettings],
    sets: Sequence[BenchmarkSet],
    *,
    seed: int,
    full: bool,
    bars: Bars,
) -> tuple[dict[str, Any], list[list[object]]]:
    """Return the means of each method at each level, and the figures of every image.

    Finished measurements survive a kill.

    Returns
    -------
    means
        Method -> level -> set -> figures; or method -> {"skipped": why}.
    images
        Rows: method, level, and the columns of `self2align.evaluation.benchmark.HEADER`.
    """
    reasons = {row.name: row.skip_reason() for row in rows}
    means: dict[str, Any] = {name: {} if why is None else {"skipped": why} for name, why in reasons.items()}
    ready = [row for row in rows if reasons[row.name] is None]
    planned: list[tuple[str, Measurement]] = [
        (level, measurement)
        for level, noise in levels.items()
        for measurement in plan_measurements(ready, sets, noise=noise, seed=seed, full=full)
    ]
    images: list[list[object]] = []
    inputs = {"measurements": [[level, one.inputs()] for level, one in planned]}
    with workspace("sweep", inputs, Measurement) as scratch:
        for level, measurement in planned:
            name = measurement.row.name
            kept = scratch / f"{name}-{level.replace(' ', '-')}.json"
            if not kept.exists():
                write_json(kept, measurement.run(bars))
            results = json.loads(kept.read_text(encoding="utf-8"))
            means[name][level] = set_means(measurement.items, results)
            images += [[name, level, *row] for row in figure_rows(measurement.items, results)]
    return means, images
