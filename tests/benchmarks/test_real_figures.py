"""Measures of real series: of a result that is the truth, and of one that is the noise."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]


def test_the_truth_removes_all_error_and_no_change_none(
    texture: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    figures = import_module("real_figures")
    clean = np.stack([texture[:1, t : t + 96, 2 * t : 2 * t + 128] for t in range(8)]).astype(np.float32)
    noisy = (clean + np.random.default_rng(0).normal(0, 0.1, clean.shape)).astype(np.float32)
    assert [figures.held_out(count) for count in (8, 19, 20, 40)] == [0, 0, 5, 10]
    best, same = (figures.figures_of(noisy, result, clean, 1.0) for result in (clean, noisy))
    assert best["frames"] == 5
    assert not best["held out"]
    assert best["sigma of range"] == pytest.approx(0.1, rel=0.1)
    assert best["gain"][0] == pytest.approx(1, abs=0.15)
    assert same["gain"][0] == pytest.approx(0, abs=1e-6)
    assert same["flat"][0] == same["flat"][1]
    assert abs(best["structure"][0]) < 0.05
