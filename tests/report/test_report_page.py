import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from self2align.evaluation.block_errors import write_blocks
from self2align.images.files import write_png
from self2align.params.loading import load
from self2align.params.schema import Params
from self2align.report.published import SYSTEMS
from self2align.stages.report import report
from self2align.stores.codes import Coding
from self2align.stores.frames import Part, SceneRecord, write_frames

DEFAULT = Path(__file__).parents[2] / "profiles" / "default.yaml"
SET = "stills"
SPREAD = {"mean": 0.5, "median": 0.5, "p05": 0.1, "p95": 0.9}
Write = Callable[[Path, Any], None]


def clean(part: Part) -> NDArray[np.uint8]:
    return np.random.default_rng(part.record.count + ord(part.record.name[-1])).integers(
        0, 256, (1, 3, 40, 48), dtype=np.uint8
    )


def fetch(part: Part, start: int, stop: int) -> NDArray[np.uint8]:
    return clean(part)[start:stop]


def quiet(done: int, total: int) -> None:
    assert done <= total


def as_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """All that earlier stages leave; one method lost a picture, one was skipped."""
    content = YAML(typ="safe", pure=True).load(DEFAULT.read_text())
    content["benchmark_sets"] = {SET: {"kind": "sample", "path": "p", "repeats": 2}}
    content["benchmark"]["methods"] = {
        "noisy": {"file": "pipeline/methods/noisy.py"},
        "ours": {"file": str(tmp_path / "denoiser" / "denoiser.safetensors")},
        "lost": {"file": "lost.safetensors"},
    }
    content["train_ablation"]["runs"] = {"lost": {**content["sampler"], "objective": "self2align", "strategy": "fixed"}}
    content["report"] = {"crop": 16, "images": 2}
    content["train_baselines"]["runs"] = {"n2n": {"objective": "n2n"}, "gone": {"objective": "n2n"}}
    with (tmp_path / "params.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(content, file)
    (tmp_path / "work").mkdir()
    records = [SceneRecord(SET, f"x/{name}", (), "", 0, 1, 40, 48) for name in "abc"]
    parts = [Part(record, Coding("uint8", 1 / 255), 3, "") for record in records]
    write_frames(tmp_path / "benchmark_sets" / f"{SET}.zarr", parts, fetch, {}, tmp_path / "work", quiet)
    for method, (psnr, ssim) in {"noisy": (20.0, 0.3), "ours": (30.0, 0.9)}.items():
        folder = tmp_path / "benchmark" / method
        as_json(folder / "metrics.json", {SET: {"psnr": psnr, "ssim": ssim, "images": 3, "repeats": 1}})
        rows = [f"{SET},x/{name},0,{psnr},{ssim}" for name in "abc"]
        (folder / "images.csv").write_text("\n".join(["set,image,repeat,psnr,ssim", *rows]))
        (folder / "pictures" / SET).mkdir(parents=True)
        for part in parts[: 2 if method == "noisy" else 1]:
            name = part.record.name.replace("/", "-")
            write_png(folder / "pictures" / SET / f"{name}.png", clean(part)[0].transpose(1, 2, 0))
    as_json(tmp_path / "benchmark" / "lost" / "metrics.json", {"skipped": "no weights"})
    measures = dict.fromkeys(("psnr", "psnr_confident", "coverage", "noise_ratio", "noise_correlation"), 0.5)
    as_json(tmp_path / "alignment" / "metrics.json", {"dis": measures, "unaligned": measures})
    (tmp_path / "alignment" / "scenes.csv").write_text("aligner,scene,psnr\ndis,s/one,28.5\nunaligned,s/one,18.7\n")
    counts = {"pairs": 1200, "validation_pairs": 3, "scenes_left_out": 1}
    as_json(tmp_path / "pairs" / "metrics.json", {**counts, "ssim": SPREAD, "ssim_filtered": SPREAD})
    pair = {
        "scene": "s/one",
        "target_frame": 3,
        "source_frame": 4,
        "ssim": 0.2,
        "ssim_filtered": 0.9,
        "confidence": 0.8,
    }
    as_json(tmp_path / "pairs" / "pictures" / "pairs.json", {"pairs": [{**pair, "pictures": [["target", "0.png"]]}]})
    write_png(tmp_path / "pairs" / "pictures" / "0.png", np.zeros((16, 16, 3), np.uint8))
    (tmp_path / "pairs" / "scores.csv").write_text("from,to,ssim,ssim_filtered\n0.0,0.5,9,1\n0.5,1.0,1,9\n")
    trained = {"loss": 0.01, "validation": None, "steps": 100, "parameters": 5000, "pairs": 1200}
    as_json(tmp_path / "denoiser" / "metrics.json", {**trained, "keep_probability": SPREAD})
    as_json(tmp_path / "baselines" / "n2n.json", trained)
    as_json(
        tmp_path / "held_out.json", {"noisy": {"psnr": 20.5, "ssim": 0.3}, "denoiser": {"psnr": 30.12, "ssim": 0.9}}
    )
    curve = "step,loss,validation,learning_rate\n50,0.02,,0.001\n100,0.01,0.011,0.0005\n"
    (tmp_path / "denoiser" / "denoiser.csv").write_text(curve)
    (tmp_path / "baselines" / "n2n.csv").write_text(curve)
    samples = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    write_png(tmp_path / "denoiser" / "samples.png", samples)
    return tmp_path


def make(project: Path, out: str = "report", **folders: Path) -> Path:
    names = (
        "benchmark_sets",
        "benchmark",
        "alignment",
        "pairs",
        "denoiser",
        "ablation",
        "baselines",
        "held_out.json",
        out,
        "params.yaml",
    )
    report(*(project / name for name in names), **folders)
    return project / out


def test_the_report_is_the_same_twice(project: Path) -> None:
    first, second = make(project, "one"), make(project, "two")
    names = sorted(path.name for path in first.iterdir())
    pictures = ["alignment.png", "comparison.png", "curve.png", "samples.png", "scores.png"]
    assert names == sorted([*pictures, "report.html", "report.md"])
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_page_tells_the_figures(project: Path) -> None:
    text = (make(project) / "report.md").read_text()
    assert "Noise: Gaussian noise, sigma 25." in text
    assert "`quick`" in text
    assert "| ours | **30.00** / **0.900** | +10.00 |" in text
    assert "- lost: not run: no weights" in text
    assert "stills: 3 images, 1 repeat." in text
    assert "| s/one | 18.70 | 28.50 |" in text
    assert "1,200 pairs for training, 3 for validation; 1 scene left out" in text
    assert "- gone: not run:" in text
    assert "| recorrupted_neighbours | adaptive | ssim_filtered | 30.00 / 0.900 |" in text
    assert "| self2align | fixed | p = 0.5 | \u2013 |" in text
    assert "| 0.01000 | \u2013 | 30.12 | 0.900 |" in text
    assert "| 0.01000 | \u2013 | \u2013 | \u2013 |" in text
    assert "| keep-probability | 0.500 |" in text
    for package in ("self2align", "torch", "numpy", "zarr"):
        assert f"| {package} | " in text


def test_the_page_tells_the_figures_on_video_of_the_rows_that_the_parameters_name(project: Path) -> None:
    folder, header = project / "video", "set,sequence,sigma,frames,psnr,ssim,flicker,frames_sha256,noise_sha256"
    for number, method in enumerate(("noisy", "single", "fused", "former")):
        one = {"sequences": 1, "frames": 8, "psnr": 20.0 + number, "ssim": 0.5, "flicker": 9.0 - number}
        as_json(folder / method / "metrics.json", {"carphone": {"25": one}})
        (folder / method / "sequences.csv").write_text(f"{header}\ncarphone,a,25,8,{20 + number},0.5,9,ab,cd\n")
        errors = np.full((8, 9, 11), 100.0 / (1 + number), np.float32)
        write_blocks(folder / method / "blocks.safetensors", {"carphone/a/25": errors})
    text = (make(project, benchmark_video=folder) / "report.md").read_text()
    assert "carphone, sigma 25, 1 sequence of 8 frames:" in text
    assert "| noisy | 20.00 | 0.500 | 9.00 | \u2013 |" in text
    assert "| fused | 22.00 | 0.500 | 7.00 | -1.76 |" in text  # 33 for 50
    assert not (folder / "former").exists()
    assert "## Video" not in (make(project, "without") / "report.md").read_text()


def test_the_systems_of_the_paper_keep_their_rows(project: Path) -> None:
    text = (make(project) / "report.md").read_text()
    for system in SYSTEMS:
        assert f"| {system} | \u2013 | not run |" in text
    assert "| lost | not run |" in text
    assert "ublished" not in text, "the set is none that papers have figures for"


def test_pairs_are_shown_on_the_page_with_their_scores(project: Path) -> None:
    text = (make(project) / "report.html").read_text()
    assert "s/one: frame 3 and its neighbour, frame 4" in text
    assert "SSIM 0.200, filtered 0.900; mean confidence 0.80" in text
    (project / "pairs" / "pictures" / "pairs.json").unlink()
    with pytest.raises(ValueError, match=r"pairs\.json: found no file"):
        make(project)


def test_a_lost_picture_is_named(project: Path) -> None:
    text = (make(project) / "report.md").read_text()
    assert "- no picture: ours: stills/x/b" in text
    assert text.count("no picture") == 1


def test_the_parameters_on_the_page_are_those_that_were_read(project: Path) -> None:
    text = (make(project) / "report.md").read_text()
    block = text.split("```yaml\n")[1].split("```")[0]
    found = Params.model_validate(YAML(typ="safe", pure=True).load(block))
    assert found == load(project / "params.yaml")


def test_the_terminal_shows_the_table_and_where_the_report_lies(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = make(project)
    text = capsys.readouterr().out
    assert "30.00 * / 0.900 *" in text
    assert f"report: {out / 'report.md'}" in text


def test_without_pictures_and_curves_the_page_says_so_and_old_ones_go(project: Path) -> None:
    make(project)
    for path in [*project.glob("benchmark/*/pictures/*/*.png"), project / "baselines" / "n2n.json"]:
        path.unlink()
    (project / "denoiser" / "denoiser.csv").write_text("step,loss,validation,learning_rate\n")
    (project / "alignment" / "scenes.csv").write_text("aligner,scene,psnr\n")
    (project / "denoiser" / "samples.png").unlink()
    out = make(project)
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.md", "scores.png"]
    assert "No method saved a picture" in (out / "report.md").read_text()


def test_without_methods_the_page_begins_with_crops_before_and_after(project: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((project / "params.yaml").read_text())
    content |= {"benchmark_sets": {}, "benchmark": {**content["benchmark"], "methods": {}}}
    with (project / "params.yaml").open("w") as file:
        yaml.dump(content, file)
    out = make(project)
    for name in ("report.md", "report.html"):
        text = (out / name).read_text()
        assert "Before and after" in text
        assert "scenes that were not trained on" in text
        assert text.rindex("Before and after") < text.rindex("Alignment")
        for absent in ("Table 1", "The systems of the paper", "Visual comparison", "Protocol", "first repeat"):
            assert absent not in text


def test_alignment_that_was_not_measured_is_told(project: Path) -> None:
    as_json(project / "alignment" / "metrics.json", {"skipped": "the footage has no clean frames"})
    (project / "alignment" / "scenes.csv").write_text("aligner,scene,psnr\n")
    assert "Not measured: the footage has no clean frames." in (make(project) / "report.md").read_text()


def test_a_picture_of_another_size_is_refused(project: Path) -> None:
    picture = project / "benchmark" / "ours" / "pictures" / SET / "x-a.png"
    write_png(picture, np.zeros((20, 48, 3), np.uint8))
    with pytest.raises(ValueError, match=r"x-a\.png: found 20 x 48 px, expected 40 x 48 px"):
        make(project)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_broken_figures_are_refused(project: Path, text: str) -> None:
    (project / "pairs" / "metrics.json").write_text(text)
    with pytest.raises(ValueError, match=r"metrics\.json: found"):
        make(project)


def test_missing_figures_are_refused(project: Path) -> None:
    (project / "benchmark" / "ours" / "metrics.json").unlink()
    with pytest.raises(ValueError, match=r"metrics\.json: found no file"):
        make(project)
