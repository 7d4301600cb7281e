from pipeline.report.published import comparable_sets, published_ablation, published_table


def test_sets_are_comparable_by_name_under_the_published_noise_only() -> None:
    sets = ["Set14", "mine", "KODAK"]
    assert comparable_sets(sets, model="gaussian", sigma=25.0, color="rgb") == {"Set14": 2, "KODAK": 0}
    for model, sigma, color in (("poisson", 25.0, "rgb"), ("gaussian", 50.0, "rgb"), ("gaussian", 25.0, "gray")):
        assert comparable_sets(sets, model=model, sigma=sigma, color=color) == {}


def test_the_tables_have_the_columns_of_the_run_in_its_order() -> None:
    header, rows = published_table({"Set14": 2, "KODAK": 0})
    assert header == ["system", "Set14", "KODAK", "as printed in"]
    assert rows[0] == ["BM3D", "30.88 / 0.854", "31.87 / 0.868", "Wang 2022"]
    assert rows[-1][1:3] == ["30.56", "31.81"]
    assert published_ablation({"bsd300": 1}) == (
        ["strategy", "bsd300"],
        [["adaptive", "29.69"], ["ssim", "26.41"], ["fixed", "24.66"]],
    )
