import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from self2align.objectives import OBJECTIVES
from self2align.objectives.neighbor2neighbor import choose, take
from self2align.objectives.noise2void import hide
from self2align.objectives.recorrupted_neighbours import COARSE, UNSURE, recorrupted_neighbours
from self2align.objectives.trusted import CELL, balance, coarse_errors, texture
from self2align.runtime.families import load
from self2align.samplers.sampler import load_sampler
from self2align.training.sampling import sampled_by_map

SIGMA = 25 / 255


class Scaled(nn.Module):
    """A network with a known error: the clean image times a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.clean = torch.zeros(0)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return self.factor * self.clean.expand_as(noisy)


def _batch(clean: torch.Tensor, seed: int, count: int = 16) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    many = clean.expand(count, -1, -1, -1)
    noise = [SIGMA * torch.randn(many.shape, generator=draw) for _ in range(2)]
    height, width = clean.shape[-2:]
    transfer = torch.zeros(count, 2, height, width)
    transfer[:, 0] = 3.0  # the source is the clean picture, moved three px to the right
    confidence = torch.ones(count, height, width)
    confidence[..., -3:] = 0
    source = torch.roll(many + noise[0], 3, -1)
    return {
        "target": many + noise[1],
        "warped": many + noise[0],
        "source": source,
        "first": many + noise[0],
        "second": many + noise[1],
        "clean": many,
        "transfer": transfer,
        "confidence": confidence,
        "keep": torch.ones(count),
        "gain": torch.ones(count),
        "offset": torch.zeros(count),
        "progress": torch.tensor(0.0),
    }


# Noise in what the network is judged by, and how many of the pixels judge.
KNOWN = {
    "aligned_neighbours": (SIGMA**2, 1.0),
    "n2c": (0.0, 1.0),
    "n2n": (SIGMA**2, 1.0),
    "noise2self": (SIGMA**2, 1 / 16),
    "noise2void": (SIGMA**2, 1 / 64),
    "self2align": (SIGMA**2, 1.0),
    "self2align_exchanged": (SIGMA**2, 1.0),
    "warped_prediction": (SIGMA**2, 1.0),
}


def test_the_family_is_tested_whole() -> None:
    assert {*KNOWN, "neighbor2neighbor", "recorrupted_neighbours"} == set(OBJECTIVES)


@pytest.mark.parametrize("name", KNOWN)
def test_the_expectation_is_the_true_error_plus_the_noise_variance(name: str, texture: NDArray[np.float32]) -> None:
    objective = load(OBJECTIVES, name, "objective")
    clean = torch.from_numpy(texture)[None, :, :96, :96]
    for factor in (1.0, 0.9, 0.7):
        network = Scaled(factor)
        network.clean = torch.roll(clean, 3, -1) if "source" in objective.needs else clean
        batch = _batch(clean, 5)
        if objective.neighbours:
            batch["warped"] = torch.stack([batch["first"], batch["second"]], 1)
            batch["confidence"] = torch.ones_like(batch["warped"][:, :, 0])
        found = float(objective.loss(network, batch, torch.Generator()))
        error = (((factor - 1) * clean) ** 2).mean()
        if "source" in objective.needs:
            error = (((factor - 1) * clean) ** 2)[..., :-3].mean()
        noise, share = KNOWN[name]
        assert found == pytest.approx(float(error) + noise, rel=0.008 / share**0.5, abs=1e-9)


# Of the noise's variance, what is left where the network sees a pixel, and where the judge shows it.
NOISES = {**dict.fromkeys(OBJECTIVES, (1.0, 1.0)), "n2c": (1.0, 0.0), "noise2self": (5 / 36, 1.0)}


@pytest.mark.parametrize("keep", [1.0, 0.6])
@pytest.mark.parametrize("name", sorted(set(OBJECTIVES) - {"recorrupted_neighbours"}))
def test_what_the_network_sees_is_not_what_it_is_judged_by(name: str, keep: float) -> None:
    # A network that gives a times what it sees: were it judged by the noise that it sees, noise would cancel.
    objective, white = load(OBJECTIVES, name, "objective"), 0.5
    samples = keep if "score" in objective.samples else 1.0
    batch = _batch(torch.full((1, 3, 96, 96), white), 2)
    if objective.neighbours:
        batch["warped"] = torch.stack([batch["first"]] * 2, 1)
        batch["confidence"] = torch.ones_like(batch["warped"][:, :, 0])
    batch["keep"] = torch.full((16,), keep)
    seen, judge = NOISES[name]
    for factor in (0.9, 0.4):
        found = float(objective.loss(Times(factor), batch, torch.Generator().manual_seed(0)))
        kept = ((factor - 1) * white) ** 2 + factor**2 * seen * SIGMA**2
        expected = samples * kept + (1 - samples) * white**2 + judge * SIGMA**2
        assert found == pytest.approx(expected, rel=0.01 / KNOWN.get(name, (0, 0.25))[1] ** 0.5)


class Times(nn.Module):
    """A network that gives its input times a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return self.factor * noisy


