"""Real files that are odd in one way each, where they lie beside the project: right, or one line that says why not."""

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from self2align.media.containers import CONTAINERS
from self2align.media.footage import check_footage
from self2align.media.image import ImageFile
from self2align.media.medium import Choices
from self2align.media.picture import written_metadata
from self2align.media.run import open_media
from self2align.media.staging import asked
from self2align.media.video import VideoFile
from self2align.survey.footage import survey_footage
from self2align.videos.decoding import decode
from self2align.videos.opening import find_footage, opened
from self2align.videos.timing import look_through
from self2align.videos.yuv import read_planes
from tests.media.running import Run

ORIENTATION = 274


@pytest.fixture(params=[1, 3], ids=["gray", "rgb"])
def same(request: pytest.FixtureRequest) -> Run:
    """A normalised network that changes nothing."""
    return Run(request.param, normalised=True)


def _pages(path: Path) -> Any:
    with tifffile.TiffFile(path) as file:
        return [page.asarray() for page in file.pages]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("12in16bit.tif", {}),
        ("16bit.r.tif", {}),
        ("tiff_stack.tif", {"white": 4095, "sigma": 5}),
        ("ifd_tag_type.tiff", {"sigma": 5}),
        ("multi-channel-z-series.ome.tif", {"white": 127, "sigma": 5}),
        ("xyc_16bit__nuclei_tubulin.tif", {}),
    ],
)
def test_values_are_kept(tmp_path: Path, odd: Path, same: Run, name: str, told: dict[str, Any]) -> None:
    same(odd / "tiff" / name, tmp_path / name, **told)
    expected, found = _pages(odd / "tiff" / name), _pages(tmp_path / name)
    assert [page.dtype for page in found] == [page.dtype for page in expected]
    np.testing.assert_array_equal(found, expected)
    with tifffile.TiffFile(odd / "tiff" / name) as before, tifffile.TiffFile(tmp_path / name) as after:
        assert after.series[0].axes == before.series[0].axes
        assert after.series[0].shape == before.series[0].shape


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("tiff_tiled_planar_lzw.tiff", (169.66, 155.07, 160.61)),
        ("tiff_strip_planar_16bit_RGBa.tiff", (10821.12, 7495.51, 5669.84, 21317.18)),
    ],
)
def test_planes_in_lzw_are_read(tmp_path: Path, odd: Path, same: Run, name: str, means: tuple[float, ...]) -> None:
    same(odd / "tiff" / name, tmp_path / name)
    (page,) = _pages(tmp_path / name)
    np.testing.assert_allclose(page.mean((1, 2)), means, atol=0.01)


@pytest.mark.parametrize(
    ("name", "kind", "low", "high", "mean"),
    [
        ("12bit.cropped.tif", "uint16", 0, 30, 2.588),
        ("4bit.tif", "uint8", 0, 15, 7.5),
        ("pil168.tif", "uint8", 45, 240, 115.33),
    ],
)
def test_packed_bits_and_jpeg_in_tiff_are_read(
    tmp_path: Path, odd: Path, same: Run, name: str, kind: str, low: int, high: int, mean: float
) -> None:
    same(odd / "tiff" / name, tmp_path / name)
    (page,), (source,) = _pages(tmp_path / name), _pages(odd / "tiff" / name)
    assert (page.dtype.name, page.min(), page.max()) == (kind, low, high)
    assert page.mean() == pytest.approx(mean, abs=0.01)
    np.testing.assert_array_equal(page, source)


def test_phases_are_not_inverted(tmp_path: Path, odd: Path, run: Run) -> None:
    name = "10ct_32bit_128.tiff"
    run(odd / "tiff" / name, tmp_path / name)
    np.testing.assert_array_equal(_pages(tmp_path / name), _pages(odd / "tiff" / name))
    with tifffile.TiffFile(tmp_path / name) as file:
        assert file.pages.first.photometric == tifffile.PHOTOMETRIC.MINISBLACK


