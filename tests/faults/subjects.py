"""The commands that are interrupted, and the folders in which they run."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import tifffile
import torch
import zarr
from numpy.typing import NDArray
from PIL import Image
from ruamel.yaml import YAML
from scipy.ndimage import gaussian_filter

from self2align.images.files import write_png
from self2align.networks.unet import UNet
from self2align.stores.weights import save_weights
from tests.faults.running import run
from tests.test_end_to_end import tiny_params

_STORES = ["--noisy", "data/synthesize/noisy.zarr", "--frames", "data/ingest"]
_PAIRS = ["--pairs", "data/generate_pairs/pairs.zarr"]


@dataclass(frozen=True)
class Subject:
    """A command that is interrupted.

    Attributes
    ----------
    name
        For the table.
    arguments
        Of ``self2align``.
    outputs
        Paths that it writes, in its folder.
    whole
        Whether the outputs appear all at once; otherwise one file after the other.
    growing
        Ends of names of files that grow.
    empty
        Whether the output is a folder that is there before, empty.
    """

    name: str
    arguments: Sequence[str]
    outputs: Sequence[str]
    whole: bool = True
    growing: tuple[str, ...] = ()
    empty: bool = False


def _denoise(name: str, source: str, output: str, *more: str) -> Subject:
    return Subject(name, ["denoise", source, output, "--weights", "w.safetensors", *more], [output])


FILES = (
    _denoise("denoise picture", "one.png", "out.png"),
    _denoise("denoise TIFF", "stack.tif", "out.tif"),
    _denoise("denoise TIFF --temporal", "stack.tif", "out.tif", "--temporal", "1", "--aligner", "a.safetensors"),
    _denoise("denoise video", "film.mkv", "out.mkv", "--codec", "ffv1"),
    _denoise("denoise Zarr", "array.zarr", "out.zarr"),
    _denoise("denoise folder", "photos", "out"),
    _denoise("denoise folder --temporal", "photos", "out", "--temporal", "1", "--aligner", "a.safetensors"),
    Subject("init", ["init", "project", "--source", "frames"], ["project"]),
    Subject("init in a folder", ["init", "here", "--source", "frames"], ["here"], whole=False, empty=True),
    Subject(
        "bundle", ["bundle", "both.safetensors", "--weights", "w.safetensors", "--aligner", "a.safetensors"],
        ["both.safetensors"],
    ),
    Subject("simulate", ["simulate", "photos", "noisy.mp4"], ["noisy.mp4"]),
    Subject("simulate pictures", ["simulate", "photos", "noisy"], ["noisy"]),
    Subject("export", ["export", "w.safetensors", "model.onnx"], ["model.onnx"]),
)  # fmt: skip


def _stage(stage: str, item: str, *arguments: str, outputs: Sequence[str], growing: tuple[str, ...] = ()) -> Subject:
    name = f"{stage}@{item}" if item else stage
    return Subject(name, [stage, *arguments], [f"data/{stage}/{one}" for one in outputs], False, growing)


def _training(stage: str, item: str, *arguments: str) -> Subject:
    outputs = [f"{item}{suffix}" for suffix in (".safetensors", ".csv", ".json")]
    options = ["--name", item, *arguments, "--out", f"data/{stage}/{item}.safetensors"]
    return _stage(stage, item, *options, outputs=outputs, growing=(".csv",))


STAGES = (
    _stage("ingest", "train", "--source", "train", "--out", "data/ingest/train.zarr", outputs=["train.zarr"]),
    _stage(
        "ingest", "held_out", "--source", "held_out", "--out", "data/ingest/held_out.zarr", outputs=["held_out.zarr"]
    ),
    _stage(
        "benchmark_sets", "photographs", "--name", "photographs", "--out", "data/benchmark_sets/photographs.zarr",
        outputs=["photographs.zarr"],
    ),
    _stage(
        "benchmark_videos", "moving", "--name", "moving", "--out", "data/benchmark_videos/moving.zarr",
        outputs=["moving.zarr"],
    ),
    _stage("synthesize", "", "--frames", "data/ingest", "--out", "data/synthesize/noisy.zarr", outputs=["noisy.zarr"]),
    _stage(
        "measure_noise", "", "--noisy", "data/synthesize/noisy.zarr", "--out", "data/measure_noise/profiles.json",
        outputs=["profiles.json"],
    ),
    *(
        _stage(
            "train_ian", item, "--aligner", item, "--noisy", "data/synthesize/noisy.zarr", "--out",
            f"data/train_ian/{item}.safetensors", outputs=[f"{item}.safetensors", f"{item}.csv"], growing=(".csv",),
        )
        for item in ("dis", "refined_dis", "ian")
    ),
    _stage(
        "evaluate_alignment", "", *_STORES, "--aligners", "data/train_ian", "--out", "data/evaluate_alignment",
        outputs=["metrics.json", "scenes.csv"],
    ),
    _stage(
        "generate_pairs", "", *_STORES[:2], "--aligner", "data/train_ian/refined_dis.safetensors", "--out",
        "data/generate_pairs/pairs.zarr", outputs=["pairs.zarr", "pictures", "metrics.json", "scores.csv"],
    ),
    _stage(
        "train_denoiser", "", *_PAIRS, "--out", "data/train_denoiser/denoiser.safetensors",
        outputs=["denoiser.safetensors", "denoiser.csv", "metrics.json", "samples.png"], growing=(".csv", ".png"),
    ),
    _training("train_ablation", "map", *_PAIRS),
    _training("train_baselines", "neighbor2neighbor", *_STORES),
    _training("train_baselines", "n2c", *_STORES),
    _stage(
        "evaluate_denoiser", "", *_STORES, "--denoiser", "data/train_denoiser/denoiser.safetensors", "--ablation",
        "data/train_ablation", "--baselines", "data/train_baselines", "--out", "data/evaluate_denoiser",
        outputs=["metrics.json", "scenes.csv"],
    ),
    *(
        _stage(
            "benchmark", item, "--method", item, "--benchmark-sets", "data/benchmark_sets", "--out",
            f"data/benchmark/{item}", outputs=[item],
        )
        for item in ("noisy", "nlm", "ours")
    ),
    *(
        _stage(
            "benchmark_video", item, "--method", item, "--benchmark-videos", "data/benchmark_videos", "--aligners",
            "data/train_ian", "--out", f"data/benchmark_video/{item}", outputs=[item],
        )
        for item in ("noisy", "single", "fused")
    ),
    _stage(
        "report", "", "--benchmark-sets", "data/benchmark_sets", "--benchmark", "data/benchmark",
        "--benchmark-video", "data/benchmark_video", "--alignment",
        "data/evaluate_alignment", "--pairs", "data/generate_pairs", "--denoiser", "data/train_denoiser", "--ablation",
        "data/train_ablation", "--baselines", "data/train_baselines", "--held-out",
        "data/evaluate_denoiser/metrics.json", "--out", "data/report", outputs=[""],
    ),
)  # fmt: skip


def moving_picture(frames: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return noisy gray frames of a smooth picture that moves by (1, 2) px a frame, ``(T, H, W)``."""
    draw = np.random.default_rng(7)
    field = gaussian_filter(draw.standard_normal((height + frames, width + 2 * frames)), 2)
    field = (field - field.min()) / np.ptp(field)
    views = [field[t : t + height, 2 * t : 2 * t + width] for t in range(frames)]
    noisy = np.stack(views) * 180 + 40 + 8 * draw.standard_normal((frames, height, width))
    return noisy.round().clip(0, 255).astype(np.uint8)