class Levelled(Times):
    """The same, told the level of the noise, which it notes."""

    def forward(self, noisy: torch.Tensor, level: torch.Tensor | None = None) -> torch.Tensor:
        assert level is not None
        self.level = level
        return self.factor * noisy


@pytest.mark.parametrize("trusted", [0.0, 1.0])
@pytest.mark.parametrize("factor", [0.9, 0.4])
def test_the_recorrupted_target_is_judged_by_noise_that_it_does_not_have(factor: float, trusted: float) -> None:
    white, count = 0.5, 16
    batch = _batch(torch.full((1, 3, 96, 96), white), 2, count)
    batch["warped"] = torch.stack([batch["first"]] * 2, 1)
    batch["confidence"] = torch.full_like(batch["warped"][:, :, 0], trusted)
    batch |= {name: torch.full((count, 1, 1, 1), SIGMA) for name in ("level", "weight")}
    batch["weight"] /= SIGMA
    batch["white"] = torch.ones(count)
    network = Levelled(factor)
    found = float(recorrupted_neighbours(network, batch, torch.Generator().manual_seed(0)))
    raised = (network.level / SIGMA).square().flatten()  # 1 + a^2
    judge = raised / (raised - 1)  # 1 + 1 / a^2
    kept = ((factor - 1) * white) ** 2 + factor**2 * SIGMA**2 * raised
    itself = float(((kept + judge * SIGMA**2) / judge).mean() / (1 / judge).mean())
    error = kept + SIGMA**2
    neighbours = float(((SIGMA**2 / error).clamp(max=1) * error).mean()) if trusted else 0.0
    assert found == pytest.approx(itself + neighbours, rel=0.01)


def test_of_noise_that_pixels_share_the_neighbours_alone_judge() -> None:
    count = 64
    batch = _batch(torch.full((1, 3, 32, 32), 0.5), 2, count)
    batch["warped"] = torch.stack([batch["first"]] * 2, 1)
    batch["confidence"] = torch.ones_like(batch["warped"][:, :, 0])
    batch |= {"level": torch.full((count, 1, 1, 1), SIGMA), "weight": torch.ones(count, 1, 1, 1)}
    batch["white"] = torch.zeros(count)
    network = Levelled(1.0)
    found = float(recorrupted_neighbours(network, batch, torch.Generator().manual_seed(0)))
    # The network returns the target: nothing was added to it, and nothing but the noise of both is left, in single
    # pixels and in means.
    assert found == pytest.approx(2 * SIGMA**2 * (1 + COARSE / CELL**2), rel=0.02)
    told = (network.level / SIGMA).flatten()
    assert 1 / UNSURE <= float(told.min()) < 0.8
    assert 1.25 < float(told.max()) <= UNSURE


def test_means_count_what_is_trusted_alone() -> None:
    predicted = torch.zeros(1, 3, 16, 16)
    warped = torch.full((1, 2, 3, 16, 16), 0.1)
    weight = torch.ones(1, 2, 16, 16)
    warped[..., :8], weight[..., :4] = 9.0, 0.0
    warped[..., 4:8] = 0.3
    error, cells = coarse_errors(predicted, {"warped": warped}, weight)
    torch.testing.assert_close(error[0, 0], torch.tensor([[0.09, 0.01], [0.09, 0.01]]))
    torch.testing.assert_close(cells[0, 0], torch.tensor([[0.5, 1.0], [0.5, 1.0]]))


