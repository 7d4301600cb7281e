"""The default aligner: known motions under noise, and a loss that noise cannot lower."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor, nn

from self2align.alignment.aligned import align_both
from self2align.alignment.confidence import confidence
from self2align.alignment.dis import Dis
from self2align.alignment.ian import Ian
from self2align.alignment.loading import load_aligner, save_aligner
from self2align.alignment.losses.photometric import photometric
from self2align.alignment.losses.split import halves, split
from self2align.alignment.refined_dis import DAMPING, RefinedDis, away, coarse_exposure, solve, statistics
from self2align.alignment.warp import inside, warp
from self2align.evaluation.alignment_measures import aligned_psnr, endpoint_error, most_trusted, warped_noise
from self2align.runtime.workers import exact_threads

SIGMA = 25 / 255
SIZE = 256
STEPS = 80


def _photograph(name: str) -> Tensor:
    """Return the middle of a photograph, (1, 3, 256, 256), in [0, 1]."""
    picture = getattr(data, name)()
    top, left = ((side - SIZE) // 2 for side in picture.shape[:2])
    crop = picture[top : top + SIZE, left : left + SIZE].transpose(2, 0, 1)
    return torch.from_numpy(crop.astype(np.float32) / 255)[None]


def _affine(matrix: tuple[tuple[float, float], tuple[float, float]], shift: tuple[float, float]) -> Tensor:
    """Return M(x) = (A - 1)(x - centre) + shift, (1, 2, 256, 256), px, x first."""
    place = torch.arange(SIZE, dtype=torch.float32) - (SIZE - 1) / 2
    y, x = torch.meshgrid(place, place, indexing="ij")
    (a, b), (c, d) = matrix
    return torch.stack([(a - 1) * x + b * y + shift[0], c * x + (d - 1) * y + shift[1]])[None]


def _turn(degrees: float) -> tuple[tuple[float, float], tuple[float, float]]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return ((c, -s), (s, c))


MOTIONS = {
    "translation": _affine(_turn(0), (5.3, -2.7)),
    "half a pixel": _affine(_turn(0), (0.5, 0.5)),
    "rotation": _affine(_turn(1.5), (1.0, 2.0)),
    "zoom in": _affine(((1.02, 0.0), (0.0, 1.02)), (0.0, 1.0)),
    "zoom out": _affine(((0.98, 0.0), (0.0, 0.98)), (-2.0, 0.0)),
}


def _noisy(clean: Tensor, seed: int) -> Tensor:
    return clean + SIGMA * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def _covered(picture: Tensor, top: int, left: int) -> Tensor:
    """Return a picture with an object on it, 60 x 50 px, that no other frame shows."""
    covered = picture.clone()
    covered[..., top : top + 60, left : left + 50] = 1 - covered[..., top : top + 60, left : left + 50].flip(-1)
    return covered


@pytest.fixture(scope="module")
def trained() -> RefinedDis:
    """The aligner after a few seconds of training, on noisy frames of two photographs in motion."""
    with exact_threads(1), torch.random.fork_rng():
        torch.manual_seed(0)
        network = RefinedDis(3)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        draw = np.random.default_rng(0)
        photographs = [_photograph("coffee"), _photograph("astronaut")]
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = 2e-3 * (1 - step / STEPS)
            motion = _affine(_turn(draw.uniform(-3, 3)), tuple(draw.uniform(-5, 5, 2)))
            source = photographs[step % 2]
            target = warp(source, motion, "bicubic")
            place = draw.integers(20, 180, 2)
            target = _covered(target, *place) if step % 4 < 2 else target
            frames = _noisy(target, 2 * step), _noisy(source, 2 * step + 1)
            batch = {"target": frames[0], "source": frames[1]}
            loss = split(network, batch, torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return network.eval()


@torch.no_grad()
@pytest.mark.parametrize("name", MOTIONS)
def test_known_motions_are_recovered_under_noise(trained: RefinedDis, name: str) -> None:
    true = MOTIONS[name]
    source = _photograph("cat")
    target = warp(source, true, "bicubic")
    a, b = _noisy(target, 1), _noisy(source, 2)
    field = trained(a, b)
    visible = inside(true, SIZE, SIZE)
    assert endpoint_error(field, true, visible) < 0.3
    ratio, correlation = warped_noise(a - target, b - source, field)
    assert abs(correlation) < 0.015  # 0.0025 is the standard error of 196,608 values
    assert ratio == pytest.approx(warped_noise(a - target, b - source, true)[0], abs=0.05)


@torch.no_grad()
def test_training_beats_its_start(trained: RefinedDis) -> None:
    gains = []
    for number, true in enumerate(MOTIONS.values()):
        source = _photograph("cat")
        target = warp(source, true, "bicubic")
        a, b = _noisy(target, 2 * number + 10), _noisy(source, 2 * number + 11)
        start = trained.start(a, b)
        gains.append(aligned_psnr(target, source, trained(a, b)) - aligned_psnr(target, source, start))
    # By every motion, after 80 steps; the start is DIS, which is good already.
    assert min(gains) > 0.05


class _FromNothing(nn.Module):
    """An aligner that starts from nothing and gives one field."""

    def start(self, target: Tensor, source: Tensor) -> None: ...

    def fields(self, target: Tensor, source: Tensor, start: Tensor | None = None) -> list[Tensor]:
        return [self(target, source)]


class _NoiseFitter(_FromNothing):
    """Moves each pixel to whichever of nine neighbours agrees best: what must gain nothing."""

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        shifts = torch.tensor([(x, y) for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)])
        fields = [shift.view(1, 2, 1, 1).expand(len(target), 2, *target.shape[-2:]) for shift in shifts]
        costs = torch.stack([((warp(source, field) - target) ** 2).sum(1) for field in fields], 1)
        return shifts[costs.argmin(1)].permute(0, 3, 1, 2)


class _Constant(_FromNothing):
    def __init__(self, x: float, y: float) -> None:
        super().__init__()
        self.motion = torch.tensor([x, y]).view(1, 2, 1, 1)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        return self.motion.expand(len(target), 2, *target.shape[-2:])


def _loss(loss: object, network: nn.Module, target: Tensor, source: Tensor) -> float:
    assert callable(loss)
    batch = {"target": target, "source": source}
    return float(np.mean([float(loss(network, batch, torch.Generator().manual_seed(seed))) for seed in range(4)]))


@torch.no_grad()
def test_fitting_noise_lowers_the_papers_loss_but_not_the_split_one() -> None:
    draw = torch.Generator().manual_seed(0)
    target, source = (0.5 + SIGMA * torch.randn(2, 3, 96, 96, generator=draw) for _ in range(2))
    still, fitter = _Constant(0, 0), _NoiseFitter()
    assert _loss(photometric, fitter, target, source) < 0.8 * _loss(photometric, still, target, source)
    assert _loss(split, fitter, target, source) > _loss(split, still, target, source)


@torch.no_grad()
def test_averaging_noise_by_half_a_pixel_hardly_pays_in_the_split_loss() -> None:
    draw = torch.Generator().manual_seed(0)
    target, source = (0.5 + SIGMA * torch.randn(2, 3, 96, 96, generator=draw) for _ in range(2))
    still, half = _Constant(0, 0), _Constant(0.5, 0.5)
    # Bilinear sampling between four pixels leaves a quarter of the variance of one of the two frames: (1 + 1/4) / 2.
    assert _loss(photometric, half, target, source) == pytest.approx(
        0.625 * _loss(photometric, still, target, source), rel=0.02
    )
    assert _loss(split, half, target, source) > 0.93 * _loss(split, still, target, source)


class _Doubting(_FromNothing):
    """Stands still, and expects the same disagreement everywhere."""

    def __init__(self, expected: float) -> None:
        super().__init__()
        self.doubt = math.log(expected)

    def fields(self, target: Tensor, source: Tensor, start: Tensor | None = None) -> list[Tensor]:
        still = target.new_zeros(len(target), 3, *target.shape[-2:])
        still[:, 2] = self.doubt
        return [still]


@torch.no_grad()
@pytest.mark.parametrize("sigma", [10, 50])
def test_of_perfect_alignment_a_disagreement_of_one_is_expected_at_any_noise_level(sigma: int) -> None:
    draw = torch.Generator().manual_seed(sigma)
    clean = _photograph("cat")
    # Bilinear sampling at random fractions leaves 0.45 of the variance of the source.
    noise = [sigma / 255 * scale * torch.randn(clean.shape, generator=draw) for scale in (1, math.sqrt(0.45))]
    expectations = (0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
    losses = [_loss(split, _Doubting(value), clean + noise[0], clean + noise[1]) for value in expectations]
    assert expectations[int(np.argmin(losses))] in (0.7, 1.0, 1.4)


@torch.no_grad()
def test_the_network_foresees_where_it_errs(trained: RefinedDis) -> None:
    source = _photograph("cat")
    target = _covered(warp(source, MOTIONS["rotation"], "bicubic"), 90, 70)
    a, b = _noisy(target, 1), _noisy(source, 2)
    fields, expected = trained.estimate(torch.cat([a, b]), torch.cat([b, a]))
    assert expected.shape == (2, SIZE, SIZE)
    torch.testing.assert_close(fields, trained(torch.cat([a, b]), torch.cat([b, a])))
    covered, seen = expected[0, 100:140, 80:110], expected[0, 180:240, 20:240]
    assert float(covered.median()) > 3 * float(seen.median())
    assert 0.4 < float(seen.median()) < 2.0
    # Over as many pixels, those it expects to be right are more right than those that the residual calls right.
    warped = warp(b, fields[:1])
    trusts = [confidence(a, b, warped, fields[:1], fields[1:], known) for known in (expected[:1], None)]
    told, shown = (aligned_psnr(target, source, fields[:1], most_trusted(trust, 0.8)) for trust in trusts)
    assert told > shown


@torch.no_grad()
def test_what_it_foresees_does_not_select_the_targets_noise(trained: RefinedDis) -> None:
    source = _photograph("cat")
    target = _covered(warp(source, MOTIONS["translation"], "bicubic"), 90, 70)
    draws = []
    for seed in range(6):
        a, b = _noisy(target, 2 * seed), _noisy(source, 2 * seed + 1)
        forward, _ = align_both(a[0], b[0], trained, exposure=True)
        wrong = warp(source, forward.transfer[None])[0] - target[0]
        draws.append((forward.confidence, (a - target)[0], wrong))
    # A trust that knows this noise against one that knows another: what differs is selection. Noise that makes up
    # for an error would raise the first sum, noise that is small the second.
    own, other, errors, energy = 0.0, 0.0, 0.0, []
    for number, (trust, noise, wrong) in enumerate(draws):
        stranger = draws[(number + 1) % len(draws)][0]
        own += float((trust * noise * wrong).sum())
        other += float((stranger * noise * wrong).sum())
        errors += float((trust * wrong**2).sum())
        energy.append(float((trust * noise**2).sum()) / (3 * float(trust.sum())))
    assert abs(own - other) < 0.005 * errors
    assert float(np.mean(energy)) == pytest.approx(SIGMA**2, rel=0.005)


def test_the_halves_of_an_image_have_independent_noise() -> None:
    noise = torch.randn(1, 1, 300, 300, generator=torch.Generator().manual_seed(0))
    for one, other in (halves(noise), halves(noise)[::-1]):
        kept = one[..., 4:-4, 4:-4].flatten()
        assert float((kept * other[..., 4:-4, 4:-4].flatten()).mean()) == pytest.approx(0, abs=0.01)
    white, black = halves(torch.full((1, 1, 6, 6), 0.7))
    torch.testing.assert_close(white, black)
    delta = torch.zeros(1, 1, 9, 9)
    delta[0, 0, 4, 4] = 1  # a white pixel
    white, black = halves(delta)
    assert float(white[0, 0, 4, 4]) == 1
    assert float(black.abs().max()) == 0


def test_the_equations_of_lucas_and_kanade_are_solved() -> None:
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")

    def surface(x: Tensor, y: Tensor) -> Tensor:
        return (torch.sin(x / 5) + torch.cos(y / 4))[None, None]

    # aligned(x) = source(x + M): here M = (0.3, -0.2).
    sums = statistics(surface(x, y), surface(x - 0.3, y + 0.2))
    motion = solve(sums[..., 2:-2, 2:-2].mean((2, 3), keepdim=True))
    assert motion.flatten().tolist() == pytest.approx([0.3, -0.2], abs=0.01)
    flat = solve(torch.tensor([1e-9, 0, 1e-9, 1e-6, 1e-6]).view(1, 5, 1, 1))
    assert float(flat.abs().max()) < 1e-6 / DAMPING


@torch.no_grad()
def test_a_flicker_is_no_motion(trained: RefinedDis) -> None:
    true = MOTIONS["translation"]
    source = _photograph("cat")
    target = 1.2 * warp(source, true, "bicubic") - 0.06
    a, b = _noisy(target, 1), _noisy(source, 2)
    assert endpoint_error(trained(a, b), true, inside(true, SIZE, SIZE)) < 0.35
    forward, backward = align_both(a[0], b[0], trained, exposure=True)
    assert forward.gain == pytest.approx(1.2, abs=0.03)
    assert forward.offset == pytest.approx(-0.06, abs=0.02)
    assert backward.gain == pytest.approx(1 / 1.2, abs=0.03)
    assert float(forward.confidence.mean()) > 0.7
    gain, offset = coarse_exposure(1.3 * source[:, :1] + 0.1, source[:, :1])
    torch.testing.assert_close(gain * source[:, :1] + offset, 1.3 * source[:, :1] + 0.1, atol=0.03, rtol=0)


def test_the_motions_next_to_a_place_are_those_of_its_neighbours() -> None:
    field = torch.arange(2 * 6 * 7.0).view(1, 2, 6, 7)
    left, right, above, below = away(field, 2)
    assert torch.equal(left[..., 2:], field[..., :-2])
    assert torch.equal(right[..., :-2], field[..., 2:])
    assert torch.equal(above[..., 2:, :], field[..., :-2, :])
    assert torch.equal(below[..., :-2, :], field[..., 2:, :])
    assert torch.equal(left[..., 0], field[..., 0])


def test_what_leaves_the_frame_is_not_trusted_and_what_is_covered_hardly() -> None:
    source = _photograph("cat")
    true = _affine(_turn(0), (20.0, 0.0))
    target = warp(source, true)
    target[..., 100:140, 60:110] = 0.9  # an object that the source does not show
    a, b = _noisy(target, 3), _noisy(source, 4)
    fields = Dis(3)(torch.cat([a, b]), torch.cat([b, a]))
    trust = confidence(a, b, warp(b, fields[:1]), fields[:1], fields[1:])[0]
    assert float(trust[:, -18:].mean()) < 0.1
    assert float(trust[105:135, 65:105].mean()) < 0.2
    assert float(trust.min()) >= 0
    assert float(trust.max()) <= 1


def test_the_most_trusted_pixels_are_as_many_as_asked_for() -> None:
    trust = torch.arange(100.0).view(1, 10, 10)
    chosen = most_trusted(trust, 0.3)
    assert float(chosen.sum()) == 30
    assert float((chosen * trust).sum()) == sum(range(70, 100))
    assert float(most_trusted(torch.ones(1, 10, 10), 0.3).sum()) == 30


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(64, 64), (71, 93), (17, 40)])
@pytest.mark.parametrize("start", ["dis", "zero"])
def test_any_size_and_any_channels(height: int, width: int, start: str) -> None:
    for channels in (1, 3, 4):
        network = RefinedDis(channels, start="zero" if start == "zero" else "dis", levels=3)
        field = network(torch.rand(2, channels, height, width), torch.rand(2, channels, height, width))
        assert field.shape == (2, 2, height, width)
        assert bool(torch.isfinite(field).all())


def test_an_aligner_at_rest_is_the_same_aligner(trained: RefinedDis, tmp_path: Path) -> None:
    header = {"aligner": "refined_dis", "channels": 3, "arguments": {}}
    save_aligner(tmp_path / "a.safetensors", trained, header)
    loaded = load_aligner(tmp_path / "a.safetensors", torch.device("cpu"))
    a, b = torch.rand(1, 3, 64, 80), torch.rand(1, 3, 64, 80)
    with torch.no_grad():
        torch.testing.assert_close(loaded(a, b), trained(a, b), atol=1e-4, rtol=0)


def test_the_split_loss_serves_the_papers_network_too() -> None:
    network = Ian(3)
    batch = {"target": torch.rand(1, 3, 64, 64), "source": torch.rand(1, 3, 64, 64)}
    loss = split(network, batch, torch.Generator().manual_seed(0))
    torch.autograd.backward(loss)
    assert math.isfinite(loss.item())
    assert network.field.weight.grad is not None
