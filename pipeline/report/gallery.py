"""A few pairs as pictures, so that who shows them needs no store."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.images.files import write_png
from self2align.images.levels import to_levels
from self2align.runtime.scratch import write_json
from self2align.stores.pairs import PairStore


def evenly(scores: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Return the rows whose scores stand evenly over the quantiles, from the least to the greatest.

    Parameters
    ----------
    scores
        ``(N,)``; those that are not finite come last.
    count
        At most so many; for one, the median.
    """
    order = np.argsort(scores, kind="stable")
    return order[spaced(len(order), count)].astype(np.int64)


def spaced(total: int, count: int) -> NDArray[np.int64]:
    """Return at most ``count`` places out of ``total``, evenly spaced, ends included; for one, the middle."""
    if total <= count:
        return np.arange(total)
    if count == 1:
        return np.array([(total - 1) // 2])
    return np.unique(np.linspace(0, total - 1, count).round().astype(np.int64))


def write_gallery(path: Path, folder: Path, count: int) -> None:
    """Write pairs of a store that are trained on, from the least aligned to the best, evenly over the quantiles.

    ``pairs.json`` lists them: ``scene, target_frame, source_frame, ssim, ssim_filtered, confidence`` (the mean), and
    ``pictures``, each a name and the file beside the list.

    Parameters
    ----------
    path
        The store.
    folder
        To write to.
    count
        At most so many.
    """
    store = PairStore(path)
    rows = store.rows("pairs")
    chosen = rows[evenly(store.columns["ssim_filtered"][rows], count)].tolist()
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