def test_a_crop_of_more_noise_weighs_more() -> None:
    batch = _batch(torch.full((1, 3, 32, 32), 0.5), 2, 4)
    batch["warped"] = torch.stack([batch["first"]] * 2, 1)
    batch["confidence"] = torch.ones_like(batch["warped"][:, :, 0])
    batch |= {"level": torch.full((4, 1, 1, 1), SIGMA), "weight": torch.ones(4, 1, 1, 1), "white": torch.ones(4)}
    one = float(recorrupted_neighbours(Levelled(0.9), batch, torch.Generator().manual_seed(0)))
    batch["weight"] = torch.full((4, 1, 1, 1), 3.0)
    assert float(recorrupted_neighbours(Levelled(0.9), batch, torch.Generator().manual_seed(0))) == pytest.approx(
        3 * one
    )


def test_trusted_pixels_count_as_if_texture_had_not_decided_which_are_trusted(texture_of: torch.Tensor) -> None:
    seen = texture(texture_of)
    # The more there is to see, the less is trusted: a tenth of the weight at the busiest pixels.
    trusted = 1 - 0.9 * seen.flatten().argsort().argsort().view_as(seen) / seen.numel()
    plain, chosen = float(seen.mean()), float((seen * trusted).sum() / trusted.sum())
    weight = trusted * balance(texture_of, trusted)
    evened = float((seen * weight).sum() / weight.sum())
    assert chosen < 0.9 * plain
    assert evened == pytest.approx(plain, rel=0.02)


def test_a_neighbour_that_is_not_trusted_is_not_learned_from(texture_of: torch.Tensor) -> None:
    wrong = torch.stack([texture_of, texture_of + 0.5], 1)
    confidence = torch.ones_like(wrong[:, :, 0])
    confidence[:, 1] = 0
    batch = {"target": texture_of, "warped": wrong, "confidence": confidence, "keep": torch.ones(len(texture_of))}
    objective = load(OBJECTIVES, "aligned_neighbours", "objective")
    assert float(objective.loss(nn.Identity(), batch, torch.Generator())) == 0


@pytest.fixture
def texture_of(texture: NDArray[np.float32]) -> torch.Tensor:
    """Four crops of the picture."""
    return torch.from_numpy(np.stack([texture[:, y : y + 64, x : x + 64] for y in (0, 90) for x in (0, 130)]))


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_the_expectation_of_neighbor2neighbor_grows_with_its_second_term(progress: float) -> None:
    # On a flat image the two halves differ by noise alone, so both terms expect the same.
    clean = torch.full((1, 3, 96, 96), 0.6)
    network = Flat(0.5)
    batch = _batch(clean, 3) | {"progress": torch.tensor(progress)}
    found = float(load(OBJECTIVES, "neighbor2neighbor", "objective").loss(network, batch, torch.Generator()))
    assert found == pytest.approx((1 + 2 * progress) * (0.1**2 + SIGMA**2), rel=0.02)


