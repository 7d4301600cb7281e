"""The simulation and the arithmetic of docs/scale.md, against truths in closed form."""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return how a module of benchmarks/ is imported."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return import_module


def draws(seed: int = 0) -> np.random.Generator:
    """Return a generator."""
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("tasks", "workers"), [(1, 1), (17, 16), (100, 16), (100, 1), (5, 1000)])
def test_equal_tasks_take_as_many_rounds_as_it_needs(module: Any, tasks: int, workers: int) -> None:
    scale = module("scale_simulation")
    found = scale.simulate([3.0] * tasks, 1.0, scale.Cluster(workers), draws())
    rounds = math.ceil(tasks / workers)
    assert found.wall == pytest.approx(3.0 * rounds)
    assert found.efficiency == pytest.approx(tasks / (workers * rounds))
    assert (found.lost, found.deaths) == (0, 0)


def test_deaths_cost_what_an_exponential_clock_says(module: Any) -> None:
    scale = module("scale_simulation")
    count, time, rate = 20_000, 100.0, 9.0
    found = scale.simulate([time] * count, 0.0, scale.Cluster(16, deaths=rate, restart=0.0), draws(1))
    # Attempts that fail before the first that does not are geometric with p = exp(-r t).
    stays = math.exp(-rate / 3600 * time)
    failures, error = (1 - stays) / stays, math.sqrt(1 - stays) / stays / math.sqrt(count)
    assert found.deaths / count == pytest.approx(failures, abs=3 * error)
    # Time until a task is done, with all its attempts: (exp(r t) - 1) / r.
    expected = 3600 / rate * (1 / stays - 1) - time
    # The time of a failed attempt is between 0 and t; conditioned on the number of failures its variance is below t^2.
    error = time * math.sqrt(error**2 + failures / count)
    assert found.lost / count == pytest.approx(expected, abs=3 * error)
    assert found.useful == pytest.approx(count * time)


def test_a_dead_worker_is_away_until_it_is_replaced(module: Any) -> None:
    scale = module("scale_simulation")
    found = scale.simulate([100.0] * 500, 0.0, scale.Cluster(1, deaths=9.0, restart=30.0), draws(2))
    assert found.deaths > 50
    assert found.wall == pytest.approx(found.useful + found.lost + 30.0 * found.deaths)


def test_the_client_bounds_many_workers(module: Any) -> None:
    scale = module("scale_simulation")
    found = scale.simulate([1.0] * 5000, 0.0, scale.Cluster(1000, client=0.1), draws())
    assert found.wall == pytest.approx(5000 * 0.1 + 1.0)


def test_the_storage_bounds_many_workers(module: Any) -> None:
    scale = module("scale_simulation")
    found = scale.simulate([1.0] * 5000, 1e8, scale.Cluster(1000, bandwidth=1e9), draws())
    assert found.wall == pytest.approx(1.0 + 5000 * 0.1)
    assert found.storage == pytest.approx(500.0)


def test_times_have_their_mean_and_a_seed_repeats(module: Any) -> None:
    scale = module("scale_simulation")
    times = scale.lognormal(100_000, 5.0, 0.5, draws())
    assert np.mean(times) == pytest.approx(5.0, rel=3 * math.sqrt(math.expm1(0.25) / 100_000))
    cluster = scale.Cluster(16, deaths=1.0, client=0.01, bandwidth=1e9)
    first, second = (scale.simulate(times[:1000], 1e7, cluster, draws(4)) for _ in range(2))
    assert first == second


def test_pairs_of_a_scene_are_counted_as_they_are_planned(module: Any) -> None:
    counts = module("scale_counts")
    work = counts.Footage("clip", 1, 40, 384, 640, 0.0)
    # 16 targets, of which the first and the last frame have one neighbour, 8 crops each.
    assert counts.pair_rows(work) == (16 * 2 - 2) * 8
    # Of 7 frames, 7 targets: 12 neighbours.
    assert counts.pair_rows(counts.Footage("septuplets", 30_000, 7, 256, 448, 0.0)) == 30_000 * 12 * 8


def test_bytes_of_frames_and_pairs_are_those_of_the_stores(module: Any) -> None:
    counts = module("scale_counts")
    row = 3 * 128**2 * 2 * 2 + 3 * 160**2 * 2 + 2 * 128**2 * 2 + 128**2
    arrays = counts.pair_table(10_000).arrays.values()
    assert sum(math.prod(one.shape) * np.dtype(one.dtype).itemsize for one in arrays if one.shape) == row
    assert counts.pair_table(10_000).rows_per_shard == 48 * 2**20 // (8 * row) * 8
