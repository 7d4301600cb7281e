from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.denoising.inference import denoise
from self2align.evaluation.metrics import psnr, ssim
from self2align.evaluation.protocol import BenchmarkSet, MethodRow, measure, plan_items
from self2align.images.levels import to_levels
from self2align.methods.nlm import nlm
from self2align.noise.model import NoiseSettings
from self2align.stores.codes import Coding
from self2align.stores.frames import Part, SceneRecord, write_frames

SIZES = {"one": [("b", 20, 31), ("a", 32, 24)], "two": [("c", 24, 24)]}


def _image(name: str, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(ord(name)).integers(0, 256, (3, height, width), dtype=np.uint8)


def _fetch(part: Part, start: int, stop: int) -> NDArray[Any]:
    return _image(part.record.name, part.record.height, part.record.width)[None]


@pytest.fixture
def sets(tmp_path: Path) -> list[BenchmarkSet]:
    made = []
    for name, images in SIZES.items():
        parts = [
            Part(SceneRecord(name, image, (), "", 0, 1, h, w), Coding("uint8", 1 / 255), 3, image)
            for image, h, w in images
        ]
        scratch = tmp_path / f"{name}-scratch"
        scratch.mkdir()
        write_frames(tmp_path / f"{name}.zarr", parts, _fetch, {}, scratch, lambda a, b: None)
        made.append(BenchmarkSet(name, tmp_path / f"{name}.zarr", 2))
    return made


def _published_noise() -> list[NDArray[np.float64]]:
    """The published code's loop: one stream over sets, repeats and sorted images, in (H, W, C) order."""
    stream = np.random.RandomState(101)
    noise = []
    for images in SIZES.values():
        for _ in range(2):
            for _, height, width in sorted(images):
                noise.append(stream.normal(size=(height, width, 3)) * (25 / 255))
    return noise


NOISE = NoiseSettings("gaussian", 25.0, None, 30.0)
NOISY = MethodRow("noisy", Path("pipeline/methods/noisy.py"))
plan = partial(plan_items, seed=101, noise=NOISE)


def test_every_method_gets_the_published_noise(sets: list[BenchmarkSet], tmp_path: Path) -> None:
    items = plan(sets, full=True)
    assert [(i.test_set, i.image, i.repeat) for i in items] == [
        *[("one", name, repeat) for repeat in (0, 1) for name in ("a", "b")],
        *[("two", "c", repeat) for repeat in (0, 1)],
    ]
    sizes = {name: (h, w) for images in SIZES.values() for name, h, w in images}
    stores = {one.name: one.store for one in sets}
    for number, (item, noise) in enumerate(zip(items, _published_noise(), strict=True)):
        picture, marker = tmp_path / f"{number}.png", tmp_path / f"{number}.json"
        measure(item, stores[item.test_set], NOISY, NOISE, picture, marker)
        from self2align.images.files import read_image

        clean = _image(item.image, *sizes[item.image]).astype(np.float32) / np.float32(255)
        expected = to_levels((clean + noise.transpose(2, 0, 1)).astype(np.float32))
        found, _ = read_image(picture)
        assert np.abs(found.astype(int) - expected).max() <= 1  # a value on the edge between two levels
        assert (found != expected).mean() < 1e-3


def test_a_quick_run_is_the_first_repeat_of_the_full_one(sets: list[BenchmarkSet]) -> None:
    quick = plan(sets, full=False)
    full = [item for item in plan(sets, full=True) if item.repeat == 0]
    assert [item.image for item in quick] == [item.image for item in full] == ["a", "b", "c"]
    for one, other in zip(quick, full, strict=True):
        np.testing.assert_array_equal(one.state[1], other.state[1])
        assert one.state[2:] == other.state[2:]


def test_psnr_and_ssim_of_known_images() -> None:
    image = np.full((3, 16, 16), 100, np.uint8)
    assert psnr(image, image) == float("inf")
    assert psnr(image + np.uint8(5), image) == pytest.approx(10 * np.log10(255**2 / 25))
    assert ssim(image, image) == pytest.approx(1.0)
    # Flat images: only the luminance term is left.
    c1 = (0.01 * 255) ** 2
    assert ssim(image + np.uint8(50), image) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1))


def test_levels_are_clipped_and_rounded() -> None:
    assert to_levels(np.array([-0.1, 0.0, 0.5, 0.999, 1.0, 7.0], np.float32)).tolist() == [0, 0, 128, 255, 255, 255]


@pytest.mark.parametrize(("square", "expected"), [(True, (64, 64)), (False, (40, 56))])
def test_only_the_network_sees_the_padding(square: bool, expected: tuple[int, int]) -> None:
    import torch

    class Watching(torch.nn.Module):
        multiple = 8
        seen: tuple[int, ...] = ()

        def forward(self, noisy: torch.Tensor) -> torch.Tensor:
            self.seen = tuple(noisy.shape[-2:])
            return noisy

    network, image = Watching(), np.random.default_rng(0).random((3, 37, 50), np.float32)
    result = denoise(network, image, square=square, device=torch.device("cpu"))
    assert network.seen == expected
    np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("channels", [1, 3])
def test_nlm_reduces_noise(channels: int) -> None:
    clean = np.kron(np.random.default_rng(0).random((channels, 8, 7)), np.ones((1, 8, 8))).astype(np.float32)
    noisy = clean + 0.1 * np.random.default_rng(1).standard_normal(clean.shape, np.float32)
    result = nlm(noisy, 0.1)
    assert result.shape == clean.shape
    assert np.mean((result - clean) ** 2) < 0.3 * np.mean((noisy - clean) ** 2)