class Flat(nn.Module):
    """A network that answers one gray, at any size."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return torch.full_like(noisy, self.value)


def test_the_neighbours_of_a_cell_touch_and_go_apart() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    seen = set()
    for seed in range(40):
        one, other = (take(image, which) for which in choose((1, 2, 2), torch.Generator().manual_seed(seed)))
        for a, b in zip(one.flatten().tolist(), other.flatten().tolist(), strict=True):
            (ya, xa), (yb, xb) = divmod(int(a), 4), divmod(int(b), 4)
            assert abs(ya - yb) + abs(xa - xb) == 1
            assert (ya // 2, xa // 2) == (yb // 2, xb // 2)
            seen.add((ya % 2, xa % 2, yb % 2, xb % 2))
    assert len(seen) == 8


def test_a_hidden_pixel_is_replaced_by_another_one_nearby() -> None:
    image = torch.arange(48.0 * 44).view(1, 1, 48, 44).repeat(2, 3, 1, 1)
    for seed in range(10):
        hidden, mask = hide(image, torch.Generator().manual_seed(seed))
        assert torch.equal(hidden != image, mask.expand(-1, 3, -1, -1))
        boxes = mask[0, 0, :, :40].reshape(6, 8, 5, 8).sum((1, 3))
        assert bool((boxes == 1).all())
        places, origins = torch.nonzero(mask[:, 0]), hidden[:, 0][mask[:, 0]].long()
        assert int((places[:, 1] - origins // 44).abs().max()) <= 5
        assert int((places[:, 2] - origins % 44).abs().max()) <= 5


@pytest.mark.parametrize("name", ["noise2void", "noise2self"])
def test_a_network_cannot_win_by_passing_its_input_on(name: str) -> None:
    clean = torch.full((1, 3, 96, 96), 0.5)
    loss = load(OBJECTIVES, name, "objective").loss
    kept = float(loss(nn.Identity(), _batch(clean, 1), torch.Generator()))
    flat = float(loss(Flat(0.5), _batch(clean, 1), torch.Generator()))
    assert kept > 1.1 * flat


def test_the_warped_prediction_ignores_what_is_not_trusted(texture: NDArray[np.float32]) -> None:
    objective = load(OBJECTIVES, "warped_prediction", "objective")
    clean = torch.from_numpy(texture)[None, :, :64, :64]
    network = Scaled(1.0)
    network.clean = torch.roll(clean, 3, -1)
    batch = _batch(clean, 1, 4)
    batch["confidence"][:, :20] = 0
    plain = float(objective.loss(network, batch, torch.Generator()))
    batch["target"][:, :, :20] = 9.0
    assert float(objective.loss(network, batch, torch.Generator())) == pytest.approx(plain)


def test_the_warped_prediction_follows_the_exposure(texture: NDArray[np.float32]) -> None:
    objective = load(OBJECTIVES, "warped_prediction", "objective")
    clean = torch.from_numpy(texture)[None, :, :64, :64]
    network = Scaled(1.0)
    network.clean = torch.roll(clean, 3, -1)
    batch = _batch(clean, 1, 8)
    batch["target"] = batch["target"] + (0.2 * clean + 0.1)
    batch["gain"], batch["offset"] = torch.full((8,), 1.2), torch.full((8,), 0.1)
    assert float(objective.loss(network, batch, torch.Generator())) == pytest.approx(SIGMA**2, rel=0.02)


@pytest.mark.parametrize("name", ["self2align", "self2align_exchanged", "warped_prediction"])
def test_the_sampler_acts_on_the_networks_input(name: str, texture: NDArray[np.float32]) -> None:
    seen: list[torch.Tensor] = []

    class Watching(nn.Module):
        def forward(self, noisy: torch.Tensor) -> torch.Tensor:
            seen.append(noisy)
            return noisy

    batch = _batch(torch.from_numpy(texture)[None, :, :96, :96], 1, 4)
    batch["keep"] = torch.tensor([0.0, 0.25, 0.5, 1.0])
    load(OBJECTIVES, name, "objective").loss(Watching(), batch, torch.Generator().manual_seed(0))
    kept = (seen[0] != 0).float().mean((1, 2, 3))
    assert kept.tolist() == pytest.approx([0, 0.25, 0.5, 1], abs=0.03)


@pytest.mark.parametrize("name", ["self2align", "self2align_exchanged"])
def test_a_map_drops_the_pixels_that_are_not_trusted(name: str) -> None:
    batch = _batch(torch.full((1, 3, 64, 64), 0.5), 1, 2)
    batch["confidence"][:, :32] = 0.2
    batch["confidence"][:, 32:] = 0.7
    for strategy, kept in (("confidence_map", (0.2, 0.7)), ("adaptive_map", (0.2, 1.0))):
        seen: list[torch.Tensor] = []

        class Watching(nn.Module):
            def forward(self, noisy: torch.Tensor, seen: list[torch.Tensor] = seen) -> torch.Tensor:
                seen.append(noisy)
                return noisy

        loss = sampled_by_map(load(OBJECTIVES, name, "objective").loss, load_sampler(strategy))
        loss(Watching(), {key: value for key, value in batch.items() if key != "keep"}, torch.Generator())
        share = (seen[0] != 0).float()[..., :-3]
        assert (float(share[:, :, :32].mean()), float(share[:, :, 32:].mean())) == pytest.approx(kept, abs=0.03)


def test_objectives_say_what_they_train_on() -> None:
    kinds = {name: load(OBJECTIVES, name, "objective") for name in OBJECTIVES}
    assert {name for name, one in kinds.items() if one.supervised} == {"n2c", "n2n"}
    assert {name for name, one in kinds.items() if one.aligned} == {
        "aligned_neighbours",
        "recorrupted_neighbours",
        "self2align",
        "self2align_exchanged",
        "warped_prediction",
    }
