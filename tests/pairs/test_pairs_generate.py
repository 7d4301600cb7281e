import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.alignment.aligner import Aligner
from pipeline.alignment.warp import warp
from pipeline.feed import PairFeed, turn
from pipeline.pairs.generate import align_both, crop_rows, cut_source
from pipeline.pairs.plan import Crop, Footage, frame_pairs, plan_crops
from pipeline.stores.codes import Coding


def test_frame_pairs_are_spread_evenly_and_counted() -> None:
    assert frame_pairs(5, [1], 10) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert (
        frame_pairs(9, [1, 2], 3) == [(0, 1), (4, 5), (7, 8), (0, 2), (3, 5), (6, 8)]
        or len(frame_pairs(9, [1, 2], 3)) == 6
    )
    assert frame_pairs(2, [3], 4) == []


def test_a_plan_has_both_directions_together_and_stays_inside() -> None:
    scenes = [Footage("a", 4, 40, 60), Footage("b", 1, 40, 60), Footage("c", 3, 32, 32)]
    rows = plan_crops(scenes, offsets=[1], targets=8, crops=3, size=32, seed=0)
    assert len(rows) == (3 + 0 + 2) * 2 * 3
    for block in range(0, len(rows), 6):
        together = rows[block : block + 6]
        assert {(r.target, r.source) for r in together[:3]} == {(together[0].target, together[0].source)}
        assert {(r.source, r.target) for r in together[3:]} == {(together[0].target, together[0].source)}
    assert all(0 <= r.top <= scenes[r.scene].height - 32 and 0 <= r.left <= scenes[r.scene].width - 32 for r in rows)
    assert rows == plan_crops(scenes, offsets=[1], targets=8, crops=3, size=32, seed=0)
    assert rows != plan_crops(scenes, offsets=[1], targets=8, crops=3, size=32, seed=1)


def _shift(x: float, y: float) -> Aligner:
    """An aligner that answers a shift one way and its inverse the other."""

    def align(target: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        field = torch.zeros(2, 2, *target.shape[-2:])
        field[0, 0], field[0, 1] = x, y
        return torch.stack([field[0], -field[0]])

    return align


def _two_frames(texture: NDArray[np.float32], x: int, y: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two frames of a picture, the second's content moved by whole (x, y) px."""
    whole = torch.from_numpy(texture)
    return whole[:, 20:140, 20:180], whole[:, 20 - y : 140 - y, 20 - x : 180 - x]


def test_crops_of_a_known_shift_agree_exactly(texture: NDArray[np.float32]) -> None:
    first, second = _two_frames(texture, 5, -3)
    ways = align_both(first, second, _shift(5, -3), exposure=False)
    crop = Crop(0, 0, 1, 30, 40)
    values = crop_rows(ways[0], first, [crop], 32, 8)
    np.testing.assert_allclose(values["warped"][0], first[:, 30:62, 40:72], atol=1e-5)
    np.testing.assert_allclose(values["ssim"], 1, atol=1e-4)
    np.testing.assert_allclose(values["ssim_filtered"], 1, atol=1e-4)
    assert values["confidence"].min() > 0.9
    # The untouched source, sampled by the stored field within its margin, gives the target as well.
    source = torch.from_numpy(np.asarray(cut_source(second.numpy(), 30, 40, 32, 8)))[None]
    field = torch.from_numpy(values["transfer"]) + 8
    np.testing.assert_allclose(warp(source, field)[0], first[:, 30:62, 40:72], atol=1e-4)


def test_confidence_is_zero_beyond_the_margin_and_out_of_the_frame(texture: NDArray[np.float32]) -> None:
    first, second = _two_frames(texture, 5, 0)
    ways = align_both(first, second, _shift(5, 0), exposure=False)
    beyond = crop_rows(ways[0], first, [Crop(0, 0, 1, 30, 40)], 32, 2)["confidence"][0]
    assert beyond[:, -3:].max() == 0
    assert beyond[:, :-3].min() > 0.9
    edge = crop_rows(ways[0], first, [Crop(0, 0, 1, 30, 160 - 32)], 32, 8)["confidence"][0]
    assert edge[:, -5:].max() == 0


def test_a_batch_holds_together_under_every_symmetry(texture: NDArray[np.float32]) -> None:
    first, second = _two_frames(texture, 5, -3)
    crop = Crop(0, 0, 1, 30, 40)
    values = crop_rows(align_both(first, second, _shift(5, -3), exposure=False)[0], first, [crop], 48, 8)
    held = {
        "target": first[None, :, 30:78, 40:88].numpy(),
        "source": np.asarray(cut_source(second.numpy(), 30, 40, 48, 8))[None],
        **{name: values[name] for name in ("transfer", "confidence", "warped")},
    }
    feed = PairFeed(
        held,
        np.array([0]),
        dict.fromkeys(held, Coding("float32", 1.0)),
        {"keep": np.ones(1, np.float32)},
        margin=8,
        crop=24,
        batch=64,
        permute=True,
        seed=0,
        purpose="test",
    )
    batch = feed(3)
    aligned = warp(batch["source"], batch["transfer"])
    error = ((aligned - batch["target"]) ** 2).mean(1)
    trusted = batch["confidence"] > 0.5
    assert float(trusted.float().mean()) > 0.9
    assert float(error[trusted].max()) < 1e-8
    torch.testing.assert_close(batch["warped"], batch["target"], atol=1e-5, rtol=0)
    again = feed(3)
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["target"], feed(4)["target"])


def test_the_eight_symmetries_differ() -> None:
    square = np.arange(9.0).reshape(1, 3, 3)
    assert len({turn({"a": square}, s)["a"].tobytes() for s in range(8)}) == 8
