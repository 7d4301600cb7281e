from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from self2align.alignment.aligned import align_both
from self2align.alignment.aligner import Aligner
from self2align.alignment.warp import warp
from self2align.noise.profile import NoiseProfile
from self2align.pairs.generate import crop_rows, cut_source
from self2align.pairs.plan import Footage, PairCrop, frame_pairs, neighbours, plan_crops
from self2align.pairs.scenes import stride_of
from self2align.stores.codes import Coding
from self2align.training.augmenting import apply_symmetry, rotate_crop_colors
from self2align.training.feed import NeighbourFeed, PairFeed


def test_frame_pairs_are_spread_evenly_and_counted() -> None:
    assert frame_pairs(5, [1], 10) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert frame_pairs(9, [1, 2], 3) == [(0, 1), (4, 5), (7, 8), (0, 2), (3, 5), (6, 8)]
    assert frame_pairs(2, [3], 4) == []


def test_neighbours_are_those_before_and_after_each_target() -> None:
    assert neighbours(5, [1], 3) == [(0, [1]), (2, [1, 3]), (4, [3])]
    assert neighbours(5, [2, 1], 3) == [(0, [1, 2]), (2, [1, 3, 0, 4]), (4, [3, 2])]
    assert neighbours(3, [2], 8) == [(0, [2]), (2, [0])]
    assert neighbours(2, [3], 4) == neighbours(1, [1], 4) == []


def test_a_plan_has_the_same_crops_of_a_target_for_all_its_neighbours_and_stays_inside() -> None:
    scenes = [Footage("a", 4, 40, 60), Footage("b", 1, 40, 60), Footage("c", 3, 32, 32)]
    rows = plan_crops(scenes, offsets=[1], targets=8, crops=3, size=32, seed=0)
    assert [(r.scene, r.target, r.source) for r in rows[::3]] == [
        (0, 0, 1), (0, 1, 0), (0, 1, 2), (0, 2, 1), (0, 2, 3), (0, 3, 2), (2, 0, 1), (2, 1, 0), (2, 1, 2), (2, 2, 1)
    ]  # fmt: skip
    for target in {(r.scene, r.target) for r in rows}:
        mine = [r for r in rows if (r.scene, r.target) == target]
        spots = [[(r.top, r.left) for r in mine[at : at + 3]] for at in range(0, len(mine), 3)]
        assert all(each == spots[0] for each in spots)
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


@pytest.mark.parametrize(
    ("along", "frames", "stride"),
    [((), 40, 1), ((0.1, 0.02), 40, 1), ((0.5, 0.3, 0.12, 0.06), 40, 4), ((0.5, 0.4), 40, 3), ((0.5,) * 20, 40, 8),
     ((0.5,) * 20, 6, 2), ((0.5,) * 20, 2, 1)],
)  # fmt: skip
def test_pairs_are_as_far_apart_as_it_takes_for_noise_of_their_own(
    along: tuple[float, ...], frames: int, stride: int
) -> None:
    noise = replace(NoiseProfile.white(1, 0.0, 0.01), along=np.array(along))
    assert stride_of(noise, frames) == stride
    rows = plan_crops([Footage("a", 40, 32, 32, stride=stride)], offsets=[1, 2], targets=40, crops=1, size=32, seed=0)
    assert {abs(row.target - row.source) for row in rows} == {stride, stride + 1}


@pytest.mark.parametrize(("along", "stride"), [([], 4), ([0.3, 0.05], 2), ([0.6, 0.5, 0.4, 0.3, 0.2], 6)])
def test_pairs_are_apart_where_a_codec_hides_how_much_it_repeats(along: list[float], stride: int) -> None:
    noise = replace(NoiseProfile.white(1, 0.0, 0.01), along=np.array(along), least=True)
    assert stride_of(noise, 40) == stride


def test_crops_of_a_known_shift_agree_exactly(texture: NDArray[np.float32]) -> None:
    first, second = _two_frames(texture, 5, -3)
    ways = align_both(first, second, _shift(5, -3), exposure=False)
    crop = PairCrop(0, 0, 1, 30, 40)
    values = crop_rows(ways[0], first, second, [crop], 32, 8, "bilinear")
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
    beyond = crop_rows(ways[0], first, second, [PairCrop(0, 0, 1, 30, 40)], 32, 2, "sinc")["confidence"][0]
    assert beyond[:, -3:].max() == 0
    assert beyond[:, :-3].min() > 0.9
    edge = crop_rows(ways[0], first, second, [PairCrop(0, 0, 1, 30, 160 - 32)], 32, 8, "sinc")["confidence"][0]
    assert edge[:, -5:].max() == 0


@pytest.mark.parametrize("subsample", [0.0, 0.5, 1.0])
def test_a_batch_holds_together_under_every_augmentation(texture: NDArray[np.float32], subsample: float) -> None:
    first, second = _two_frames(texture, 5, -3)
    crop = PairCrop(0, 0, 1, 30, 40)
    there, _ = align_both(first, second, _shift(5, -3), exposure=False)
    values = crop_rows(there, first, second, [crop], 48, 8, "bilinear")
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
        subsample=subsample,
        rotate_colors=0.5,
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


