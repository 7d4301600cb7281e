import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.images.files import read_image
from self2align.report.gallery import rows_at_quantiles, shown_places, write_gallery
from self2align.stores.codes import Coding
from self2align.stores.pairs import table, write_pairs

ROWS, CROP, MARGIN = 10, 16, 4


def test_rows_stand_evenly_over_the_quantiles() -> None:
    scores = np.random.default_rng(3).permutation(101) / 100
    assert scores[rows_at_quantiles(scores, 5)].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert rows_at_quantiles(scores, 1).tolist() == [int(np.flatnonzero(scores == 0.5)[0])]
    assert rows_at_quantiles(scores[:3], 8).tolist() == np.argsort(scores[:3]).tolist()


def test_places_have_both_ends_and_no_place_twice() -> None:
    assert shown_places(10, 3).tolist() == [0, 4, 9]
    assert shown_places(10, 1).tolist() == [4]
    assert shown_places(2, 8).tolist() == [0, 1]
    assert shown_places(1, 1).tolist() == [0]
    assert shown_places(0, 8).tolist() == []
    assert shown_places(0, 1).tolist() == []


def fill(name: str, start: int, stop: int) -> dict[str, NDArray[Any]]:
    """Row n: a gray of n in the middle of the source, of 10 n in target and warped; the best are the first rows."""
    rows = np.arange(start, stop)
    gray = np.broadcast_to(rows[:, None, None, None], (len(rows), 1, CROP, CROP)).astype(np.uint8)
    around = ((0, 0), (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN))
    values: dict[str, NDArray[Any]] = {
        "target": 10 * gray,
        "warped": 10 * gray,
        "source": np.pad(gray, around, constant_values=255),
        "transfer": np.zeros((len(rows), 2, CROP, CROP), np.float16),
        "confidence": np.full((len(rows), CROP, CROP), 51, np.uint8),  # 0.2
        "ssim": rows.astype(np.float32),
        "ssim_filtered": (1 - rows / ROWS).astype(np.float32),
        "role": (rows == 0).astype(np.int8),
    }
    for key in ("gain", "offset", "noise_gain", "noise_read", "noise_white"):
        values[key] = np.ones(len(rows), np.float32)
    for key in ("scene", "target_frame", "source_frame", "top", "left"):
        values[key] = (rows if key.endswith("frame") else rows % 2).astype(np.int32)
    return values


def test_the_gallery_holds_pairs_from_the_least_aligned_to_the_best_pixel_for_pixel(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    coding = Coding("uint8", 1 / 255)
    layout = table(ROWS, CROP, MARGIN, 1, coding, coding, 1)
    store, out = tmp_path / "pairs.zarr", tmp_path / "pictures"
    write_pairs(store, layout, fill, {"scenes": ["a/one", "b/two"]}, tmp_path / "work", lambda done, total: None)
    write_gallery(store, out, 3)
    listed = json.loads((out / "pairs.json").read_text(encoding="utf-8"))["pairs"]
    # Row 0 is for validation: the best of those that are trained on is row 1.
    assert [pair["target_frame"] for pair in listed] == [9, 5, 1]
    assert [pair["ssim_filtered"] for pair in listed] == [0.1, 0.5, 0.9]
    assert [pair["scene"] for pair in listed] == ["b/two"] * 3
    assert {pair["confidence"] for pair in listed} == {0.2}
    for pair in listed:
        row, pictures = pair["target_frame"], dict(pair["pictures"])
        assert list(pictures) == ["target", "neighbour", "warped", "confidence"]
        for name, level in {"target": 10 * row, "neighbour": row, "warped": 10 * row, "confidence": 51}.items():
            picture, _ = read_image(out / pictures[name])
            np.testing.assert_array_equal(picture, np.full((3, CROP, CROP), level))
    assert len(list(out.iterdir())) == 1 + 3 * 4
