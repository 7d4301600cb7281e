import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from ruamel.yaml import YAML

from self2align import __version__
from self2align.images.files import write_png
from self2align.noise.estimation.estimate import NoiseEstimate
from self2align.params.loading import load
from self2align.stages.evaluate_alignment import evaluate_alignment
from self2align.stages.evaluate_denoiser import evaluate_denoiser
from self2align.stages.generate_pairs import generate_pairs
from self2align.stages.ingest import ingest
from self2align.stages.report import report
from self2align.stages.synthesize import synthesize
from self2align.stages.tools.init import init
from self2align.stages.train_denoiser import train_denoiser
from self2align.stages.train_ian import train_ian
from self2align.stores.frames import FrameStore
from self2align.stores.pairs import PairStore
from self2align.stores.weights import load_header
from self2align.survey.findings import first_look
from self2align.survey.footage import FootageSurvey
from self2align.survey.profile import read_profile, written
from self2align.survey.scene import SceneSurvey
from self2align.survey.settings import apply, choose

ROOT = Path(__file__).parents[2]
DATA = Path("data")
WHITE_NOISE = NoiseEstimate(
    sigma=0.1,
    error=0.01,
    level=0.4,
    gain=0.01,
    read=0.001,
    rounding=0.0,
    unevenness=1.0,
    fixed=0.0,
    clipped=(0.0, 0.0),
)
SCENE = SceneSurvey(
    "a", 480, 640, False, 8, 255, 1.0, (1.0, 5.0), WHITE_NOISE, (0.0, 0.0, 0.0), np.zeros((2, 3, 8, 8), np.float32)
)
SURVEY = FootageSurvey("folder", Path("/footage"), ("a", "b", "c"), 3, 100, (SCENE,))


def noise(**values: Any) -> FootageSurvey:
    return replace(SURVEY, surveyed=(replace(SCENE, noise=replace(WHITE_NOISE, **values)),))


def scene(**values: Any) -> FootageSurvey:
    return replace(SURVEY, surveyed=(replace(SCENE, **values),))


def profile(name: str = "default") -> Any:
    return read_profile(ROOT / "profiles" / f"{name}.yaml")


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory, texture: NDArray[np.float32]) -> Path:
    """Two noisy scenes that move by (3, 2) px per frame."""
    folder, draw = tmp_path_factory.mktemp("footage"), np.random.default_rng(0)
    for scene in range(2):
        for frame in range(5):
            y, x = 10 + 30 * scene - 2 * frame, 20 - 3 * frame
            levels = 255 * texture[:, y : y + 112, x : x + 128] + 15 * draw.standard_normal((3, 112, 128))
            picture = levels.clip(0, 255).round().astype(np.uint8).transpose(1, 2, 0)
            write_png(folder / f"s{scene}" / f"{frame}.png", picture)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, footage: Path) -> Path:
    folder = tmp_path_factory.mktemp("work") / "mine"
    init(folder, footage)
    return folder


def test_the_working_folder_has_the_stages_of_the_repository(project: Path) -> None:
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        assert (project / name).read_bytes() == (ROOT / name).read_bytes()
    for name in ("pipeline", "stages"):
        assert (project / name).resolve() == ROOT / name
    assert "no_scm" in (project / ".dvc" / "config").read_text()
    assert not list(project.parent.glob(".*"))


def test_the_parameters_state_the_survey(project: Path, footage: Path) -> None:
    params = load(project / "params.yaml")
    assert set(params.ingest.sources) == {"footage", "held_out"}
    assert params.ingest.sources["footage"].path == str(footage)
    assert params.ingest.sources["held_out"].glob == ["s1"]
    assert params.ingest.sources["footage"].exclude == ["s1"]
    assert params.synthesize.model == "none"
    assert not params.benchmark_sets
    assert not params.benchmark.methods
    assert not params.benchmark_videos
    assert not params.benchmark_video.methods
    text = (project / "params.yaml").read_text(encoding="utf-8")
    for word in (
        "112 x 128 px, 8 bits, RGB",
        "# Noise: sigma 14.8 of 255",
        "# Time on this machine: about",
        "# Held out for validation: s1.",
    ):
        assert word in text
    assert "\n\n\n" not in text
    assert "init: null  " in text


