import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from self2align.images.files import write_png
from self2align.survey.footage import survey_footage
from self2align.survey.profile import read_profile
from self2align.survey.settings import choose
from self2align.videos.opening import stated_frames
from self2align.videos.yuv import Yuv, planar_frame
from tests.videos.making import spoil, write

Levels = NDArray[np.uint8]


def frames_of(texture: NDArray[np.float32], count: int = 6, sigma: float = 10.0) -> list[Levels]:
    """Noisy frames ``(H, W, 3)``: a window of 96 x 128 px that moves by (3, 2) px per frame."""
    draw, picture = np.random.default_rng(0), 40 + 160 * texture.transpose(1, 2, 0)
    windows = (picture[2 * t : 96 + 2 * t, 3 * t : 128 + 3 * t] for t in range(count))
    noisy = (window + sigma * draw.standard_normal(window.shape) for window in windows)
    return [frame.clip(0, 255).round().astype(np.uint8) for frame in noisy]


def write_scene(folder: Path, frames: list[Levels]) -> None:
    for number, frame in enumerate(frames):
        write_png(folder / f"{number:03d}.png", frame)


def write_video(path: Path, frames: list[Levels]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")))
        container.mux(stream.encode())


def test_folders_of_images_are_described(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    for scene in ("b[1]", "a"):
        write_scene(tmp_path / scene, frames_of(texture))
    found = survey_footage(tmp_path)
    assert (found.kind, found.scenes, found.frames) == ("folder", 2, 6)
    assert found.parts == ("a", "b[[]1]")
    assert (found.size, found.gray, found.surveyed[0].bits) == ((96, 128), False, 8)
    assert found.motion == pytest.approx((13**0.5, 13**0.5), abs=0.7)
    assert 255 * found.noise.sigma == pytest.approx(10, rel=0.2)
    assert found.noise.fixed is not None


def test_a_video_is_described(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    write_video(tmp_path / "clip.mkv", frames_of(texture, 8))
    found = survey_footage(tmp_path / "clip.mkv")
    assert (found.kind, found.scenes, found.parts) == ("video", 1, ("clip/000",))
    assert found.frames == 8
    write_video(tmp_path / "more.mkv", frames_of(texture, 8))
    found = survey_footage(tmp_path)
    assert (found.kind, found.scenes, found.parts) == ("video", 2, ("clip/*", "more/*"))


def test_repeated_frames_are_left_out_and_named(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    frames = [frame for frame in frames_of(texture) for _ in range(2)]
    write_scene(tmp_path, frames)
    found = survey_footage(tmp_path)
    assert found.motion[0] == pytest.approx(13**0.5, abs=0.7), "repeated frames are left out"
    assert max(map(abs, found.shared.values())) < 0.05
    assert found.surveyed[0].evidence.left_out == {"copy": (1, 3, 5, 7, 9, 11)}


def test_sixteen_bits_and_gray_are_detected(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    for number, frame in enumerate(frames_of(texture)):
        deep = frame[..., 0].astype(np.uint16) * np.uint16(16)  # 8 bits, stored in 16, shifted by 4
        Image.fromarray(deep).save(tmp_path / f"{number}.tif")
    scene = survey_footage(tmp_path).surveyed[0]
    assert scene.gray
    assert scene.bits == 12
    assert scene.brightest == pytest.approx(16 * 255 / 65535, rel=0.3)
    assert scene.frames.shape == (2, 1, 96, 128)


def test_a_stack_is_distinguished_from_single_images(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    gray = np.stack(frames_of(texture))[..., 0]
    tifffile.imwrite(tmp_path / "series.tif", gray)
    for path in (tmp_path, tmp_path / "series.tif"):
        found = survey_footage(path)
        assert (found.kind, found.scenes, found.frames, found.parts) == ("stack", 1, 6, ("series",))


def test_a_path_without_footage_is_refused(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match=r"none: found nothing, expected a video"):
        survey_footage(tmp_path / "none")
    with pytest.raises(ValueError, match=r"found neither images nor videos"):
        survey_footage(tmp_path)
    write_scene(tmp_path, frames_of(texture, 1))
    with pytest.raises(ValueError, match=r"found one frame alone in .*, expected two frames or more"):
        survey_footage(tmp_path)


@pytest.mark.parametrize(("pixels", "bits"), [("yuv444p", 8), ("yuv444p10le", 10)])
def test_noise_above_white_and_below_black_is_measured_as_it_is(
    tmp_path: Path, texture: NDArray[np.float32], pixels: str, bits: int
) -> None:
    # Half of the noise at the dark end lies below 16 of 255, and the light end at 245 above 235.
    draw, sigma = np.random.default_rng(0), 8 / 255
    yuv, size = Yuv(bits, (1, 1), full=False), (96, 128)
    black = [np.full(size, code << bits - 8, np.uint16) for code in (16, 128, 128)]
    with av.open(str(tmp_path / "clip.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        for t in range(9):
            light = 1.045 * np.clip(1.4 * texture[:, 2 * t : 96 + 2 * t, 3 * t : 128 + 3 * t] - 0.2, 0, 1)
            noisy = light + sigma * draw.standard_normal(light.shape).astype(np.float32)
            out.mux(stream.encode(planar_frame(yuv.coded(yuv.added(black, noisy), yuv), pixels)))
        out.mux(stream.encode(None))
    found = survey_footage(tmp_path / "clip.mkv")
    assert found.noise.sigma == pytest.approx(sigma, rel=0.04)
    assert max(found.noise.clipped) < 0.001
    assert (found.surveyed[0].bits, found.surveyed[0].white) == (bits, 255 if bits == 8 else 65535)
    assert found.surveyed[0].brightest > 1.04
    profile = read_profile(Path("profiles/default.yaml"))
    assert choose(found, profile).white is None


def test_interlaced_footage_and_what_was_left_out_are_remarked(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", "libx264", 40, size=(64, 96), options={"g": "12", "x264-params": "tff=1"})
    spoil(tmp_path / "a.mp4", 20, "zeros")
    with pytest.raises(ValueError, match="--skip-damaged"):
        survey_footage(tmp_path / "a.mp4")
    found = survey_footage(tmp_path / "a.mp4", skip_damaged=True)
    assert (found.scenes, found.skip_damaged) == (2, True)
    remarks = choose(found, read_profile(Path("profiles/default.yaml"))).remarks
    assert "left out: " in remarks[0]
    assert remarks[1].startswith("frames are interlaced: lines of two moments alternate")


def test_frames_of_videos_are_those_that_decode(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    path = tmp_path / "clip.avi"
    write_video(path, frames_of(texture, 24))
    data = path.read_bytes()
    assert data.count((24).to_bytes(4, "little")) >= 2
    path.write_bytes(
        data.replace((24).to_bytes(4, "little"), (48).to_bytes(4, "little"), 2)
    )  # two headers say twice as many
    assert stated_frames(path) == 48
    assert survey_footage(path).frames == 24
    # Of six files, four are opened.
    for number in range(5):
        shutil.copyfile(path, tmp_path / f"clip{number}.avi")
    found = survey_footage(tmp_path)
    assert (found.scenes, found.frames) == (6, (4 * 24 + 2 * 48) // 6)
