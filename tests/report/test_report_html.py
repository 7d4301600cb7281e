import base64
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import Environment, meta
from PIL import Image
from ruamel.yaml import YAML

from self2align.report.figures import Compared, CropBox, Curve
from self2align.report.html.crops import AMPLIFIED, error_map, show_image
from self2align.report.html.grids import benchmark_grid, best_lines, grid, image_grid
from self2align.report.html.page import html_page
from self2align.report.html.plots import curve_plots, gain_plot, round_ticks
from self2align.report.html.render import inline
from self2align.report.published import SYSTEMS
from self2align.report.results import GalleryPair, Illustrations, Results
from self2align.report.samples import take_apart
from self2align.report.tables import AblationLine

ROOT = Path(__file__).parents[2]
ODD = "<b>&\"'"
VOID = {"meta", "img", "input", "br"}
SPREAD = {"mean": 0.5, "median": 0.5, "p05": 0.1, "p95": 0.9}
FIGURES: dict[str, dict[str, Any]] = {
    "noisy": {"kodak": {"psnr": 20.0, "ssim": 0.3, "images": 2, "repeats": 1}},
    "ours": {"kodak": {"psnr": 30.004, "ssim": 0.9, "images": 2, "repeats": 1}},
    "equal": {"kodak": {"psnr": 29.996, "ssim": 0.8, "images": 2, "repeats": 1}},
    ODD: {"kodak": {"psnr": 25.0, "ssim": 0.7, "images": 2, "repeats": 1}},
    "slow": {"skipped": "it needs <a> GPU"},
}
SCORES = ((20.0, 0.3), (30.0, 0.9), (25.0, 0.5), (29.0, 0.8))  # of the first image, in order
DRAWN = ("samples.png", "alignment.png", "scores.png")
PICTURES = ("comparison.png", *DRAWN, "curve.png")
RAN = [name for name, row in FIGURES.items() if "skipped" not in row]