def test_dvc_finds_every_dependency(project: Path) -> None:
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    found = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    status = json.loads(found.stdout)
    stages = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    without = {"benchmark_sets", "benchmark", "benchmark_videos", "benchmark_video"}
    without |= {"train_ablation", "train_baselines"}
    assert {name.split("@")[0] for name in status} == set(stages) - without
    missing = {
        path
        for changes in status.values()
        for change in changes
        if isinstance(change, dict)
        for path, state in change.get("changed deps", {}).items()
        if state == "deleted"
    }
    assert not [path for path in missing if not path.startswith("data/")], "the links lead to all code"


def test_a_stage_in_a_working_folder_runs_the_code_that_the_folder_links_to(project: Path, tmp_path: Path) -> None:
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, tmp_path / "code" / name, ignore=shutil.ignore_patterns("__pycache__"))
    package = tmp_path / "code" / "pipeline" / "__init__.py"
    package.write_text(package.read_text().replace('__version__ = "', '__version__ = "99.'))
    for code, version in ((ROOT, __version__), (tmp_path / "code", f"99.{__version__}")):
        folder = tmp_path / version
        shutil.copytree(project, folder, symlinks=True)
        for name in ("pipeline", "stages"):
            (folder / name).unlink()
            (folder / name).symlink_to(code / name)
        command = [sys.executable, "-P", "stages/run.py", "--version"]
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        assert found.stdout.strip() == version


