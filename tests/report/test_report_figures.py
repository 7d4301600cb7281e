import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from self2align.report.canvas import enlarge, fit, shorten, text_width, to_picture
from self2align.report.contact_sheet import ShownPair, ShownScene, pair_sheet, scene_sheet
from self2align.report.figures import Compared, CropBox, Curve, busiest_crop, comparison, curve_png


def contains(page: NDArray[np.uint8], picture: NDArray[np.uint8]) -> bool:
    """Whether a picture lies somewhere on a page, pixel for pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(page, picture.shape[:2], axis=(0, 1))
    corners = (windows[..., 0, 0] == picture[0, 0]).all(-1) & (windows[..., -1, -1] == picture[-1, -1]).all(-1)
    return any((page[y:, x:][: len(picture), : picture.shape[1]] == picture).all() for y, x in np.argwhere(corners))


def noise(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_the_crop_is_where_the_detail_is() -> None:
    picture = np.full((100, 140, 3), 90, np.uint8)
    picture[40:60, 80:100] = noise(1, 20, 20, 3)
    crop = busiest_crop(picture, 20)
    # One more row and column has the gradient into the patch as well as those within it.
    assert abs(crop.top - 40) <= 1
    assert abs(crop.left - 80) <= 1
    assert crop.of(picture).shape == (20, 20, 3)


def test_a_small_image_is_its_own_crop_and_a_flat_one_starts_at_its_corner() -> None:
    assert busiest_crop(noise(2, 12, 40, 3), 16).height == 12
    assert busiest_crop(np.zeros((50, 60, 3), np.uint8), 16) == CropBox(0, 0, 16, 16)


def test_the_comparison_shows_every_crop_pixel_for_pixel() -> None:
    clean, ours = noise(3, 40, 50, 3), noise(4, 40, 50, 3)
    crop = CropBox(5, 7, 32, 32)
    image = Compared("set: a", clean, crop, {"ours": crop.of(ours)}, {"ours": (30.0, 0.9)})
    page = comparison([image], ["ours", "lost"], 32)
    assert contains(page, enlarge(crop.of(clean), 3))
    assert contains(page, enlarge(crop.of(ours), 3))


def test_many_methods_are_not_enlarged_so_that_the_page_stays_narrow() -> None:
    clean = noise(5, 128, 128, 3)
    methods = [f"method{n}" for n in range(8)]
    image = Compared("a", clean, CropBox(0, 0, 128, 128), dict.fromkeys(methods, clean), {})
    assert comparison([image], methods, 128).shape[1] < 1640


def curve(name: str, seed: int) -> Curve:
    steps = np.arange(1.0, 41.0)
    loss = 1 / steps + 0.01 * np.random.default_rng(seed).random(40)
    return Curve(name, np.stack([steps, loss], 1), np.stack([steps, loss], 1)[9::10])


def test_curves_have_the_same_bytes_twice_and_tell_no_software() -> None:
    curves = [curve("denoiser", 1), curve("n2n", 2)]
    png = curve_png(curves)
    assert png == curve_png(curves)
    assert b"matplotlib" not in png
    with Image.open(io.BytesIO(png)) as image:
        assert image.width > 1000


def test_without_validation_there_is_one_panel() -> None:
    alone = Curve("a", curve("a", 1).loss, np.zeros((0, 2)))
    with (
        Image.open(io.BytesIO(curve_png([alone]))) as one,
        Image.open(io.BytesIO(curve_png([curve("a", 1)]))) as two,
    ):
        assert one.width * 2 == two.width


def test_a_pair_is_on_its_sheet_pixel_for_pixel() -> None:
    generator = np.random.default_rng(4)
    target, source, warped = generator.random((3, 3, 128, 128), dtype=np.float32)
    confidence = generator.random((128, 128), dtype=np.float32)
    pair = ShownPair("a", (1, 2), target, source, warped, confidence, np.zeros((2, 128, 128), np.float32))
    page = pair_sheet("pairs", [pair])
    for values in (target, source, warped, confidence[None]):
        assert contains(page, to_picture(values))


def test_scenes_with_and_without_a_true_field_share_a_sheet() -> None:
    frames = [noise(n, 130, 140, 3) for n in range(3)]
    known = ShownScene("a", (0, 1, 2), frames, np.ones((2, 130, 140), np.float32))
    unknown = ShownScene("b", (0,), frames[:1], None)
    narrow, wide = scene_sheet("t", [unknown] * 2), scene_sheet("t", [known, unknown])
    assert contains(wide, frames[2])
    assert wide.shape[1] >= 4 * 140
    assert narrow.shape[1] <= wide.shape[1]


def test_pictures_are_made_smaller_but_never_larger() -> None:
    assert fit(noise(1, 100, 400, 3), 200, 200).shape == (50, 200, 3)
    small = noise(1, 10, 10, 3)
    assert fit(small, 200, 200) is small


def test_values_beyond_the_range_are_clipped_and_gray_becomes_rgb() -> None:
    picture = to_picture(np.array([[[-0.2, 0.5, 1.3]]], np.float32))
    assert picture.tolist() == [[[0, 0, 0], [128, 128, 128], [255, 255, 255]]]


def test_long_texts_keep_both_ends() -> None:
    text = "photographs/motorcycle-objects/000123"
    shown = shorten(text, 120, 12)
    assert text_width(shown, 12) <= 120
    assert shown.startswith("photo")
    assert shown.endswith("123")
    assert shorten("short", 120, 12) == "short"
