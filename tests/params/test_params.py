import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from self2align.networks import NETWORKS
from self2align.params.loading import load

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [("synthesize/model", "poisson", "brightness"), ("train_denoiser/objective", "warped_prediction", "exposure")],
)
def test_colors_are_rotated_only_where_all_channels_have_the_same_white_noise(
    tmp_path: Path, key: str, value: str, why: str
) -> None:
    path = _changed(tmp_path, key, value)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("rotate_colors: 0.0", "rotate_colors: 0.5"), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"train_denoiser\.rotate_colors: found 0\.5, expected 0 under .*{why}"):
        load(path)


@pytest.mark.parametrize(("key", "value"), [("train_denoiser/normalise", False), ("synthesize/model", "poisson")])
def test_stein_needs_gaussian_noise_that_is_brought_to_one_level(tmp_path: Path, key: str, value: Any) -> None:
    path = _changed(tmp_path, key, value)
    if key == "train_denoiser/normalise":
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("recorrupted_neighbours", "aligned_neighbours"), encoding="utf-8")
    assert not load(path).synthesize.settings().one_gaussian
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("last_layer: auto", "last_layer: stein"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"train_denoiser\.last_layer: found stein, expected auto or trained under"):
        load(path)


def test_a_baseline_that_halves_its_crops_needs_larger_ones(tmp_path: Path) -> None:
    path = _changed(tmp_path, "train_baselines/runs", {"halves": {"objective": "neighbor2neighbor"}})
    assert load(path).train_baselines.runs
    text = path.read_text(encoding="utf-8").replace("crop: 64", "crop: 96").replace("subsample: 0.5", "subsample: 0.0")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"training\.crop: found 96, expected at most 64 under neighbor2neighbor"):
        load(path)


def _changed(tmp_path: Path, key: str, value: Any) -> Path:
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((ROOT / "profiles" / "default.yaml").read_text(encoding="utf-8"))
    place = content
    *path, last = key.split("/")
    for part in path:
        place = place[part]
    if value is None and last in place:
        del place[last]
    else:
        place[last] = value
    target = tmp_path / "params.yaml"
    with target.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    return target


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_valid(profile: Path) -> None:
    assert load(profile).seed == 0


def test_the_committed_parameters_are_the_default_profile() -> None:
    assert (ROOT / "params.yaml").read_bytes() == (ROOT / "profiles" / "default.yaml").read_bytes()


