"""Contact sheets of stores. Only the rows that are shown are read."""

import numpy as np
from numpy.typing import NDArray

from self2align.report.canvas import Picture, fit, to_picture
from self2align.report.contact_sheet import (
    LARGE,
    ShownPair,
    ShownScene,
    pair_sheet,
    scene_sheet,
)
from self2align.report.gallery import rows_at_quantiles, shown_places
from self2align.stores.contents import true_transfer
from self2align.stores.frames import FrameStore, SceneRecord
from self2align.stores.pairs import ROLES, PairStore


def sheet_of_pairs(store: PairStore, count: int) -> Picture:
    """Return pairs from the worst to the best aligned, at evenly spaced quantiles of ``ssim_filtered``."""
    rows = rows_at_quantiles(store.columns["ssim_filtered"], count)
    pairs = [_shown_pair(store, int(row)) for row in rows]
    title = f"{store.path.name}: {len(rows)} of {store.count} pairs, from the worst to the best aligned"
    return pair_sheet(title, pairs)


def _shown_pair(store: PairStore, row: int) -> ShownPair:
    def one(name: str) -> NDArray[np.float32]:
        values: NDArray[np.float32] = store.values(name, row, row + 1)[0]
        return values

    at = {name: values[row] for name, values in store.columns.items()}
    inside = slice(store.margin, store.margin + store.crop)
    caption = (
        f"{store.scenes[at['scene']]}, {ROLES[at['role']]}, at {at['left']}, {at['top']} px: "
        f"SSIM {at['ssim']:.3f}, filtered {at['ssim_filtered']:.3f}"
    )
    return ShownPair(
        caption=caption,
        frames=(int(at["target_frame"]), int(at["source_frame"])),
        target=one("target"),
        source=one("source")[:, inside, inside],
        warped=one("warped"),
        confidence=one("confidence"),
        transfer=one("transfer"),
    )


def sheet_of_frames(store: FrameStore, count: int) -> Picture:
    """Return the first, middle and last frame of evenly spaced scenes."""
    chosen = [store.scenes[place] for place in shown_places(len(store.scenes), count)]
    title = f"{store.path.name}: {len(chosen)} of {len(store.scenes)} scenes"
    return scene_sheet(title, [_shown_scene(store, scene) for scene in chosen])


def _shown_scene(store: FrameStore, scene: SceneRecord) -> ShownScene:
    numbers = sorted({0, (scene.count - 1) // 2, scene.count - 1})
    # Reduced at once, so that memory never holds whole frames of many scenes.
    frames = [fit(to_picture(store.frames(scene, n, n + 1)[0]), LARGE, LARGE) for n in numbers]
    share = min(1.0, LARGE / max(scene.height, scene.width))
    caption = (
        f"{scene.title}, {' and '.join(scene.roles) or 'test images'}, {scene.height} x {scene.width} px"
        + (f" at {share:.0%}" if share < 1 else "")
        + (f", {scene.count} frames" if scene.count > 1 else "")
    )
    transfer = true_transfer(store, scene, numbers[len(numbers) // 2])
    step = 1 if transfer is None else max(1, -(-max(transfer.shape[1:]) // LARGE))
    return ShownScene(caption, numbers, frames, None if transfer is None else transfer[:, ::step, ::step])


def mean_confidence(store: PairStore, most: int = 512) -> tuple[float, int]:
    """Return the mean confidence of evenly spaced pairs, at most ``most`` of them, and their number."""
    rows = shown_places(store.count, most)
    means = [float(store.values("confidence", int(row), int(row) + 1).mean()) for row in rows]
    return float(np.mean(means)), len(rows)
