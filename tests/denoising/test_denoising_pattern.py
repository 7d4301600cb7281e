"""A fixed pattern is taken off before anything is denoised: of files, of arrays, and of frames for training."""

from pathlib import Path

import numpy as np
import pytest

from self2align.denoising.denoiser import _pattern
from self2align.media.medium import Frames
from self2align.noise.model import NoiseSettings
from self2align.noise.pattern import FixedPattern
from self2align.noise.synthesis import add_noise
from self2align.runtime.progress import silent
from self2align.stores.codes import Coding
from self2align.stores.frames import FrameStore, Part, SceneRecord, write_frames

SHAPE = (2, 1, 32, 40)
PATTERN = FixedPattern.of(np.random.default_rng(0).integers(0, 20, SHAPE[1:]).astype(np.uint8), 255.0)
NONE = NoiseSettings("none", 0.0, None, 1.0)


def _stored(folder: Path, codes: np.ndarray) -> FrameStore:
    record = SceneRecord("clips", "one", ("pairs",), "", 0, len(codes), *codes.shape[2:])
    part = Part(record, Coding("uint8", 1 / 255), 1, "")
    write_frames(folder / "frames.zarr", [part], lambda _, start, stop: codes[start:stop], {}, folder, lambda *_: None)
    return FrameStore(folder / "frames.zarr")


def test_frames_for_training_come_without_it(tmp_path: Path) -> None:
    scene = np.random.default_rng(1).integers(40, 200, SHAPE)
    offsets = np.rint(PATTERN.values - PATTERN.values.min()).astype(int)
    store = _stored(tmp_path, (scene + offsets).astype(np.uint8))
    add_noise([store], noise=NONE, seed=0, out=tmp_path / "noisy.zarr", bars=silent, pattern=PATTERN)
    made = FrameStore(tmp_path / "noisy.zarr")
    found = 255 * made.frames(made.scenes[0])
    np.testing.assert_allclose(found - found.mean(), scene - scene.mean(), atol=0.02)
    assert made.attributes["fixed_pattern"] == PATTERN.digest


def test_scenes_of_another_size_are_refused(tmp_path: Path) -> None:
    store = _stored(tmp_path, np.zeros((2, 1, 40, 40), np.uint8))
    with pytest.raises(ValueError, match="clips/one: found frames of 40 x 40 px with 1 channels, and a fixed pattern"):
        add_noise([store], noise=NONE, seed=0, out=tmp_path / "noisy.zarr", bars=silent, pattern=PATTERN)


def test_files_and_arrays_are_read_without_it() -> None:
    coding = Coding("uint8", 1 / 255)
    stored = np.full(SHAPE[1:], 100, np.uint8)
    frames = Frames(Path("one.png"), 1, coding, lambda _: stored, pattern=PATTERN)
    wanted = 100 - PATTERN.values
    np.testing.assert_allclose(255 * frames.decode(0, stored), wanted, atol=1e-4)
    np.testing.assert_allclose(
        255 * _pattern(PATTERN.values[0], SHAPE[1:]).off(coding.decode(stored), coding), wanted, atol=1e-4
    )
