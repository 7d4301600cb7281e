"""The tables of docs/scale.md: operations, bytes, bounds and costs, and the simulation of the scheduler.

::

    python benchmarks/scale.py
"""

import math

import numpy as np
from scale_counts import Footage, Stage, stages
from scale_simulation import Cluster, lognormal, simulate

WORKS = (
    Footage("1 clip", 1, 40, 384, 640, 60e3),
    Footage("30,000 septuplets", 30_000, 7, 256, 448, 250e3),
    Footage("10,000 hours", 9_000_000, 100, 1080, 1920, 40e3),
)
WORKERS = (1, 16, 1000)
# Measured by scale_measured.py: CPU seconds for a megapixel. Others follow from operations.
SECONDS = {"ingest": 0.027, "synthesize": 0.13, "generate_pairs": 2.9}
SPEED = 3.5e10  # FLOP/s of a core, measured on the denoiser
HASH = 1.4e9  # bytes/s of SHA-256 in one process, measured
RATIO = 0.7  # of the raw size after compression (docs/decisions/stores.md)
# Assumed.
BANDWIDTH = {1: 0.5e9, 16: 1e9, 1000: 5e9}  # bytes/s of the storage, together
CLIENT = 0.002  # s of the client for a task
PRICE = 0.04  # for a core hour, of any currency
DEATHS, SPREAD, SEED = 0.05, 0.5, 0  # deaths per worker and hour; deviation of the logarithm of times
SIMULATED = 10_000  # tasks at most


def cpu_seconds(stage: Stage) -> float | None:
    """Return the CPU seconds of a stage; None where neither a measurement nor operations tell."""
    if stage.name in SECONDS:
        return SECONDS[stage.name] * stage.units
    return stage.flops / SPEED if stage.flops else None


def bounds(stage: Stage, workers: int) -> dict[str, float]:
    """Return the least time that each resource needs, s; ``digest`` comes after the others, in one process."""
    cpu, used = cpu_seconds(stage) or 0.0, min(workers, stage.tasks)
    return {
        "CPU": cpu / stage.tasks * math.ceil(stage.tasks / used),
        "storage": (stage.read + stage.written) * RATIO / BANDWIDTH[workers],
        "client": CLIENT * stage.tasks,
        "digest": stage.kept * RATIO / HASH,
    }


def _row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


def _heading(title: str, *columns: str) -> None:
    print(f"\n{title}\n")
    _row(*columns)
    _row(*("---" if number == 0 else "--:" for number in range(len(columns))))


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 3600 else f"{seconds / 3600:.3g} h"


def print_counts(work: Footage) -> None:
    """Print what every stage does."""
    _heading(work.name, "stage", "tasks", "FLOP", "raw bytes read", "raw bytes written", "core h", "price")
    for stage in stages(work):
        cpu = cpu_seconds(stage)
        hours = ("", "") if cpu is None else (f"{cpu / 3600:.2g}", f"{PRICE * cpu / 3600:.2g}")
        counts = (f"{number:.2g}" for number in (stage.flops, stage.read, stage.written))
        _row(stage.name, f"{stage.tasks:,}", *counts, *hours)


def print_bounds(work: Footage) -> None:
    """Print the time that the tightest resource needs, plus the digest, and which bounds."""
    _heading(work.name, "stage", *(f"{workers:,} workers" for workers in WORKERS))
    for stage in stages(work):
        if cpu_seconds(stage) is None:
            continue
        cells = []
        for workers in WORKERS:
            found = bounds(stage, workers)
            together = max(time for name, time in found.items() if name != "digest") + found["digest"]
            cells.append(f"{_time(together)}, {max(found, key=lambda name: found[name])}")
        _row(stage.name, *cells)


def print_simulation(work: Footage) -> None:
    """Print how tasks of two stages run with stragglers and deaths."""
    columns = ("stage", "workers", "tasks", "wall", "efficiency", "lost work", "deaths")
    _heading(work.name, *columns)
    for stage in stages(work):
        if stage.name not in ("generate_pairs", "denoise"):
            continue
        count = min(stage.tasks, SIMULATED)
        mean = (cpu_seconds(stage) or 0.0) / stage.tasks
        for workers in WORKERS:
            draw = np.random.default_rng(SEED)
            cluster = Cluster(workers, DEATHS, 60.0, CLIENT, BANDWIDTH[workers])
            size = stage.written * RATIO / stage.tasks
            found = simulate(lognormal(count, mean, SPREAD, draw), size, cluster, draw)
            shares = f"{found.efficiency:.1%}", f"{found.lost_share:.2%}"
            _row(stage.name, f"{workers:,}", f"{count:,}", _time(found.wall), *shares, found.deaths)


def main() -> None:
    """Print all tables."""
    for show in (print_counts, print_bounds, print_simulation):
        for work in WORKS:
            show(work)


if __name__ == "__main__":
    main()