def test_a_batch_of_neighbours_has_all_of_a_target_and_no_confidence_in_those_that_are_missing() -> None:
    draw = np.random.default_rng(0)
    target = draw.random((2, 3, 40, 40), np.float32)
    # Rows 0 to 2 are neighbours of the first target, row 3 is the only one of the second; each off by its number.
    owner = np.array([0, 0, 0, 1])
    held = {
        "target": target[owner],
        "warped": target[owner] + np.arange(4, dtype=np.float32)[:, None, None, None],
        "confidence": np.full((4, 40, 40), 0.5, np.float32),
    }
    keep = np.array([0.3, 0.6, 0.9, 0.2], np.float32)
    feed = NeighbourFeed(
        held,
        np.array([[0, 1, 2], [3, -1, -1]]),
        dict.fromkeys(held, Coding("float32", 1.0)),
        {"keep": keep},
        margin=0,
        crop=24,
        batch=32,
        subsample=0.0,
        rotate_colors=0.0,
        seed=0,
        purpose="test",
    )
    batch = feed(0)
    assert batch["warped"].shape == (32, 3, 3, 24, 24)
    off = (batch["warped"] - batch["target"][:, None]).mean((2, 3, 4))
    first = batch["confidence"].sum((1, 2, 3)) > 0.5 * 24 * 24 + 1
    assert 4 < int(first.sum()) < 28
    torch.testing.assert_close(off[first], torch.tensor([[0.0, 1, 2]]).expand(int(first.sum()), -1), atol=1e-5, rtol=0)
    torch.testing.assert_close(off[~first, 0], torch.full((int((~first).sum()),), 3.0), atol=1e-5, rtol=0)
    assert float(batch["confidence"][~first, 1:].max()) == 0
    torch.testing.assert_close(batch["keep"], torch.where(first, 0.6, 0.2))


def test_a_share_of_the_crops_is_every_other_pixel() -> None:
    ramp = np.arange(40, dtype=np.float32)
    place = np.broadcast_to(ramp + 100 * ramp[:, None], (1, 1, 40, 40))
    held = {"target": place, "warped": place, "confidence": place[:, 0]}
    feed = NeighbourFeed(
        held,
        np.array([[0]]),
        dict.fromkeys(held, Coding("float32", 1.0)),
        {},
        margin=0,
        crop=20,
        batch=400,
        subsample=0.25,
        rotate_colors=0.0,
        seed=0,
        purpose="test",
    )
    batch = feed(0)
    steps = [(batch["target"].diff(dim=axis).abs().flatten(1)) for axis in (-1, -2)]
    apart = torch.minimum(*(step[:, 0] for step in steps))
    assert all(float((step - step[:, :1]).abs().max()) == 0 for step in steps)
    assert set(apart.tolist()) == {1.0, 2.0}
    assert float((apart == 2).float().mean()) == pytest.approx(0.25, abs=0.07)
    # Of those, the even and the odd ones are as likely; all arrays are taken at the same places.
    assert len({float(one.min()) for one in batch["target"][apart == 2]}) == 4
    torch.testing.assert_close(batch["warped"][:, 0], batch["target"])
    torch.testing.assert_close(batch["confidence"], batch["target"])


def test_crops_of_noise_that_pixels_share_are_never_every_other_pixel() -> None:
    ramp = np.arange(64, dtype=np.float32)[None, None].repeat(64, 1)[None].repeat(8, 0)
    columns = {"white": np.array([1, 0] * 4, np.float32), "row": np.arange(8, dtype=np.float32)}
    feed = PairFeed(
        {"target": ramp}, np.arange(8), {"target": Coding("float32", 1.0)}, columns,
        margin=0, crop=16, batch=64, subsample=1.0, rotate_colors=0.0, seed=0, purpose="test",
    )  # fmt: skip
    batch = feed(0)
    span = batch["target"].amax((1, 2, 3)) - batch["target"].amin((1, 2, 3))
    assert set(span[batch["white"] == 1].tolist()) == {30.0}
    assert set(span[batch["white"] == 0].tolist()) == {15.0}


def test_the_eight_symmetries_differ() -> None:
    square = np.arange(9.0).reshape(1, 3, 3)
    assert len({apply_symmetry({"a": square}, s)["a"].tobytes() for s in range(8)}) == 8


@pytest.mark.parametrize("channels", [1, 3])
def test_turned_colours_keep_white_noise_and_give_colour_to_what_was_grey(channels: int) -> None:
    draw = np.random.default_rng(4)
    grey = np.broadcast_to(draw.random((1, 64, 64), np.float32), (channels, 64, 64))
    noise = draw.standard_normal((channels, 64, 64)).astype(np.float32)
    both = {"target": grey, "warped": np.stack([grey + noise, grey - noise]), "confidence": np.ones((2, 64, 64))}
    rotate_crop_colors(both, 1.0, draw)
    assert both["confidence"].shape == (2, 64, 64)
    np.testing.assert_allclose(both["warped"].mean(0), both["target"], atol=1e-5)
    found = ((both["warped"][0] - both["warped"][1]) / 2).reshape(channels, -1)
    np.testing.assert_allclose(np.cov(found), np.cov(noise.reshape(channels, -1)), atol=0.15)
    np.testing.assert_allclose((found**2).sum(), (noise**2).sum(), rtol=1e-4)
    assert np.ptp(both["target"], axis=0).max() > 0.1 or channels == 1
    left = {"target": grey}
    rotate_crop_colors(left, 0.0, draw)
    assert left["target"] is grey