def test_white_point_and_primaries_have_their_counts(tmp_path: Path, odd: Path, run: Run) -> None:
    run(odd / "tiff" / "16bit.r.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        tags = file.pages.first.tags
        assert (tags["WhitePoint"].count, tags["PrimaryChromaticities"].count) == (2, 6)


def test_directories_are_written(odd: Path, tmp_path: Path) -> None:
    source = odd / "tiff" / "ifd_tag_type.tiff"
    ((_, medium),) = open_media(asked(str(source), tmp_path / "out.tif", False), Choices(1))
    assert medium.notes == []


def test_two_channels_of_one_moment_are_no_footage(odd: Path, tmp_path: Path) -> None:
    source = str(odd / "tiff" / "xyc_16bit__nuclei_tubulin.tif")
    media = open_media(asked(source, tmp_path / "out.tif", False), Choices(1))
    with pytest.raises(ValueError, match=r"temporal: found channels or planes beside time in .*, expected time alone"):
        check_footage(source, media)


@pytest.mark.parametrize(
    ("path", "suffix", "message"),
    [
        ("tiff/subsampled.tif", ".tif", "found in page 0 subsampled YCbCr without JPEG; gray and RGB are read"),
        ("still/apng_delay.png", ".png", "found an animation of 5 frames, expected a single picture"),
        ("still/big-height.webp", ".webp", "found an animation of 99 frames, expected a single picture"),
        ("still/pil_sample_cmyk.jpg", ".jpg", "found pixels of mode CMYK, expected gray or RGB"),
        ("still/rgb32bf-rgba.bmp", ".bmp", r"found suffix '\.bmp' for a picture with alpha, expected \.png"),
        ("still/zPug_3.heic", ".heic", r"found suffix '\.heic', expected a picture"),
        ("still/zPug_3.heic", ".jpg", r"found a file of brand heic \(HEIF or video\), expected .* convert it to PNG"),
        ("science/emri_small.dcm", ".dcm", r"found suffix '\.dcm', expected a picture"),
        ("science/example4d.nii.gz", ".gz", r"found suffix '\.gz', expected a picture"),
        ("science/EMD-3197.map", ".map", r"found suffix '\.map', expected a picture"),
    ],
)
def test_what_is_not_read_is_refused_before_any_work(
    odd: Path, tmp_path: Path, path: str, suffix: str, message: str
) -> None:
    shutil.copyfile(odd / path, tmp_path / f"in{suffix}")
    with pytest.raises(ValueError, match=message) as told:
        open_media(asked(str(tmp_path / f"in{suffix}"), tmp_path / f"out{suffix}", False), Choices(3))
    assert "\n" not in str(told.value)


def test_a_photograph_with_smooth_ground_keeps_its_colours(odd: Path, tmp_path: Path, rgb: Run) -> None:
    rgb(odd / "still" / "xmp_test.jpg", tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        pixels = np.asarray(image, np.float64)
    np.testing.assert_allclose(pixels.mean((0, 1)), (129.69, 127.74, 125.87), atol=0.3)


@pytest.mark.parametrize("name", ["7x13.png", "RGBA_16__128x128.png", "exif_imagemagick_orientation.png"])
def test_pictures_are_kept(odd: Path, tmp_path: Path, rgb: Run, name: str) -> None:
    rgb(odd / "still" / name, tmp_path / name)
    with Image.open(odd / "still" / name) as before, Image.open(tmp_path / name) as after:
        np.testing.assert_array_equal(after.convert("RGBA"), before.convert("RGBA"))
        assert after.getexif().get(ORIENTATION) == before.getexif().get(ORIENTATION)
        assert set(before.info) <= set(after.info)


def test_a_transparent_value_of_sixteen_bits_becomes_alpha(odd: Path, tmp_path: Path, rgb: Run) -> None:
    rgb(odd / "still" / "i_trns.png", tmp_path / "out.png")
    with Image.open(odd / "still" / "i_trns.png") as image:
        gray = np.asarray(image)
    pixels = np.asarray(cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED))
    np.testing.assert_array_equal(pixels[..., 0], gray)
    np.testing.assert_array_equal(pixels[..., 3] == 0, gray == 255)
    assert np.mean(pixels[..., 3] == 0) == pytest.approx(0.1365, abs=1e-4)


def test_bmp_with_alpha_becomes_png(odd: Path, tmp_path: Path, rgb: Run) -> None:
    rgb(odd / "still" / "rgb32bf-rgba.bmp", tmp_path / "out.png")
    with Image.open(odd / "still" / "rgb32bf-rgba.bmp") as before, Image.open(tmp_path / "out.png") as after:
        np.testing.assert_array_equal(np.asarray(after), np.asarray(before))


def test_a_neutral_jpeg_stays_neutral_and_keeps_iptc(odd: Path, tmp_path: Path, rgb: Run) -> None:
    rgb(odd / "still" / "exif-dpi-zerodivision.jpg", tmp_path / "out.jpg")
    with Image.open(odd / "still" / "exif-dpi-zerodivision.jpg") as before, Image.open(tmp_path / "out.jpg") as after:
        assert np.abs(np.asarray(before).astype(int) - np.asarray(after)).max() <= 1
        assert after.info["photoshop"] == before.info["photoshop"]
        assert after.info["xmp"] == before.info["xmp"]


def test_an_mpo_by_the_name_of_a_jpeg_becomes_its_first_picture(odd: Path, tmp_path: Path, rgb: Run) -> None:
    shutil.copyfile(odd / "still" / "sugarshack.mpo", tmp_path / "in.jpg")
    rgb(tmp_path / "in.jpg", tmp_path / "out.jpg", sigma=1)
    lines = ("the thumbnail in its EXIF data, which shows the picture as it was", "the further pictures of this file")
    assert sorted(rgb.notes) == sorted(f"{tmp_path / 'in.jpg'}: not written: {line}" for line in lines)
    with Image.open(tmp_path / "out.jpg") as image:
        assert (image.format, "mp" in image.info) == ("JPEG", False)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("ultra-hdr.jpg", "the HDR gain map"),
        ("pixel-motion-photo-shortened.jpg", "the video of this motion photo"),
    ],
)
def test_what_is_appended_is_named_and_announced_no_more(odd: Path, tmp_path: Path, name: str, part: str) -> None:
    source = odd / "still" / name
    medium = ImageFile(source, tmp_path / "out.jpg", Choices(3))
    notes = [f"{source}: not written: {text}" for text in (part, "its XMP, which announces them")]
    if "shortened" in name:
        notes.append(f"{source}: found data that end early or are damaged: what does not decode is gray")
    assert medium.notes == notes
    written = written_metadata("JPEG", medium.info)
    assert not {"xmp", "extra"} & set(written)
    assert "icc_profile" in written
    if "motion" in name:
        exif = Image.Exif()
        exif.load(written["exif"])
        assert exif[ORIENTATION] == 6


