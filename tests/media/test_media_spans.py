"""Frames of files as tasks: whatever their order, the bytes and the lines are those of one process."""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from PIL import Image

from self2align.alignment.loading import make_aligner, save_aligner
from self2align.media import spans, video
from self2align.networks.normalised import LEVEL, Normalised
from self2align.networks.unet import UNet
from self2align.runtime.workers import exact_threads
from self2align.stages.tools.denoise import denoise
from self2align.stores.weights import save_weights
from tests.videos.making import write

WEIGHTS, ALIGNER = Path("denoiser.safetensors"), Path("dis.safetensors")
STACK = np.random.default_rng(0).integers(20000, 40000, (8, 40, 48), dtype=np.uint16)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights and an aligner, to work in; files are cut into tasks of three frames."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    monkeypatch.setattr(spans, "SEGMENT", 3)
    monkeypatch.setattr(video, "SEGMENT", 3)
    torch.manual_seed(0)
    network = UNet(1, width=4, depth=1)
    torch.nn.init.normal_(network.last.weight, std=0.05)
    header = {"kind": "denoiser", "network": "unet", "channels": 1, "arguments": {"width": 4, "depth": 1}}
    save_weights(WEIGHTS, network.state_dict(), header)
    save_aligner(ALIGNER, make_aligner("dis", 1, {}), {"aligner": "dis", "channels": 1, "arguments": {}})
    return tmp_path


def _video() -> str:
    write(Path("in.mkv"), "ffv1", 8)
    return "in.mkv"


def _stack() -> str:
    tifffile.imwrite("in.tif", STACK, photometric="minisblack")
    return "in.tif"


def _array() -> str:
    zarr.create_array("in.zarr", data=STACK)
    return "in.zarr"


def _pictures() -> str:
    Path("in").mkdir()
    for number, frame in enumerate(STACK):
        Image.fromarray((frame >> 8).astype(np.uint8)).save(f"in/{number}.png")
    return "in"


def _bytes(path: Path) -> dict[str, bytes]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize(
    ("make", "temporal", "count"), [(_video, 0, 3), (_video, 1, 3), (_stack, 1, 3), (_array, 0, 3), (_pictures, 0, 8)]
)
def test_tasks_in_any_order_give_the_bytes_and_lines_of_one_process(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[], str],
    temporal: int,
    count: int,
) -> None:
    source = make()
    told: dict[str, Any] = {"weights": WEIGHTS, "temporal": temporal, "aligner": ALIGNER if temporal else None}
    with exact_threads(1):
        denoise(source, Path(source.replace("in", "one")), **told)
        expected = capsys.readouterr().out.replace("one", "cut")
        sent: list[Any] = []

        def backwards(
            task: Callable[..., Any], arguments: Sequence[Any], progress: Any, common: tuple[Any, ...]
        ) -> list[Any]:
            sent.extend(pickle.loads(pickle.dumps(argument)) for argument in arguments)
            return [task(*common, *argument) for argument in reversed(sent)][::-1]

        monkeypatch.setattr(spans, "scheduler", lambda: "tcp://host:8786")
        monkeypatch.setattr(spans, "run_tasks", backwards)
        denoise(source, Path(source.replace("in", "cut")), **told)
    assert len(sent) == count
    assert _bytes(Path(source.replace("in", "cut"))) == _bytes(Path(source.replace("in", "one")))
    if not temporal:  # frames of two tasks are counted twice
        assert capsys.readouterr().out == expected


def test_a_long_video_has_few_tasks() -> None:
    long = spans.spans(100_000)
    assert len(long) <= spans.MOST
    assert [number for span in long for number in span] == list(range(100_000))
    assert all(span.start % spans.SEGMENT == 0 for span in long)


def test_a_task_takes_one_pass_if_the_command_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = UNet(1, width=4, depth=1)
    torch.nn.init.normal_(network.last.weight, std=0.05)
    header = {"kind": "denoiser", "network": "unet", "channels": 1, "arguments": {"width": 4, "depth": 1}}
    save_weights(WEIGHTS, Normalised(network).state_dict(), {**header, "normalised": LEVEL})
    source = _stack()
    told: dict[str, Any] = {"weights": WEIGHTS, "temporal": 1, "aligner": ALIGNER, "sigma": 2000.0}

    def here(task: Callable[..., Any], arguments: Sequence[Any], progress: Any, common: tuple[Any, ...]) -> list[Any]:
        return [task(*common, *argument) for argument in arguments]

    with exact_threads(1):
        denoise(source, Path("one.tif"), one_pass=True, **told)
        denoise(source, Path("fused.tif"), **told)
        monkeypatch.setattr(spans, "scheduler", lambda: "tcp://host:8786")
        monkeypatch.setattr(spans, "run_tasks", here)
        denoise(source, Path("cut.tif"), one_pass=True, **told)
    assert Path("cut.tif").read_bytes() == Path("one.tif").read_bytes() != Path("fused.tif").read_bytes()