def _write_gray(path: Path, levels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path)


def make_files(folder: Path) -> None:
    """Write what `FILES` read: weights, an aligner, and pictures, a stack, a video and an array of a few frames."""
    folder.mkdir(parents=True)
    frames = moving_picture(6, 48, 64)
    _write_gray(folder / "one.png", frames[0])
    tifffile.imwrite(folder / "stack.tif", frames, photometric="minisblack", metadata={"axes": "TYX"})
    for number, frame in enumerate(frames):
        _write_gray(folder / "photos" / f"{number}.png", frame)
        _write_gray(folder / "frames" / "one" / f"{number}.png", frame.repeat(4, 0).repeat(4, 1))
    array = zarr.create_array(
        folder / "array.zarr", shape=frames.shape, chunks=(1, 48, 64), dtype="u1", dimension_names=("t", "y", "x")
    )
    array[:] = frames
    write_video(folder / "film.mkv", moving_picture(54, 48, 64))
    torch.manual_seed(1)
    unet = UNet(1, width=4, depth=1)
    torch.nn.init.normal_(unet.last.weight, std=0.05)
    header: dict[str, Any] = {
        "arguments": {"width": 4, "depth": 1},
        "channels": 1,
        "kind": "denoiser",
        "network": "unet",
    }
    save_weights(folder / "w.safetensors", unet.state_dict(), header)
    aligner = {"aligner": "dis", "arguments": {}, "channels": 1, "kind": "aligner"}
    save_weights(folder / "a.safetensors", {}, aligner)


def write_video(path: Path, frames: NDArray[np.uint8]) -> None:
    """Write gray frames, ``(T, H, W)``, without loss."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "gray"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "gray")))
        container.mux(stream.encode(None))


def make_project(folder: Path, stages: Sequence[Subject] = STAGES) -> None:
    """Make a tiny project with known motion, and run stages in order."""
    draw = np.random.default_rng(7)
    picture = sum(gaussian_filter(draw.standard_normal((3, 160, 200)), (0, s, s)) * s for s in (1.5, 3.0, 6.0, 12.0))
    picture = (picture - picture.min()) / np.ptp(picture)
    levels = (picture * 255).round().astype(np.uint8).transpose(1, 2, 0)
    for scene in range(3):
        for frame in range(5):
            y, x = 20 + 8 * scene + 2 * frame, 40 - 3 * frame
            write_png(folder / "footage" / f"s{scene}" / f"{frame}.png", levels[y : y + 96, x : x + 112])
    write_png(folder / "photographs" / "one.png", levels[:64, :96])
    params = tiny_params(Path("footage"), Path("photographs"))
    training = params["train_denoiser"]["training"]
    training |= {"steps": 30, "checkpoint_every": 5, "log_every": 5, "validate_every": 10, "warmup": 2}
    params["train_baselines"]["runs"] = {name: {"objective": name} for name in ("n2c", "neighbor2neighbor")}
    for name in ("nlm", "noisy", "ours"):
        assert name in params["benchmark"]["methods"]
    del params["benchmark"]["methods"]["n2n"]
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(params, file)
    for subject in stages:
        ended = run(subject.arguments, folder)
        assert ended.code == 0, (subject.name, ended.text)


def without_outputs(template: Path, folder: Path, subject: Subject) -> None:
    """Copy a folder as it was before a command: its outputs are left out."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder, symlinks=True)
    for name in subject.outputs:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if subject.empty:
            path.mkdir()


TEMPLATES: Mapping[str, tuple[Any, tuple[Subject, ...]]] = {
    "files": (make_files, FILES),
    "project": (make_project, STAGES),
}
