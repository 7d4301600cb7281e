from typing import Any

from self2align.report.published import (
    PAPER,
    SYSTEMS,
    comparable_sets,
    published_ablation,
    records_table,
    rows_of_systems,
    systems_table,
)
from self2align.report.tables import NOT_RUN, NOTHING


def test_sets_are_comparable_by_name_under_the_published_noise_only() -> None:
    sets = ["Set14", "mine", "KODAK"]
    assert comparable_sets(sets, model="gaussian", sigma=25.0, color="rgb") == {"Set14": 2, "KODAK": 0}
    for model, sigma, color in (("poisson", 25.0, "rgb"), ("gaussian", 50.0, "rgb"), ("gaussian", 25.0, "gray")):
        assert comparable_sets(sets, model=model, sigma=sigma, color=color) == {}


def test_the_tables_have_the_columns_of_the_run_in_its_order() -> None:
    header, rows = records_table({"Set14": 2, "KODAK": 0})
    assert header == ["system", "Set14", "KODAK"]
    assert rows[-1][1:] == ["30.56", "31.81"]
    assert published_ablation({"bsd300": 1}) == (
        ["strategy", "bsd300"],
        [["adaptive", "29.69"], ["ssim", "26.41"], ["fixed", "24.66"]],
    )


def test_a_system_is_the_row_that_was_made_as_it_was() -> None:
    letter = {"method": "denoiser", "network": "unet", "objective": "self2align", "strategy": "adaptive"}
    methods = {
        "filtered": {**letter, "score": "ssim_filtered"},
        "letter": {**letter, "score": "ssim"},
        "clean": {"method": "denoiser", "network": "unet", "objective": "n2c"},
        "perfect": {"method": "denoiser", "network": "unet", "objective": "n2n"},
        "classic": {"method": "bm3d"},
    }
    found = rows_of_systems(methods)
    assert list(found) == list(SYSTEMS) == list(PAPER)
    assert {system: row for system, row in found.items() if row} == {
        "BM3D": "classic", "Self2Align": "letter", "N2N": "perfect"
    }  # fmt: skip
    methods["clean"]["network"] = "dncnn"
    assert rows_of_systems(methods)["DnCNN"] == "clean"


def test_what_was_not_run_says_so_and_no_published_figure_takes_its_place() -> None:
    results: dict[str, dict[str, Any]] = {
        "mine": {"kodak": {"psnr": 31.0, "ssim": 0.85}, "x": {"psnr": 20.0, "ssim": 0.5}},
        "slow": {"skipped": ""},
    }
    systems = {**dict.fromkeys(SYSTEMS), "BM3D": "mine", "DIP": "slow"}
    header, rows = systems_table(results, ["kodak", "x"], {"kodak": 0}, systems)
    assert header == ["system", "row of Table 1", "kodak, measured here", "kodak, published", "x, measured here"]
    cells = {row[0]: row[1:] for row in rows}
    assert list(cells) == list(SYSTEMS)
    assert cells["BM3D"] == ["mine", "31.00 / 0.850", "31.87 / 0.868", "20.00 / 0.500"]
    assert cells["DIP"] == ["slow", NOT_RUN, "27.20 / 0.720", NOT_RUN]
    assert cells["N2N"] == [NOTHING, NOT_RUN, "32.41 / 0.884", NOT_RUN]
