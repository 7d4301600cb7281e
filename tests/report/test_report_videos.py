import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from self2align.evaluation.block_errors import write_blocks
from self2align.report.html.page import html_page
from self2align.report.inputs import VideoMethod
from self2align.report.page import markdown_page
from self2align.report.tables import NOT_RUN, NOTHING
from self2align.report.videos import VideoResults, read_videos
from tests.report.test_report_html import Reader, results, shown

METHODS = {
    "noisy": VideoMethod("pipeline/methods/noisy.py"),
    "first": VideoMethod("other.safetensors"),
    "single": VideoMethod("ours.safetensors"),
    "fused": VideoMethod("ours.safetensors", 2),
    "several": VideoMethod("several.safetensors", 2),
    "absent": VideoMethod("absent.safetensors", 2),
}
ERRORS = {"noisy": 600.0, "first": 30.0, "single": 40.0, "fused": 20.0, "several": 15.0}
HEADER = "set,sequence,sigma,frames,psnr,ssim,flicker,frames_sha256,noise_sha256"


def leave(folder: Path, method: str, error: float, noise: str = "cd") -> None:
    """Write what the stage leaves of one sequence of which every block has the same error."""
    psnr = 48.13 - 10 * np.log10(error)
    figures: dict[str, Any] = {"sequences": 1, "frames": 5, "psnr": psnr, "ssim": 0.9, "flicker": None}
    (folder / method).mkdir(parents=True, exist_ok=True)
    (folder / method / "metrics.json").write_text(json.dumps({"davis": {"25": figures}}))
    (folder / method / "sequences.csv").write_text(f"{HEADER}\ndavis,bear,25,5,{psnr:.4f},0.9,,ab,{noise}\n")
    write_blocks(folder / method / "blocks.safetensors", {"davis/bear/25": np.full((5, 3, 4), error, np.float32)})


@pytest.fixture
def left(tmp_path: Path) -> Path:
    for method, error in ERRORS.items():
        leave(tmp_path, method, error)
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "metrics.json").write_text(json.dumps({"skipped": "the baseline was not trained"}))
    return tmp_path


def test_rows_with_neighbours_are_compared_with_single_frames_of_their_weights_or_the_first_ones(left: Path) -> None:
    ((title, (header, rows)),) = read_videos(left, METHODS).tables()
    assert title == "davis, sigma 25, 1 sequence of 5 frames"
    assert header == ["method", "PSNR, dB", "SSIM", "flicker", "ghosting, dB"]
    assert {row[0]: row[4] for row in rows} == {
        **dict.fromkeys(("noisy", "first", "single", "absent"), NOTHING),
        "fused": "-3.01",  # 20 for 40
        "several": "-3.01",  # 15 for 30
    }
    assert rows[-1][:3] == ["absent", NOT_RUN, NOTHING]
    assert rows[2][1] == "32.11"


def test_details_have_each_sequence_and_the_digests(left: Path) -> None:
    (_, (header, scores)), (_, (_, digests)) = read_videos(left, METHODS).details()
    assert header == ["sequence", "sigma", *ERRORS]
    assert scores == [["davis/bear", "25", "20.35", "33.36", "32.11", "35.12", "36.37"]]
    assert digests == [["davis/bear", "5", "ab", "cd"]]


def test_methods_that_had_other_noise_are_not_put_into_one_table(left: Path) -> None:
    leave(left, "fused", 20.0, noise="ef")
    with pytest.raises(ValueError, match=r"fused: found other frames or noise for davis/bear than in noisy"):
        read_videos(left, METHODS)


def test_a_damaged_file_of_blocks_is_one_line(left: Path) -> None:
    path = left / "fused" / "blocks.safetensors"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match=r"fused/blocks\.safetensors: found a damaged file") as error:
        read_videos(left, METHODS)
    assert "\n" not in str(error.value)


def test_the_title_counts_the_frames_of_all_sequences(left: Path) -> None:
    figures = json.loads((left / "noisy" / "metrics.json").read_text())
    figures["davis"]["25"] |= {"sequences": 30, "frames": 2294}
    ((title, _),) = VideoResults({"noisy": figures}, {}, {}).tables()
    assert title == "davis, sigma 25, 30 sequences of 2294 frames in all"


def test_without_a_measured_row_there_is_no_table() -> None:
    results = VideoResults({"absent": {"skipped": "why"}}, {}, {})
    assert results.tables() == []
    assert results.details() == []


def test_both_pages_have_the_tables_and_say_what_did_not_run(left: Path) -> None:
    found = replace(results(), videos=read_videos(left, METHODS))
    page = markdown_page(found, shown())
    for line in (
        "davis, sigma 25, 1 sequence of 5 frames:",
        f"| fused | 35.12 | 0.900 | {NOTHING} | -3.01 |",
        "- absent: not run: the baseline was not trained",
        "| davis/bear | 5 | ab | cd |",
    ):
        assert line in page.splitlines()
    html = Reader(html_page(found, shown()))
    assert "davis, sigma 25, 1 sequence of 5 frames." in html.text
    assert "not run: the baseline was not trained" in html.text
    assert {"id": "video", "aria-labelledby": "video-title"} in html.all("section")
    assert {"href": "#video"} in html.all("a")
    assert "## Video" not in markdown_page(results(), shown())
    assert "#video" not in html_page(results(), shown())


def test_pages_without_a_measured_row_say_so() -> None:
    found = replace(results(), videos=VideoResults({"absent": {"skipped": "why"}}, {}, {}))
    assert "Nothing was measured.\n\n- absent: not run: why" in markdown_page(found, shown())
    assert "Nothing was measured." in Reader(html_page(found, shown())).text