# Name -> frames, the first and the last time (s), stored means of Y, U and V, and what is said.
VIDEOS = {
    "bulk-water.mov": (480, 0.0, 19.978, (128.20, 90.13, 144.17), []),
    "hlg10-color-test.mp4": (9, 0.0, 0.267, (574.72, 497.12, 520.63), []),
    "iibbibb_editlist_videoonly.mp4": (12, 0.0, 11.0, (124.66, 128.85, 126.41), []),
    "sample_gamma2.2.mp4": (60, 0.0, 0.983, (117.53, 128.77, 129.51), []),
    "sample_sef_slow_motion.mp4": (63, 0.0, 2.067, (140.07, 120.95, 133.90), []),
    "bear-vp9-odd-dimensions.webm": (30, 0.0, 0.968, (134.70, 128.96, 125.71), []),
    "testvid_1022ms.mp4": (30, 0.0, 0.969, (48.85, 128.01, 127.98), []),
    "sample-with-large-length.avi": (58, 0.0, 1.9, (206.16, 137.26, 116.47), []),
    "roadtrip-vp92-10bit.webm": (72, 0.0, 2.961, (386.66, 518.71, 504.30), []),
    "bbb_176x144_128kbps_15fps_h263.3gp": (15, 0.0, 0.933, (99.84, 106.66, 126.14), []),
    "fragmented_captions_h265.mp4": (61, 0.067, 2.069, (46.03, 131.75, 132.68), ["not written: its closed captions"]),
    "dolbyVision-hdr.MOV": (
        *(4, 0.0, 0.1, (647.96, 515.18, 502.85)),
        [f"its data stream {number} is not copied" for number in (2, 3, 4)]
        + ["not written: its Dolby Vision", "not written: its HDR viewing environment"],
    ),
    "sample_with_it35_track.mp4": (30, 0.0, 0.969, (497.44, 511.03, 513.59), ["its data stream 1 is not copied"]),
}