class Reader(HTMLParser):
    """Elements of a page in order, with their attributes and text; fails where tags do not balance."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def results() -> Results:
    return Results(
        noise="Gaussian noise, sigma 25",
        repeats="quick",
        sets=["kodak"],
        noisy="noisy",
        benchmark=FIGURES,
        means={
            (method, "kodak", f"i/{ODD}{number}"): (FIGURES[method]["kodak"]["psnr"], 0.5)
            for method in RAN
            for number in range(2)
        },
        systems={**dict.fromkeys(SYSTEMS), "N2N": "ours", "DIP": "slow"},
        published={"kodak": 0},
        ablation=[AblationLine("self2align", "adaptive", "ssim", 0.5, "ours")],
        alignment={ODD: {"psnr": 20.0}, "dis": {"skipped": "why not"}},
        scenes=[{"aligner": ODD, "scene": f"s/{ODD}", "psnr": "20.5"}],
        pairs={"pairs": 1200, "validation_pairs": 3, "scenes_left_out": 1, "ssim": SPREAD},
        trainings={
            "denoiser": {"objective": ODD, "steps": 1000, "loss": 0.01, "keep_probability": SPREAD},
            "n2c": {"objective": "n2c", "skipped": "no clean frames"},
        },
        curves=[curve("denoiser"), curve(ODD)],
        parameters={"seed": 3, "odd": {"a": ODD}},
        versions={"torch": "2"},
    )


def picture(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def compared() -> Compared:
    crop = CropBox(5, 10, 16, 20)
    crops = {name: crop.of(picture(number)) for number, name in enumerate(RAN) if name != "equal"}
    return Compared(f"kodak: {ODD}", picture(9), crop, crops, dict(zip(RAN, SCORES, strict=True)))


def curve(name: str) -> Curve:
    steps = np.arange(10.0, 1010.0, 10.0)
    points = np.stack([steps, 1 / steps], axis=1)
    return Curve(name, points, points[9::10])


def shown() -> Illustrations:
    png = io.BytesIO()
    Image.new("RGB", (4, 4)).save(png, format="PNG")
    return Illustrations(
        images=[compared()],
        missing=[f"equal: kodak/{ODD}"],
        samples=take_apart(np.zeros((8, 12, 3), np.uint8)),
        pairs=[GalleryPair(f"s/{ODD}", f"SSIM {ODD}", {"target": png.getvalue(), "warped": png.getvalue()})],
        files=dict.fromkeys(PICTURES) | dict.fromkeys(DRAWN, png.getvalue()),
    )


def decoded(uri: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))) as image:
        return np.asarray(image)


def test_the_page_is_balanced_and_has_the_same_bytes_twice() -> None:
    page = html_page(results(), shown())
    found = Reader(page)
    assert page == html_page(results(), shown())
    assert [len(found.all(tag)) for tag in ("html", "main", "header", "nav", "h1")] == [1] * 5
    assert found.all("html")[0]["lang"] == "en"


def test_the_page_asks_for_nothing_beside_it() -> None:
    page = html_page(results(), shown())
    for _, attributes in Reader(page).elements:
        for key in {"src", "href", "srcset", "data", "action", "poster"} & set(attributes):
            assert attributes[key].startswith(("data:image/png;base64,", "#"))
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttp", page)


def test_every_link_and_label_leads_somewhere() -> None:
    found = Reader(html_page(results(), shown()))
    names = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(names) == len(set(names))
    links = [link["href"].removeprefix("#") for link in found.all("a")]
    labels = [attributes["aria-labelledby"] for _, attributes in found.elements if "aria-labelledby" in attributes]
    assert {*links, *labels} <= set(names)


def test_names_are_escaped() -> None:
    page = html_page(results(), shown())
    found = Reader(page)
    assert ODD not in page
    assert '<b>&"' not in page
    assert found.text.count(ODD) > 10
    # The only bold elements are the names above the crops.
    assert len(found.all("b")) == 1 + len(RAN)


def test_every_picture_and_plot_says_what_it_shows() -> None:
    found = Reader(html_page(results(), shown()))
    images = found.all("img")
    # The whole; clean and all but one method, with errors; a pair of two; and pictures.
    assert len(images) == 1 + 2 * len(RAN) + 2 + len(DRAWN)
    assert all(image["alt"].strip() for image in images)
    plots = [one for one in found.all("svg") if one.get("role") == "img"]
    assert len(plots) == 3
    assert all(plot["aria-label"].strip() for plot in plots)


def test_what_did_not_run_is_named_and_never_a_number() -> None:
    rows = {row.name: row for row in benchmark_grid("", FIGURES, ["kodak"], "noisy").rows}
    assert rows["slow"].instead == "not run: it needs <a> GPU"
    assert not rows["slow"].cells
    text = Reader(html_page(results(), shown())).text
    for why in ("it needs <a> GPU", "why not", "no clean frames"):
        assert f"not run: {why}" in text


def test_the_best_are_marked_and_equals_are_both_best() -> None:
    rows = {row.name: row.cells for row in benchmark_grid("", FIGURES, ["kodak"], "noisy").rows}
    assert [(cell.text, cell.best) for cell in rows["ours"]] == [("30.00", True), ("0.900", True), ("+10.00", False)]
    assert [(cell.text, cell.best) for cell in rows["equal"]] == [("30.00", True), ("0.800", False), ("+10.00", False)]
    assert not [cell for cell in rows["noisy"] if cell.best]
    assert best_lines(FIGURES, ["kodak"], "noisy") == {"kodak": "ours, equal, 30.00 dB, +10.00 dB over noisy"}


def test_without_noisy_images_there_are_no_gains_and_a_set_may_be_missing() -> None:
    table = benchmark_grid("", {"ours": {"a": {"psnr": 30.0, "ssim": 0.9}}}, ["a", "b"], None)
    assert table.header == ["method", "PSNR, dB", "SSIM", "PSNR, dB", "SSIM"]
    assert [cell.text for cell in table.rows[0].cells] == ["30.00", "0.900", "\u2013", "\u2013"]


def test_the_best_of_each_image_is_marked() -> None:
    means = {("a", "s", "x"): (30.0, 0.9), ("b", "s", "x"): (31.0, 0.8), ("a", "s", "w"): (20.0, 0.1)}
    rows = image_grid("", means, "s", ["a", "b"]).rows
    assert [(row.name, [cell.best for cell in row.cells]) for row in rows] == [
        ("w", [True, False]),
        ("x", [False, True]),
    ]


def test_columns_of_numbers_are_told_from_words() -> None:
    table = grid("", (["name", "a", "b", "c"], [["1", "+1.5", "x", "\u2013"], ["2", "\u2013", "2", "\u2013"]]))
    assert [table.numeric(column) for column in range(4)] == [False, True, False, False]


def test_every_system_of_the_paper_has_a_row_and_published_figures_columns_of_their_own() -> None:
    text = Reader(html_page(results(), shown())).text
    without = Reader(html_page(replace(results(), published={}), shown())).text
    assert all(system in text and system in without for system in SYSTEMS)
    for figure in ("kodak, published", "32.41 / 0.884", "none of it was measured here"):
        assert figure in text
    assert "ublished" not in without


def test_the_error_map_is_the_error_amplified_mean_of_channels_and_clipped() -> None:
    clean = np.full((1, 3, 3), 100, np.uint8)
    found = error_map(clean + np.array([[[0, 0, 0], [3, 6, 0], [60, 60, 60]]], np.uint8), clean)
    assert found.tolist() == [[0, 3 * AMPLIFIED, 255]]
    assert error_map(clean - np.uint8(2), clean).tolist() == [[2 * AMPLIFIED] * 3]
    text = Reader(html_page(results(), shown())).text
    assert f"amplified {AMPLIFIED} times" in text
    assert f"white is {255 / AMPLIFIED:g} levels of 255" in text


def test_crops_are_on_the_page_pixel_for_pixel() -> None:
    image = compared()
    found = show_image(image, RAN)
    assert found.mark == (20.0, 12.5, 40.0, 40.0)
    assert [crop.name for crop in found.crops] == ["clean", *RAN]
    by_name = {crop.name: crop for crop in found.crops}
    assert (decoded(by_name["ours"].picture) == image.crops["ours"]).all()
    assert (decoded(by_name["ours"].error) == error_map(image.crops["ours"], image.crop.of(image.clean))).all()
    assert not decoded(by_name["clean"].error).any()
    assert (by_name["equal"].picture, by_name["equal"].score) == ("", "25.00 dB / 0.500")
    assert [crop.name for crop in found.crops if crop.best] == ["ours"]


def test_gains_lie_in_proportion_along_the_axis() -> None:
    means = {("noisy", "s", "x"): (20.0, 0.1), ("a", "s", "x"): (29.0, 0.5), ("b", "s", "x"): (31.0, 0.5)}
    plot = gain_plot({**means, ("c", "s", "x"): (30.0, 0.5)}, "s", ["noisy", "a", "b", "c"], "noisy")
    assert plot is not None
    assert plot.series == ["a", "b", "c"]
    places = {plot.series[dot.number]: dot.x for dot in plot.dots}
    assert places["c"] == pytest.approx((places["a"] + places["b"]) / 2, abs=0.1)
    ticks = {tick.text: tick.at for tick in plot.columns}
    assert ticks["10.0"] == pytest.approx(places["c"], abs=0.1)
    assert plot.dots[0].text == "x, a: 9.00 dB"
    assert gain_plot({}, "s", ["a"], None) is None
    assert gain_plot({("a", "s", "x"): (29.0, 0.5)}, "s", ["noisy", "a"], "noisy") is None  # a gain over nothing


def test_without_the_noisy_images_nothing_is_called_a_gain() -> None:
    figures = {**FIGURES, "noisy": {"skipped": "why"}}
    text = Reader(html_page(replace(results(), benchmark=figures), shown())).text
    assert "gain, dB" not in text
    assert "over noisy" not in text


def test_ticks_are_round_and_one_value_has_an_axis_too() -> None:
    assert [text for _, text in round_ticks(0, 3000, 6)] == ["0", "500", "1000", "1500", "2000", "2500", "3000"]
    assert [text for _, text in round_ticks(0.0099, 0.0113, 6)] == ["0.0100", "0.0105", "0.0110"]
    assert [text for _, text in round_ticks(-1.2, 1.2, 3)] == ["-1", "0", "1"]
    plot = gain_plot({("a", "s", "x"): (30.0, 0.5)}, "s", ["a"], None)
    assert plot is not None
    assert [tick.text for tick in plot.columns] == ["29.6", "29.8", "30.0", "30.2", "30.4"]


def test_curves_reach_from_edge_to_edge() -> None:
    loss, validation = curve_plots([curve("a"), Curve("b", np.zeros((0, 2)), np.zeros((0, 2)))])
    assert (loss.title, validation.title) == ("training loss", "validation loss")
    assert [line.number for line in loss.lines] == [0]
    places = [tuple(map(float, point.split(","))) for point in loss.lines[0].points.split()]
    assert places[-1][0] == loss.right
    assert places[0][1] < loss.top  # the start is beyond the range, and cut off by the field
    assert not loss.lines[0].marks
    assert len(validation.lines[0].marks) == 10
    assert curve_plots([]) == []


def test_a_page_with_next_to_nothing_is_whole() -> None:
    empty: Mapping[str, bytes | None] = dict.fromkeys(PICTURES)
    bare = replace(shown(), images=[], missing=[], samples=None, pairs=[], files=empty)
    poor = replace(
        results(),
        noisy=None,
        means={},
        curves=[],
        benchmark={"ours": {"skipped": "the footage's own noise has no model"}},
        systems=dict.fromkeys(SYSTEMS),
        published={},
        ablation=[],
        alignment={"skipped": "the footage has no clean frames"},
        scenes=[],
        trainings={"denoiser": {"skipped": "gone"}},
    )
    found = Reader(html_page(poor, bare))
    assert not found.all("img")
    for text in (
        "No method saved a picture",
        "No image was measured",
        "Not measured: the footage has no clean frames.",
    ):
        assert text in found.text
    assert "Table 2" not in found.text


def test_the_parameters_read_back_from_the_page() -> None:
    found = Reader(html_page(results(), shown())).text
    block = found[found.index("seed: ") : found.index("Packages that affect")]
    assert YAML(typ="safe", pure=True).load(block) == {"seed": 3, "odd": {"a": ODD}}


def test_every_file_of_the_page_is_a_dependency_of_the_report() -> None:
    folder, todo, needed = files("self2align.report.html"), {"report.html.j2"}, {"style.css", "script.js"}
    while todo:
        name = todo.pop()
        needed.add(name)
        tree = Environment().parse(folder.joinpath(name).read_text(encoding="utf-8"))
        todo |= {str(other) for other in meta.find_referenced_templates(tree)} - needed
    assert {"base.html.j2", "macros.html.j2"} <= needed
    listed = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    deps = {Path(dep) for dep in listed["stages"]["report"]["deps"]}
    for name in needed:
        path = Path("pipeline/report/html", name)
        assert deps & {path, *path.parents}, path


def test_markup_of_texts_becomes_html_and_everything_else_is_escaped() -> None:
    assert inline("*Ratio* of `a_b`: <b>&") == "<em>Ratio</em> of <code>a_b</code>: &lt;b&gt;&amp;"
