"""What `sweep` does: the benchmark's measurement at one noise after another."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from self2align.evaluation.benchmark import figure_rows, measure_all, plan_work, set_means, why_not
from self2align.evaluation.protocol import BenchmarkSet
from self2align.params.schema import BenchmarkParams, MethodParams, SynthesizeParams
from self2align.report.html.sweep import Level
from self2align.runtime.scratch import workspace, write_json


def choose_methods(methods: Mapping[str, MethodParams], names: Sequence[str]) -> dict[str, MethodParams]:
    """Return the methods of those names.

    Raises
    ------
    ValueError
        For a name that is not among them.
    """
    for name in names:
        if name not in methods:
            raise ValueError(f"method: found {name!r}, expected one of benchmark.methods: {', '.join(methods)}")
    return {name: methods[name] for name in names}


def noise_levels(sigmas: Sequence[float], peaks: Sequence[float]) -> dict[Level, SynthesizeParams]:
    """Return Gaussian noise of each sigma (of 255), then Poisson noise of each peak (photons at white)."""
    levels = {
        Level(f"sigma {one:g}", one): SynthesizeParams(model="gaussian", sigma=one, sigma_max=None, peak=1.0)
        for one in sigmas
    }
    for one in peaks:
        levels[Level(f"Poisson {one:g}", None)] = SynthesizeParams(model="poisson", sigma=0.0, sigma_max=None, peak=one)
    return levels


def measure_levels(
    rows: Mapping[str, MethodParams],
    levels: Mapping[Level, SynthesizeParams],
    sets: Sequence[BenchmarkSet],
    benchmark: BenchmarkParams,
) -> tuple[dict[str, Any], list[list[object]]]:
    """Return the means of each method at each level, and the figures of every image.

    What was measured before a run was killed is kept, and not measured again.

    Returns
    -------
    found
        See `self2align.report.html.sweep`.
    images
        Rows: method, level, and the columns of `self2align.evaluation.benchmark.HEADER`.
    """
    reasons = {name: why_not(row) for name, row in rows.items()}
    found: dict[str, Any] = {name: {} if why is None else {"skipped": why} for name, why in reasons.items()}
    ready = {name: row for name, row in rows.items() if reasons[name] is None}
    works = [(level, work) for level, noise in levels.items() for work in plan_work(ready, sets, noise, benchmark)]
    images: list[list[object]] = []
    with workspace("sweep", {"works": [[level.name, work.inputs()] for level, work in works]}) as scratch:
        for level, work in works:
            kept = scratch / f"{work.method}-{level.name.replace(' ', '-')}.json"
            if not kept.exists():
                write_json(kept, measure_all(work))
            results = json.loads(kept.read_text(encoding="utf-8"))
            found[work.method][level.name] = set_means(work.items, results)
            images += [[work.method, level.name, *row] for row in figure_rows(work.items, results)]
    return found, images
