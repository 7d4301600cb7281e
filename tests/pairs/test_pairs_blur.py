import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.alignment.warp import warp
from pipeline.pairs.blur import MOST, blurred, mean_blur, neighbours_blur
from pipeline.stores.codes import Coding

SIGMA = 10 / 255
PLAIN = Coding("float32", 1.0)


@pytest.fixture(scope="module")
def detail() -> NDArray[np.float32]:
    """A random picture, (3, 160, 200), in [0, 1], with as much fine detail as photographs have."""
    draw = np.random.default_rng(7)
    picture = sum(gaussian_filter(draw.standard_normal((3, 160, 200)), (0, s, s)) * s for s in (0.7, 1.5, 3.0, 6.0))
    picture -= picture.min()
    return np.asarray(picture / picture.max(), np.float32)


def _store(
    detail: NDArray[np.float32], spread: float, sigma: float, neighbours: int = 2
) -> dict[str, NDArray[np.float32]]:
    """Return targets and their neighbours, which are off by a random error of alignment that varies smoothly."""
    draw = np.random.default_rng(3)
    rows: dict[str, list[NDArray[np.float32]]] = {"target": [], "warped": [], "confidence": []}
    size = 96
    for top, left in draw.integers(detail.shape[-1] - size, size=(12, 2)) // 2:
        clean = torch.from_numpy(detail[None, :, top : top + size, left : left + size].copy())
        target = clean + sigma * torch.from_numpy(draw.standard_normal(clean.shape, np.float32))
        for _ in range(neighbours):
            coarse = torch.from_numpy(draw.standard_normal((1, 2, size // 8, size // 8), np.float32))
            smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")
            field = smooth / smooth.std() * spread
            warped = warp(clean, field, "sinc") + sigma * torch.from_numpy(
                draw.standard_normal(clean.shape, np.float32)
            )
            rows["target"].append(target[0].numpy())
            rows["warped"].append(warped[0].numpy())
            rows["confidence"].append(np.ones((size, size), np.float32))
    return {name: np.stack(values) for name, values in rows.items()}


def _blur(held: dict[str, NDArray[np.float32]], neighbours: int = 2) -> float:
    count = len(held["target"])
    groups = np.arange(count).reshape(-1, neighbours)
    found = neighbours_blur(held, dict.fromkeys(held, PLAIN), groups, np.zeros(count, np.int32))
    assert found.shape == (count,)
    assert (found == found[0]).all()
    return float(found[0])


@pytest.mark.parametrize("sigma", [0.0, SIGMA])
@pytest.mark.parametrize("spread", [0.0, 0.2, 0.35])
def test_the_blur_is_half_the_variance_of_the_alignment(
    detail: NDArray[np.float32], spread: float, sigma: float
) -> None:
    assert _blur(_store(detail, spread, sigma)) == pytest.approx(spread**2 / 2, abs=0.01)


def test_four_neighbours_tell_the_same_as_two(detail: NDArray[np.float32]) -> None:
    assert _blur(_store(detail, 0.3, SIGMA, 4), 4) == pytest.approx(0.045, abs=0.01)


def test_pixels_that_are_not_trusted_say_nothing(detail: NDArray[np.float32]) -> None:
    held = _store(detail, 0.0, 0.0)
    held["warped"][..., :40] = _store(detail, 0.35, 0.0)["warped"][..., :40]
    assert _blur(held) > 0.01
    held["confidence"][..., :40] = 0
    assert _blur(held) == pytest.approx(0, abs=1e-4)


def test_without_a_second_neighbour_nothing_is_taken_for_blur(detail: NDArray[np.float32]) -> None:
    assert _blur(_store(detail, 0.35, 0.0, 1), 1) == 0


def test_a_blur_that_chance_explains_is_none() -> None:
    draw = np.random.default_rng(0)
    flat = {"target": np.zeros((24, 1, 64, 64)), "warped": np.zeros((24, 1, 64, 64))}
    noise = {name: draw.normal(0, SIGMA, one.shape).astype(np.float32) for name, one in flat.items()}
    noise["target"][1::2] = noise["target"][::2]
    assert _blur(noise | {"confidence": np.ones((24, 64, 64), np.float32)}) < 0.03
    assert mean_blur([(0.5, 10.0), (0.5, 10.0)]) == pytest.approx(0.05)
    assert mean_blur([(4.0, 10.0), (-3.0, 10.0)]) == 0
    assert mean_blur([(9.0, 10.0)]) == MOST
    assert mean_blur([]) == 0


def test_a_blurred_image_is_convolved_by_five_weights() -> None:
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 1
    expected = torch.tensor([[0, 0.1, 0], [0.1, 0.6, 0.1], [0, 0.1, 0]])
    torch.testing.assert_close(blurred(point, torch.tensor([0.1]))[0, 0, 1:4, 1:4], expected)