def test_all_stages_run_without_clean_frames(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((project / "params.yaml").read_text(encoding="utf-8"))
    few = {"steps": 5, "batch": 2, "crop": 32, "threads": 1, "precision": "float32"}
    few |= {"log_every": 1, "validate_every": 5, "checkpoint_every": 5}
    params["train_denoiser"] |= {"arguments": {"width": 8, "depth": 2}}
    params["train_denoiser"]["training"] |= few
    params["train_ian"]["aligners"]["refined_dis"]["training"] |= {**few, "crop": 96}
    params["generate_pairs"] |= {"crops_per_target": 2, "crop": 64}
    small = project / "small.yaml"
    with small.open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    monkeypatch.chdir(project)
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    for source in ("footage", "held_out"):
        ingest(source, DATA / "ingest" / f"{source}.zarr", small)
    noisy, aligner = DATA / "synthesize" / "noisy.zarr", DATA / "train_ian" / "refined_dis.safetensors"
    pairs, denoiser = DATA / "generate_pairs" / "pairs.zarr", DATA / "train_denoiser" / "denoiser.safetensors"
    synthesize(DATA / "ingest", noisy, small)
    train_ian("refined_dis", noisy, aligner, small)
    evaluate_alignment(noisy, DATA / "ingest", DATA / "train_ian", DATA / "evaluate_alignment", small)
    generate_pairs(noisy, aligner, pairs, small)
    train_denoiser(pairs, denoiser, small)
    folders = {"ablation": DATA / "train_ablation", "baselines": DATA / "train_baselines"}
    evaluate_denoiser(noisy, DATA / "ingest", denoiser, **folders, out=DATA / "evaluate_denoiser", params=small)
    report(
        benchmark_sets=DATA / "benchmark_sets",
        benchmark=DATA / "benchmark",
        alignment=DATA / "evaluate_alignment",
        pairs=DATA / "generate_pairs",
        denoiser=DATA / "train_denoiser",
        **folders,
        held_out=DATA / "evaluate_denoiser" / "metrics.json",
        out=DATA / "report",
        params=small,
    )
    shown = capsys.readouterr().out
    for stage in ("evaluate_alignment", "evaluate_denoiser"):
        assert f"{stage}: the footage has no clean frames; nothing measured" in shown
    assert set(PairStore(pairs).columns["role"].tolist()) == {0, 1}
    header = load_header(denoiser)
    assert (header["noise"]["model"], header["whites"]) == ("none", {"uint8": 255})
    assert "## Before and after" in (DATA / "report" / "report.md").read_text(encoding="utf-8")


def test_twelve_bits_in_sixteen_get_another_white(
    tmp_path: Path, texture: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    windows = np.stack([texture[0, t : 120 + t, t : 140 + t] for t in range(6)])
    codes = (200 + 2500 * windows + 60 * draw.standard_normal(windows.shape)).clip(0, 4095).astype(np.uint16)
    tifffile.imwrite(tmp_path / "series.tif", codes)
    monkeypatch.setattr("self2align.survey.findings.seconds", lambda *_: {"train_denoiser": (60.0, 60.0)})
    init(tmp_path / "work", tmp_path / "series.tif")
    shown = capsys.readouterr().out
    assert "gray" in shown
    series = tmp_path / "series.tif"
    assert " ".join(shown.split()).endswith(
        f"to try first, after that: self2align denoise {series} clean.tif --preview 4"
    )
    sigma = re.search(r"sigma ([\d.]+) of 255", shown)
    assert sigma is not None
    assert float(sigma.group(1)) == pytest.approx(255 * 60 / 4095, rel=0.15)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    ingest("footage", DATA / "ingest" / "footage.zarr")
    store = FrameStore(DATA / "ingest" / "footage.zarr")
    np.testing.assert_array_equal(store.codes(store.scenes[0])[:, 0], codes)
    np.testing.assert_allclose(store.frames(store.scenes[0])[:, 0], codes / 4095, rtol=1e-6)


def test_an_existing_folder_is_left_alone(tmp_path: Path, footage: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"found files in it, expected a new or empty folder"):
        init(tmp_path, footage)
    with pytest.raises(ValueError, match=r"found a file, expected a new or empty folder"):
        init(tmp_path / "note.txt", footage)
    with pytest.raises(ValueError, match=r"found a folder within the footage"):
        init(footage / "work", footage)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    assert not (footage / "work").exists()


def test_another_profile_and_no_footage_are_refused(tmp_path: Path, footage: Path) -> None:
    with pytest.raises(ValueError, match=r"--profile: found 'paper', expected default or quality"):
        init(tmp_path / "work", footage, "paper")
    with pytest.raises(ValueError, match=r"none: found nothing"):
        init(tmp_path / "work", tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_white_noise_in_motion_gets_the_default_aligner() -> None:
    chosen = choose(SURVEY, profile())
    assert (chosen.aligner, chosen.offset, chosen.margin, chosen.crop) == ("refined_dis", 1, 16, 128)
    assert chosen.held_out == ("c",)
    assert chosen.targets * chosen.crops * SURVEY.scenes == pytest.approx(16 * 8 * 10, rel=0.05)
    assert chosen.max_frames is None
    assert not chosen.remarks


CASES = [
    (noise(unevenness=4.0), {"aligner": "refined_dis"}, "neighbouring pixels share noise"),
    (noise(fixed=0.1), {"offset": 2}, "Pairs are 2 frames apart"),
    (
        replace(noise(fixed=0.1), surveyed=(replace(noise(fixed=0.1).surveyed[0], motion=(0.0, 0.1)),)),
        {"offset": 1},
        "the scene does not move",
    ),
    (scene(shared=(0.6, 0.2, 0.01)), {"offset": 4}, "share 60% of the noise's variance"),
    (noise(clipped=(0.2, 0.0)), {}, "20% of the pixels are clipped"),
    (scene(bits=16, white=65535, brightest=3372 / 65535), {"white": 4095}, "white: 4095"),
    (scene(bits=16, white=65535, brightest=4095 / 65535), {"white": 4095}, "white: 4095"),
    (scene(bits=32, white=1, brightest=300.0), {"white": 512}, "white: 512"),
    (scene(motion=(10.0, 30.0)), {"margin": 40}, None),
    (scene(motion=(10.0, 90.0)), {"margin": 64}, "more than 64 px"),
    (scene(height=70), {"aligner": "dis", "crop": 64}, None),
    (replace(SURVEY, parts=("a",), scenes=1, frames=9000), {"held_out": (), "max_frames": 320}, None),
    (replace(SURVEY, scenes=40, parts=tuple("abcdefghij" * 4)), {"targets": 4}, None),
]


@pytest.mark.parametrize(("survey", "expected", "remark"), CASES)
def test_the_survey_decides_the_choices(survey: FootageSurvey, expected: dict[str, Any], remark: str | None) -> None:
    chosen = choose(survey, profile())
    assert {name: getattr(chosen, name) for name in expected} == expected
    assert [remark in line for line in chosen.remarks] == [True] if remark else not chosen.remarks


@pytest.mark.parametrize(
    ("survey", "share"), [(SURVEY, 0.5), (noise(unevenness=4.0), 0.5), (scene(height=70), 0.0), (scene(bits=16), 0.5)]
)
def test_crops_are_subsampled_under_independent_noise_if_they_are_large_enough(
    survey: FootageSurvey, share: float
) -> None:
    content = profile()
    apply(content, survey, choose(survey, content), threads=1)
    assert content["train_denoiser"]["subsample"] == share


@pytest.mark.parametrize(
    ("values", "objective"),
    [
        ({"gain": 0.0}, "recorrupted_neighbours"),
        ({"gain": 0.01}, "aligned_neighbours"),
        ({"gain": 0.0, "unevenness": 2.0}, "recorrupted_neighbours"),
    ],
)
def test_the_objective_is_one_for_noise_of_that_kind(values: dict[str, Any], objective: str) -> None:
    survey = noise(**values)
    made = apply(profile(), survey, choose(survey, profile()), threads=1)
    assert made["train_denoiser"]["objective"] == objective


@pytest.mark.parametrize(("unevenness", "init"), [(1.0, None), (4.0, "davis_motion")])
def test_where_pixels_share_noise_the_aligner_is_one_that_was_trained_on_such_noise(
    unevenness: float, init: str | None
) -> None:
    survey = noise(unevenness=unevenness)
    made = apply(profile(), survey, choose(survey, profile()), threads=1)
    aligner = made["train_ian"]["aligners"]["refined_dis"]
    assert aligner.get("init") == init
    assert (aligner["training"] is None) == (init is not None)
    assert init is None or Path("starts", f"{init}.safetensors").is_file()
    denoiser = made["train_denoiser"]
    assert denoiser["init"] == (None if init is None else "davis_camera")
    assert denoiser["training"]["steps"] == (3000 if init is None else 1000)


@pytest.mark.parametrize(
    ("survey", "path", "line"),
    [
        (SURVEY, "/my clips", "after that: self2align denoise '/my clips' clean --preview 4"),
        (
            noise(unevenness=4.0),
            "/clips",
            "before that: self2align denoise /clips clean --preview 4 --weights starts/davis_camera.safetensors",
        ),
    ],
)
def test_the_last_line_is_a_preview_before_training_where_shipped_weights_fit(
    survey: FootageSurvey, path: str, line: str
) -> None:
    assert first_look(replace(survey, path=Path(path))) == f"to try first, {line}"


def test_frames_smaller_than_the_aligners_patches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"/footage: found frames of 24 px, expected at least 32 px each way"):
        choose(scene(width=24), profile())


@pytest.mark.parametrize("name", ["default", "quality"])
@pytest.mark.parametrize("survey", [case[0] for case in CASES])
def test_all_choices_give_valid_parameters(tmp_path: Path, name: str, survey: FootageSurvey) -> None:
    content = profile(name)
    apply(content, survey, choose(survey, content), threads=3)
    path = tmp_path / "params.yaml"
    path.write_text(written(content, "one\ntwo"), encoding="utf-8")
    params, before = load(path), load(ROOT / "profiles" / f"{name}.yaml")
    training, usual = params.train_denoiser.training, before.train_denoiser.training
    changed: dict[str, Any] = {"threads": 3, "crop": training.crop}
    if params.train_denoiser.init is not None:
        changed |= {"steps": usual.steps // 3, "learning_rate": 3e-4}
    assert training == usual.model_copy(update=changed)
    assert list(params.train_ian.aligners) == [params.generate_pairs.aligner]
    assert not params.train_baselines.runs


def test_a_block_that_shares_values_is_written_out(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(
        """# start
a: &base  # shared
  one: 1  # first
  two: [1, 2]
  three: 3  # third
b: &other {four: 4}
c:
  <<: [*base, *other]
  three: 33
  five: null  # last

d: {<<: *other}  # inline
"""
    )
    content = read_profile(path)
    original = YAML(typ="safe", pure=True).load(path.read_text())
    text = written(content, "comment")
    assert YAML(typ="safe", pure=True).load(text) == original
    assert not re.search(r"[&*]|<<|shared", text)
    (block,) = re.findall(r"^c:\n((?:  .*\n)+)", text, re.MULTILINE)
    lines = [" ".join(line.split()) for line in block.splitlines()]
    assert lines == ["four: 4", "one: 1 # first", "two: [1, 2]", "three: 33", "five: null # last"]
    content["a"]["two"].append(3)
    assert content["c"]["two"] == [1, 2]


@pytest.mark.parametrize("name", ["default", "quality"])
@pytest.mark.parametrize("survey", [SURVEY, noise(unevenness=4.0)], ids=["refined_dis", "dis"])
def test_parameters_for_footage_share_no_blocks(name: str, survey: FootageSurvey) -> None:
    content = profile(name)
    apply(content, survey, choose(survey, content), threads=1)
    text = written(content, "")
    values = [line.partition("#")[0] for line in text.splitlines()]
    assert not [line for line in values if re.search(r"<<|[&*]\w", line)]
    assert re.search(r"threads: 1  +# results repeat", text), "comments of shared values are kept"
    assert not re.search(r"\n\n ", text), "blank lines lie between sections only"
