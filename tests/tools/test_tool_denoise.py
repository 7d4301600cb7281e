"""The command: the result, or one line of error, whatever happens to the process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from self2align.alignment.loading import make_aligner, save_aligner
from self2align.networks.unet import UNet
from self2align.stages.tools.denoise import denoise
from self2align.stores.weights import load_weights, save_weights

COMMAND = [sys.executable, "-c", "from self2align.stages.cli import main; main()", "denoise", "in.tif", "out.tif"]
WEIGHTS = Path("denoiser.safetensors")
OUT = Path("out.tif")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights and a stack of 12 noisy pages, to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    torch.manual_seed(0)
    network = UNet(1, width=8, depth=2)
    torch.nn.init.normal_(network.last.weight, std=0.05)
    header = {"kind": "denoiser", "network": "unet", "channels": 1, "arguments": {"width": 8, "depth": 2}}
    save_weights(WEIGHTS, network.state_dict(), header)
    stack = np.random.default_rng(0).integers(0, 65535, (12, 96, 96), dtype=np.uint16)
    tifffile.imwrite("in.tif", stack, photometric="minisblack")
    return tmp_path


def test_a_stack_goes_in_and_comes_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    denoise("in.tif", OUT, weights=WEIGHTS)
    reading, *noise, last = capsys.readouterr().out.splitlines()
    assert last == "out.tif: denoised, files: 1, frames: 12"
    assert reading == "in.tif: 12 frames (Q) of 96 x 96 px, 1 channel, uint16"
    assert noise[0].startswith("noise: sigma 7")
    assert noise[0].endswith(" of 255, measured")
    result = tifffile.imread(OUT)
    assert (result.shape, result.dtype.name) == ((12, 96, 96), "uint16")
    assert (result != tifffile.imread("in.tif")).mean() > 0.5


def test_killed_at_any_moment_it_ends_in_the_same_bytes(folder: Path) -> None:
    denoise("in.tif", Path("whole.tif"), weights=WEIGHTS)
    process = subprocess.Popen([*COMMAND, "--weights", str(WEIGHTS)], stdout=subprocess.DEVNULL, env={**os.environ})
    deadline = time.monotonic() + 180
    while len(list(folder.glob(".out.tif.unfinished/*/parts/*.npy"))) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended before its third page"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not OUT.exists()
    denoise("in.tif", OUT, weights=WEIGHTS)
    assert OUT.read_bytes() == Path("whole.tif").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == [str(WEIGHTS), "in.tif", "out.tif", "whole.tif"]


def _pickled(weights: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, weights)


def _pickled_as_of_old(weights: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, weights, _use_new_zipfile_serialization=False)


def _of_an_aligner(weights: Path) -> None:
    save_weights(weights, {}, {"kind": "aligner"})


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_pickled, r"denoiser\.safetensors: found \d+ bytes that are no safetensors file"),
        (_pickled_as_of_old, r"denoiser\.safetensors: found \d+ bytes that are no safetensors file"),
        (Path.unlink, r"denoiser\.safetensors: found no file, expected weights"),
        (_of_an_aligner, r"denoiser\.safetensors: found weights of kind 'aligner', expected 'denoiser'"),
    ],
)
def test_weights_that_are_none_are_refused(folder: Path, harm: Any, message: str) -> None:
    harm(WEIGHTS)
    with pytest.raises(ValueError, match=message) as told:
        denoise("in.tif", OUT, weights=WEIGHTS)
    assert "\n" not in str(told.value)
    assert not OUT.exists()


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"white": 0.0}, "white: found 0, expected more than 0"),
        ({"codec": "ffv1"}, r"codec: found 'ffv1' for in\.tif, expected none for such a file"),
        ({"axes": "TY"}, r"in\.tif: found axes 'TY' for an array of shape"),
    ],
)
def test_choices_that_mean_nothing_are_refused(folder: Path, choice: Any, message: str) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(ValueError, match=message):
        denoise("in.tif", OUT, weights=WEIGHTS, **choice)
    assert sorted(folder.iterdir()) == before


def test_values_mean_what_they_meant_in_training(folder: Path) -> None:
    denoise("in.tif", OUT, weights=WEIGHTS, white=4095)
    tensors, header = load_weights(WEIGHTS)
    save_weights(WEIGHTS, tensors, {**header, "whites": {"uint16": 4095}})
    denoise("in.tif", Path("same.tif"), weights=WEIGHTS)
    denoise("in.tif", Path("other.tif"), weights=WEIGHTS, white=65535)
    asked, same, other = (tifffile.imread(name) for name in (OUT, "same.tif", "other.tif"))
    np.testing.assert_array_equal(same, asked)
    assert np.abs(other.astype(int) - asked).max() > 10


def test_memory_decides_the_tiles_and_not_the_result(folder: Path) -> None:
    denoise("in.tif", OUT, weights=WEIGHTS)
    denoise("in.tif", Path("many.tif"), weights=WEIGHTS, memory=3)
    one, many = (tifffile.imread(name).astype(int) for name in (OUT, "many.tif"))
    assert np.abs(one - many).max() <= 1


@pytest.mark.parametrize(("axes", "lines"), [("TZYX", 2), ("ZYX", 1), ("TYX", 1)])
def test_frames_along_time_and_depth_are_no_footage(folder: Path, axes: str, lines: int) -> None:
    shape = (3, 2, 64, 64) if len(axes) == 4 else (6, 64, 64)
    stack = np.random.default_rng(0).integers(20000, 40000, shape, dtype=np.uint16)
    tifffile.imwrite("in.tif", stack, imagej=True, metadata={"axes": axes})
    save_aligner(
        Path("dis.safetensors"), make_aligner("dis", 1, {}), {"aligner": "dis", "channels": 1, "arguments": {}}
    )
    how: dict[str, Any] = {"weights": WEIGHTS, "temporal": 1, "aligner": Path("dis.safetensors")}
    if lines == 1:
        denoise("in.tif", OUT, **how)
        assert tifffile.imread(OUT).shape == shape
        return
    with pytest.raises(ValueError, match=r"temporal: found channels or planes beside time in in\.tif, exp"):
        denoise("in.tif", OUT, **how)
    assert not OUT.exists()
