"""Pixels that are off everything around them, in frames of every kind of noise and texture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.images.files import read_image
from self2align.noise.estimation.estimate import estimate_noise
from self2align.noise.outliers import filled, isolated

Values = NDArray[np.float32]


def _frame(kind: str, texture: Values) -> Values:
    draw = np.random.default_rng(2)
    flat = np.ones((1, 96, 128))
    made: dict[str, Callable[[], Any]] = {
        "gaussian": lambda: 1000 + 30 * draw.standard_normal(flat.shape),
        "photons 0.05": lambda: draw.poisson(0.05 * flat),
        "photons 0.4": lambda: draw.poisson(0.4 * flat),
        "photons 20": lambda: draw.poisson(20 * flat),
        "texture": lambda: 255 * texture[:, :96, :128],
        "texture, 8 bits": lambda: np.rint(255 * texture[:, :96, :128] + 5 * draw.standard_normal((3, 96, 128))),
        "constant": lambda: 7 * flat,
        "bars": lambda: 100 * (np.indices(flat.shape).sum(0) // 4 % 2),
    }
    return np.asarray(made[kind](), np.float32)


KINDS = ["gaussian", "photons 0.05", "photons 0.4", "photons 20", "texture", "texture, 8 bits", "constant", "bars"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_an_outlier_in_noise_and_texture(kind: str, texture: Values) -> None:
    assert not isolated(_frame(kind, texture)).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [1e7, -1e7])
@pytest.mark.parametrize("place", [(0, 0), (50, 60), (95, 127)])
@pytest.mark.parametrize("size", [(1, 1), (1, 2)])
def test_a_pixel_or_two_far_off_are_found_and_no_others(
    kind: str, value: float, place: tuple[int, int], size: tuple[int, int], texture: Values
) -> None:
    frame = _frame(kind, texture)
    top, left = min(place[0], 96 - size[0]), min(place[1], 128 - size[1])
    frame[0, top : top + size[0], left : left + size[1]] = value
    expected = np.zeros(frame.shape, bool)
    expected[0, top : top + size[0], left : left + size[1]] = True
    np.testing.assert_array_equal(isolated(frame), expected)


def test_dead_and_hot_pixels_are_found(texture: Values) -> None:
    frame = _frame("gaussian", texture)
    places = np.random.default_rng(0).permutation(96 * 128 // 64)[:20] * 64 + 9
    frame.ravel()[places] = np.where(np.arange(20) % 2, 0, 4000)
    np.testing.assert_array_equal(np.flatnonzero(isolated(frame)), np.sort(places))


@pytest.mark.parametrize("width", [1.0, 1.5, 3.0])
def test_a_star_is_none(width: float) -> None:
    y, x = np.indices((64, 64)) - 30.3
    star = 5000 * np.exp(-(y**2 + x**2) / (2 * (width / 2.355 * 1.3) ** 2))
    frame = (star + 100 + 10 * np.random.default_rng(0).standard_normal(star.shape)).astype(np.float32)[None]
    assert not isolated(frame).any()


@pytest.mark.parametrize("name", ["Kodak/kodim08.png", "Kodak/kodim01.png", "Set14/baboon.png"])
def test_hardly_a_pixel_of_a_photograph_is_one(shared: Path, name: str) -> None:
    assert isolated(read_image(shared / name)[0].astype(np.float32)).mean() < 1e-5


def test_what_fills_is_the_mean_of_what_is_around() -> None:
    frame = np.tile(np.linspace(0, 1, 200, dtype=np.float32), (1, 150, 1))
    mask = np.zeros(frame.shape, bool)
    mask[0, 20, 30] = mask[0, 60:64, 100:104] = mask[0, :, :40] = True
    hidden = np.where(mask, np.nan, frame)
    found = filled(hidden, mask)
    np.testing.assert_array_equal(found[~mask], frame[~mask])
    np.testing.assert_allclose(found[0, 60:64, 100:104], frame[0, 60:64, 100:104], atol=0.02)
    assert np.isfinite(found).all()
    assert abs(found[0, :, :40] - frame[0, 0, 40]).max() < 0.25
    assert (filled(np.full((1, 9, 9), np.nan, np.float32), np.ones((1, 9, 9), bool)) == 0).all()


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_noise_is_measured_where_there_are_values(share: float, texture: Values) -> None:
    frame = texture + 0.1 * np.random.default_rng(1).standard_normal(texture.shape).astype(np.float32)
    frame[:, :, : round(share * frame.shape[2])] = np.nan
    frame[:, 100, 120] = np.nan
    assert estimate_noise(frame[None]).sigma == pytest.approx(0.1, rel=0.05)
