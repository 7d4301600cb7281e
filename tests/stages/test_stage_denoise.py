"""The command: one line of error, or the result, whatever happens to the process."""

import os
import re
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

from pipeline.networks.unet import UNet
from pipeline.weights import save_weights

RUN = [sys.executable, "-c", "from stages.cli import main; main()", "denoise"]
WEIGHTS = "denoiser.safetensors"
ARGUMENTS = {"width": 8, "depth": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with weights and a stack of 12 noisy pages."""
    torch.manual_seed(0)
    network = UNet(1, **ARGUMENTS)  # type: ignore[arg-type]
    torch.nn.init.normal_(network.last.weight, std=0.05)
    header = {"kind": "denoiser", "network": "unet", "channels": 1, "arguments": ARGUMENTS}
    save_weights(tmp_path / WEIGHTS, network.state_dict(), header)
    stack = np.random.default_rng(0).integers(0, 65535, (12, 96, 96), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", stack, photometric="minisblack")
    return tmp_path


def _command(*arguments: str) -> list[str]:
    return [*RUN, *arguments, "--weights", WEIGHTS]


def _run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SELF2ALIGN_DEVICE": "cpu", "COLUMNS": "200", **environment}
    return subprocess.run(_command(*arguments), cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_a_stack_goes_in_and_comes_out(folder: Path) -> None:
    found = _run(folder, "in.tif", "out.tif")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.endswith("out.tif: denoised, files: 1, frames: 12\n")
    result = tifffile.imread(folder / "out.tif")
    assert (result.shape, result.dtype.name) == ((12, 96, 96), "uint16")
    assert (result != tifffile.imread(folder / "in.tif")).mean() > 0.5


def test_killed_at_any_moment_it_ends_in_the_same_bytes(folder: Path) -> None:
    assert _run(folder, "in.tif", "whole.tif").returncode == 0
    process = subprocess.Popen(
        _command("in.tif", "out.tif"),
        cwd=folder,
        env={**os.environ, "SELF2ALIGN_DEVICE": "cpu"},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(list(folder.glob(".out.tif.unfinished/*/parts/*.npy"))) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended before its third page"
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "out.tif").exists()
    assert _run(folder, "in.tif", "out.tif").returncode == 0
    assert (folder / "out.tif").read_bytes() == (folder / "whole.tif").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == [WEIGHTS, "in.tif", "out.tif", "whole.tif"]


def _pickled(folder: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, folder / WEIGHTS)


def _legacy_pickled(folder: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, folder / WEIGHTS, _use_new_zipfile_serialization=False)


def _no_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def _of_an_aligner(folder: Path) -> None:
    save_weights(folder / WEIGHTS, {}, {"kind": "aligner"})


def _nothing(folder: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("harm", "arguments", "message"),
    [
        (_pickled, [], r"denoiser.safetensors: found \d+ bytes that are no safetensors file"),
        (_legacy_pickled, [], r"denoiser.safetensors: found \d+ bytes that are no safetensors file"),
        (_no_weights, [], r"denoiser.safetensors: found no file, expected weights"),
        (_of_an_aligner, [], r"denoiser.safetensors: found weights of kind 'aligner', expected 'denoiser'"),
        (_nothing, ["--white", "0"], r"white: found 0, expected more than 0"),
        (_nothing, ["--codec", "ffv1"], r"codec: found 'ffv1' for in.tif, expected none for such a file"),
    ],
)
def test_an_error_is_one_line_and_leaves_nothing(folder: Path, harm: Any, arguments: list[str], message: str) -> None:
    harm(folder)
    before = sorted(folder.iterdir())
    found = _run(folder, "in.tif", "out.tif", *arguments)
    assert found.returncode == 1
    assert re.fullmatch(rf"self2align: error: .*{message}.*\n", found.stderr)
    assert sorted(folder.iterdir()) == before


def test_memory_decides_the_tiles_and_not_the_result(folder: Path) -> None:
    assert _run(folder, "in.tif", "one.tif").returncode == 0
    assert _run(folder, "in.tif", "many.tif", SELF2ALIGN_MEMORY="3").returncode == 0
    one, many = (tifffile.imread(folder / name).astype(int) for name in ("one.tif", "many.tif"))
    assert np.abs(one - many).max() <= 1
