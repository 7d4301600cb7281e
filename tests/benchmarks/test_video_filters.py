"""Filters on the sequences of the benchmark of video."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def test_the_filter_of_several_frames_has_neighbours_at_the_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    filters = import_module("video_filters")
    draw = np.random.default_rng(0)
    squares = np.kron(draw.integers(40, 216, (4, 4)), np.ones((12, 12))).astype(np.uint8)
    clean = np.broadcast_to(squares, (5, 3, 48, 48))  # gray, and still
    noisy = (clean / 255 + 20 / 255 * draw.standard_normal(clean.shape)).astype(np.float32)
    clip = filters.Clip(Path("unused"), noisy, clean, np.zeros((1, 3, 1, 1), np.float32), "")
    settings = {"h": 20, "color": 20, "window": 5, "patch": 5}
    made = filters.filtered(clip, "OpenCV multi-frame NLM", settings, range(5))
    errors = np.square(255 * made - clean).mean((1, 2, 3))
    assert made.shape == clean.shape
    assert (errors < 0.35 * np.square(255 * np.clip(noisy, 0, 1) - clean).mean((1, 2, 3))).all()
    assert errors.max() < 1.15 * errors.min()
