"""Saves a few pairs of a store as pictures, so that the report does not need the store."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.images.files import write_png
from self2align.images.levels import to_levels
from self2align.runtime.scratch import write_json
from self2align.runtime.spacing import evenly_spaced
from self2align.stores.pairs import PairStore


def rows_at_quantiles(scores: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Return the rows whose scores are at evenly spaced quantiles, from the lowest score to the highest.

    Parameters
    ----------
    scores
        ``(N,)``; values that are not finite come last.
    count
        At most so many rows; one row is the median.
    """
    order = np.argsort(scores, kind="stable")
    return order[shown_places(len(order), count)].astype(np.int64)


def shown_places(total: int, count: int) -> NDArray[np.int64]:
    """Return the places of a sequence to show: evenly spaced, or the middle one if only one is wanted."""
    if count == 1 and total > 0:
        return np.array([(total - 1) // 2])
    return evenly_spaced(total, count)


def write_gallery(path: Path, folder: Path, count: int) -> None:
    """Save training pairs as PNG files, from the worst to the best aligned, at evenly spaced quantiles.

    ``pairs.json`` lists them: ``scene, target_frame, source_frame, ssim, ssim_filtered, confidence`` (the mean), and
    ``pictures``, pairs of a name and a file name.

    Parameters
    ----------
    path
        Store of pairs.
    folder
        Where to write; its former content is removed.
    count
        At most so many pairs.
    """
    if folder.is_dir():
        shutil.rmtree(folder)
    store = PairStore(path)
    rows = store.rows("pairs")
    chosen = rows[rows_at_quantiles(store.columns["ssim_filtered"][rows], count)].tolist()
    write_json(folder / "pairs.json", {"pairs": [_write_pair(store, row, folder, n) for n, row in enumerate(chosen)]})


def _write_pair(store: PairStore, row: int, folder: Path, number: int) -> dict[str, Any]:
    inside = slice(store.margin, store.margin + store.crop)
    target, source, warped, confidence = (
        store.values(name, row, row + 1)[0] for name in ("target", "source", "warped", "confidence")
    )
    shown = {"target": target, "neighbour": source[:, inside, inside], "warped": warped, "confidence": confidence[None]}
    files = {name: f"{number}-{name}.png" for name in shown}
    for name, values in shown.items():
        levels = to_levels(values)
        write_png(folder / files[name], levels.transpose(1, 2, 0).repeat(3 // len(levels), axis=2))
    at = {name: values[row] for name, values in store.columns.items()}
    return {
        "scene": store.scenes[at["scene"]],
        **{name: int(at[name]) for name in ("target_frame", "source_frame")},
        **{name: round(float(at[name]), 4) for name in ("ssim", "ssim_filtered")},
        "confidence": round(float(confidence.mean()), 4),
        "pictures": list(files.items()),
    }