def test_the_paper_profile_has_the_papers_constants() -> None:
    paper = load(ROOT / "profiles" / "paper.yaml")
    ian = paper.train_ian.aligners["ian"].training
    denoiser = paper.train_denoiser.training
    assert ian is not None
    assert (ian.crop, ian.batch, ian.learning_rate, ian.decay, ian.schedule) == (448, 90, 0.004, 0.8, "step")
    assert ian.steps == 12 * ian.decay_every  # 120 epochs, a decay every 10
    assert (denoiser.batch, denoiser.learning_rate, denoiser.decay, denoiser.schedule) == (200, 0.001, 0.5, "step")
    assert denoiser.steps == 10 * denoiser.decay_every  # 100 epochs, halved every 10
    assert (paper.train_denoiser.objective, paper.sampler.strategy, paper.sampler.score) == (
        "self2align",
        "adaptive",
        "ssim",
    )
    assert (paper.generate_pairs.aligner, paper.synthesize.sigma) == ("ian", 25)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("synthesize/sigma", "much", r"synthesize\.sigma: found 'much', expected a?.*number"),
        ("synthesize/sigma", -1.0, r"synthesize\.sigma: found -1\.0, expected greater than or equal to 0"),
        ("benchmark/sigma", 0.1, r"benchmark\.sigma: found 0\.1, expected at least 0\.25 with benchmark"),
        ("synthesize/sigma_max", 3.0, r"synthesize\.sigma_max: found 3, expected at least synthesize\.sigma \(5\)"),
        (
            "generate_pairs/crop",
            96,
            r"train_denoiser\.subsample: found 0\.5, expected 0 where .* \(96\) is less than 127",
        ),
        (
            "synthesize/model",
            "salt",
            r"synthesize\.model: found 'salt', expected one of camera, gaussian, none, poisson",
        ),
        (
            "synthesize/camera",
            {"gain": 2.0},
            r"synthesize\.camera\.gain: found an unknown key, expected one of read, rows",
        ),
        ("synthesize/camera", {"bits": 10.0}, r"synthesize\.camera\.bits: found 10\.0, expected a valid integer"),
        ("synthesize/peak_max", 3.0, r"synthesize\.peak_max: found 3, expected at least synthesize\.peak \(30\)"),
        (
            "synthesize/sigm",
            3.0,
            r"synthesize\.sigm: found an unknown key, expected one of model, sigma, sigma_max, peak",
        ),
        ("seed", None, r"seed: found nothing, expected a value"),
        ("sampler/strategy", "best", r"sampler\.strategy: found 'best', expected one of adaptive, adaptive_map"),
        (
            "sampler/strategy",
            "confidence_map",
            r"'confidence_map', which has no effect under .* recorrupted_neighbours",
        ),
        (
            "train_denoiser/objective",
            "noise2void",
            r"'adaptive', which has no effect under .* noise2void",
        ),
        (
            "train_denoiser/arguments",
            {"half": 3},
            r"half: found an unknown key, .*width, depth, residual \(train_denoiser\.network is unet\)",
        ),
        (
            "train_baselines/runs",
            {"a": {"objective": "self2align"}},
            r"runs\.a\.objective: found 'self2align'",
        ),
        ("train_baselines/runs", {"denoiser": {"objective": "n2n"}}, r"found 'denoiser' twice"),
        ("train_denoiser/network", "vit", r"train_denoiser\.network: found 'vit', expected one of dncnn, memnet"),
        ("train_denoiser/arguments", {"wide": 3}, r"train_denoiser\.arguments\.wide: found an unknown key, .*width"),
        ("train_denoiser/arguments", {"depth": 9}, r"train_denoiser\.arguments\.depth: found 9, expected"),
        ("train_denoiser/objective", "n2n", r"train_denoiser\.objective: found 'n2n', which needs clean frames"),
        ("train_denoiser/training/crop", 256, r"train_denoiser\.training\.crop: found 256, expected at most"),
        ("train_denoiser/training/steps", 1.5, r"train_denoiser\.training\.steps: found 1\.5, expected"),
        ("train_denoiser/training/validate_every", 70, r"training\.validate_every: found 70, expected a multiple"),
        ("train_denoiser/training/crop", 40, r"train_denoiser\.training\.crop: found 40, expected a multiple of 32"),
        ("synthesize/peak", float("inf"), r"synthesize\.peak: found inf, expected a finite number"),
        ("ingest/sources/clips/roles", ["pairs", "validation"], r"clips\.roles: found both 'pairs' and 'validation'"),
        (
            "generate_pairs/aligner",
            "raft",
            r"generate_pairs\.aligner: found 'raft', expected one of dis, ian, refined_dis",
        ),
        ("train_ian/aligners/dis/loss", "split", r"dis\.loss: found 'split', expected none"),
        ("train_ian/aligners/ian/loss", "best", r"ian\.loss: found 'best', expected one of photometric, split"),
        ("train_ian/aligners/refined_dis/arguments", {"levels": 9}, r"levels: found 9, expected"),
        ("evaluate_alignment/coverage", 0.0, r"evaluate_alignment\.coverage: found 0\.0, expected"),
        ("train_ian/aligners/dis/arguments", {"preset": "slow"}, r"dis\.arguments\.preset: found 'slow', expected"),
        ("train_ian/aligners/ian/training", None, r"aligners\.ian\.training: found nothing, expected a value"),
        ("ingest/sources/clips/kind", "tape", r"sources\.clips\.kind: found 'tape', expected one of array, folder"),
        ("ingest/sources/clips/roles", ["train"], r"sources\.clips\.roles\.0: found 'train', expected 'align'"),
        ("ingest/sources/clips/axes", "TYX", r"found 'TYX' for the kind sample, expected null: stack or array"),
        ("ingest/sources/clips/axes", "T", r"sources\.clips\.axes: found 'T'"),
        ("ingest/sources/clips/mode", 1, r"sources\.clips\.mode: found an unknown key, expected one of kind, path"),
        ("benchmark_sets", {}, r"benchmark_sets: found none, expected at least one"),
        (
            "benchmark/methods/nlm/file",
            "nlm.txt",
            r"methods\.nlm\.file: found 'nlm\.txt', expected weights .* or one of",
        ),
        ("benchmark/methods/nlm/file", "mine/best.py", r"methods\.nlm\.file: found 'mine/best\.py', expected weights"),
        ("benchmark/methods/ours/arguments", {"a": 1}, r"methods\.ours\.arguments: found .* expected none for weights"),
        ("benchmark/methods/nlm/arguments", {"h": 2.0}, r"methods\.nlm\.arguments\.h: found an unknown key"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(tmp_path: Path, key: str, value: Any, message: str) -> None:
    path = _changed(tmp_path, key, value)
    with pytest.raises(ValueError, match=rf"params\.yaml: .*{message}") as error:
        load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_is_one_word_away(tmp_path: Path, network: str) -> None:
    assert load(_changed(tmp_path, "train_denoiser/network", network)).train_denoiser.network == network


def test_a_mistyped_key_is_named_rather_than_the_one_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    text = (ROOT / "profiles" / "default.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("strategy: adaptive", "strategi: adaptive"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"sampler\.strategi: found an unknown key, expected one of strategy, score"):
        load(path)


def test_broken_yaml_and_a_missing_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: [1,\n")
    with pytest.raises(ValueError, match=r"params\.yaml: found broken YAML"):
        load(tmp_path / "params.yaml")
    with pytest.raises(ValueError, match=r"none\.yaml: found no file"):
        load(tmp_path / "none.yaml")


def test_numbers_are_read_as_yaml_1_2_has_them(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "profiles" / "default.yaml", path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("learning_rate: 0.001", "learning_rate: 1e-3"), encoding="utf-8")
    assert load(path).train_denoiser.training.learning_rate == 0.001


def test_merge_keys_are_resolved() -> None:
    """The trainings share a base; each states what differs."""
    text = (ROOT / "profiles" / "default.yaml").read_text(encoding="utf-8")
    assert text.count("<<: *training") == 2
    training = load(ROOT / "profiles" / "default.yaml").train_ian.aligners["ian"].training
    assert training is not None
    assert (training.batch, training.threads, training.steps) == (4, 2, 300)