class Same:
    """A denoiser that changes nothing, not even frames for its measurement of noise."""

    radius = 0

    def __call__(self, frames: Any, progress: Any = None, sigma: Any = None, colours: bool = True) -> Any:
        """Yield the frames."""
        for frame in frames:
            yield frame.copy()


@pytest.mark.parametrize("name", VIDEOS)
def test_videos_are_kept(odd: Path, tmp_path: Path, name: str) -> None:
    source, (count, first, last, means, told) = odd / "video" / name, VIDEOS[name]
    suffix = source.suffix if source.suffix.lower() in CONTAINERS else ".mkv"
    medium = VideoFile(source, tmp_path / f"out{suffix}", Choices(3))
    assert (medium.count, medium.notes) == (count, [f"{source}: {line}" for line in told])
    (tmp_path / "parts").mkdir()
    medium.work(tmp_path / "parts", Same(), lambda done, total: None)
    medium.assemble(tmp_path / "parts", medium.target)
    before, after = look_through(source, None), look_through(medium.target, None)
    with opened(source) as one, opened(medium.target) as other:
        index = find_footage(source, one).index
        ticks = [float(one.streams[index].time_base), float(other.streams[0].time_base)]
    times = [np.array(course.times) * tick for course, tick in zip((before, after), ticks, strict=True)]
    np.testing.assert_allclose(times[1], times[0], atol=0.0006)  # Matroska counts ms
    np.testing.assert_allclose([times[1][0], times[1][-1]], [first, last], atol=0.001)
    shown, kept = next(decode(source)), next(decode(medium.target))
    assert kept.format.name == shown.format.name
    for kind in ("color_range", "colorspace", "color_primaries", "color_trc", "rotation"):
        assert getattr(kept, kind) == getattr(shown, kind)
    planes = [[plane.mean() for plane in read_planes(frame)] for frame in decode(medium.target)]
    levels = 1 if max(means) < 256 else 4
    np.testing.assert_allclose(np.mean(planes, 0), means, atol=0.3 * levels)


def test_of_spatial_video_the_base_view_is_read(odd: Path, tmp_path: Path) -> None:
    source = odd / "video" / "water_180_mvhevc_5frames.mov"
    medium = VideoFile(source, tmp_path / "out.mov", Choices(3))
    assert medium.count == 5
    assert "its video stream 0 holds several views: the base view is read" in medium.notes[0]


@pytest.mark.parametrize("name", ["bbb_176x144_128kbps_15fps_h263.3gp", "bear-vp9-odd-dimensions.webm"])
def test_videos_are_set_up_for_training_as_they_are_denoised(odd: Path, name: str) -> None:
    found = survey_footage(odd / "video" / name)
    assert (found.kind, found.scenes, found.surveyed[0].bits) == ("video", 1, 8)
