"""Frames that repeat, the file of the noise of scenes, its picture, and its words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from self2align.measuring.scenes import distinct, middle
from self2align.noise.profile import NoiseProfile
from self2align.noise.profiles import load_profiles, save_profiles
from self2align.noise.words import in_words
from self2align.report.noise import noise_png

SHARED = NoiseProfile(
    np.array([0.1, 0.9]),
    np.array([[0.001, 0.004]]),
    np.array([0, 0, 0, 0.5, 1, 0.5, 0, 0, 0]).reshape(1, 1, 3, 3),
    along=np.array([0.4, 0.1]),
    rows=0.2,
    error=0.1,
)


def test_frames_that_repeat_the_one_before_are_left_out() -> None:
    rng = np.random.default_rng(0)
    frames = rng.standard_normal((6, 1, 48, 48)).astype(np.float32)
    frames[2] = frames[1]
    frames[5] = frames[4] + 0.05 * frames[5]
    assert distinct(frames.__getitem__, 6) == [0, 1, 3, 4]


def test_of_large_frames_the_middle_is_measured() -> None:
    frame = np.arange(700 * 650, dtype=np.float32).reshape(1, 700, 650)
    assert middle(frame).shape == (1, 640, 640)
    assert middle(frame)[0, 0, 0] == frame[0, 30, 5]
    assert middle(frame[:, :50]).shape == (1, 50, 640)


def test_the_file_holds_the_same_noise(tmp_path: Path) -> None:
    path = tmp_path / "profiles.json"
    save_profiles(path, {"clip/one": SHARED, "clip/two": NoiseProfile.white(1, 0.0, 0.01)})
    found = load_profiles(path)
    assert list(found) == ["clip/one", "clip/two"]
    assert found["clip/one"].record() == SHARED.record()
    assert found["clip/two"].is_white


@pytest.mark.parametrize("text", ["", "[]", '{"a": 3}', '{"a": {}}'])
def test_a_file_that_holds_none_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "profiles.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"profiles\.json: found no noise of scenes .*, expected"):
        load_profiles(path)


def test_the_same_noise_gives_the_same_picture() -> None:
    noise = {"one": SHARED, "two": NoiseProfile.white(3, 0.0, 0.01)}
    assert noise_png(noise) == noise_png(noise)
    assert noise_png(noise).startswith(b"\x89PNG")


def test_noise_is_said_in_words() -> None:
    text = in_words(SHARED)
    assert "sigma 12.8 of 255 (8.06 in the darkest places, 16.1 in the brightest)" in text
    assert "neighbouring pixels correlate at" in text
    assert "carries 40% of it to the next frame and some over 2 frames" in text
    assert "rows share 20%" in text
    assert "within 5%" in text
    assert "of 255 (8.06 in the darkest places, 16.1 in the brightest) or more: a codec" in in_words(
        replace(SHARED, least=True)
    )
    assert "independent from pixel to pixel" in in_words(NoiseProfile.white(1, 0.0, 0.01))
    # What little white noise seems to share by chance goes unsaid.
    chance = replace(SHARED, covariance=SHARED.covariance * 0.04 + 0.96 * (SHARED.covariance == 1))
    assert "independent from pixel to pixel" in in_words(chance)
