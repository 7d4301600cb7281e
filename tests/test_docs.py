"""What docs/your-footage.md shows is run."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.stores.codes import Coding
from self2align.stores.pairs import COLUMNS, table, write_pairs

PAGE = (Path(__file__).parents[1] / "docs" / "your-footage.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
ROWS, CROP, MARGIN = 6, 16, 4


def fill(name: str, start: int, stop: int) -> dict[str, NDArray[Any]]:
    count, draw = stop - start, np.random.default_rng(0)
    wide = CROP + 2 * MARGIN
    values: dict[str, NDArray[Any]] = {
        "target": draw.integers(0, 256, (count, 3, CROP, CROP), dtype=np.uint8),
        "source": draw.integers(0, 256, (count, 3, wide, wide), dtype=np.uint8),
        "warped": draw.integers(20000, 40000, (count, 3, CROP, CROP), dtype=np.uint16),
        "transfer": np.zeros((count, 2, CROP, CROP), np.float16),
        "confidence": np.full((count, CROP, CROP), 204, np.uint8),
    }
    return values | {key: np.arange(start, stop).astype(dtype) for key, (dtype, _, _) in COLUMNS.items()}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    layout = table(ROWS, CROP, MARGIN, 3, Coding("uint8", 1 / 255), Coding("uint16", 2.5 / 65535, -0.5), 1)
    final = tmp_path / "data" / "generate_pairs" / "pairs.zarr"
    write_pairs(final, layout, fill, {"scenes": ["a/one"]}, tmp_path / "work", lambda *_: None)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("project")
def test_the_pairs_are_read_with_zarr_alone(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(SNIPPETS[0], names)
    assert 0.0 <= names["image"].min() < names["image"].max() <= 1.0
    assert capsys.readouterr().out.startswith("(3, 16, 16) 2.5")


@pytest.mark.usefixtures("project")
def test_the_pairs_are_read_with_xarray() -> None:
    pytest.importorskip("xarray")
    names: dict[str, Any] = {}
    exec(SNIPPETS[1], names)
    assert names["trusted"].dims == ("pair", "channel", "y", "x")
    assert names["trusted"].sizes["pair"] == 4
    assert float(names["trusted"].max()) == pytest.approx(40000 * 2.5 / 65535 - 0.5, abs=0.01)


@pytest.mark.usefixtures("project")
def test_the_pairs_are_read_with_dask(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("dask")
    exec(SNIPPETS[2], {})
    assert capsys.readouterr().out.split() == ["[1.", *["1."] * (ROWS - 2), "1.]"]


def test_every_snippet_is_run() -> None:
    assert len(SNIPPETS) == 3
