"""Pictures of measures: one panel a measure that is known, the same bytes twice."""

import io

from PIL import Image

from self2align.report.measures import alignment_png, scores_png

ROWS = [
    {"aligner": name, "scene": scene, "psnr": f"{level + place}", "endpoint_error": "", "noise_ratio": "0.6"}
    for level, name in ((20, "unaligned"), (30, "ours"))
    for place, scene in enumerate("abc")
]
NAMES = ["unaligned", "ours"]


def _size(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        return image.size


def test_the_picture_has_a_panel_for_every_measure_that_is_known() -> None:
    two = alignment_png(ROWS, NAMES)
    assert two == alignment_png(ROWS, NAMES)
    assert b"matplotlib" not in two
    one = alignment_png([{**row, "noise_ratio": ""} for row in ROWS], NAMES)
    timed = alignment_png(ROWS, NAMES, {"ours": 12.0})
    assert 2 * _size(one)[0] == _size(two)[0]
    assert 3 * _size(one)[0] == _size(timed)[0]


def test_an_aligner_without_figures_keeps_its_line() -> None:
    assert _size(alignment_png(ROWS, [*NAMES, "gone"]))[1] > _size(alignment_png(ROWS, NAMES))[1]


def test_the_distribution_of_scores_is_drawn_the_same_twice() -> None:
    rows = [{"from": "0.0", "to": "0.5", "ssim": "9", "ssim_filtered": "1"}]
    png = scores_png(rows)
    assert png == scores_png(rows)
    assert png != scores_png([{**rows[0], "ssim": "1"}])
