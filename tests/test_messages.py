"""What `denoise` and `init` say to common mistakes: one line with what, where, found and expected, and nothing left."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from self2align.stages import cli
from tests.messages import DENOISE, DENOISER, INIT, W, write_weights


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights of a denoiser, to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    torch.manual_seed(0)
    write_weights("w.safetensors", DENOISER)
    return tmp_path


def _told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Run a command in this process as the shell does; return its line of error."""
    monkeypatch.setattr(sys, "argv", ["self2align", *args])
    hook = sys.excepthook
    try:
        # Python ends with 1 for any error that reaches the hook; Typer's own errors of usage would end with 2.
        with pytest.raises(Exception) as raised:  # noqa: PT011
            cli.main()
        assert not isinstance(raised.value, SystemExit)
        sys.excepthook(raised.type, raised.value, raised.tb)
    finally:
        sys.excepthook = hook
    *_, line = capsys.readouterr().err.splitlines()
    return re.sub(r"\.3g2\b.*\.y4m", "SUFFIXES", line)  # the list of those that are read


@pytest.mark.parametrize("name", DENOISE)
def test_denoise(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str) -> None:
    make, args, line = DENOISE[name]
    make()
    before = sorted(folder.rglob("*"))
    assert _told(monkeypatch, capsys, "denoise", *args, *W) == f"self2align: error: {line}"
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("name", INIT)
def test_init(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str) -> None:
    make, args, line = INIT[name]
    make()
    before = sorted(folder.rglob("*"))
    assert _told(monkeypatch, capsys, "init", *args) == f"self2align: error: {line}"
    assert sorted(folder.rglob("*")) == before


def test_the_command_ends_with_1(folder: Path) -> None:
    command = "import sys; from self2align.stages.cli import main; sys.argv[0] = 'self2align'; main()"
    asked = subprocess.run(
        [sys.executable, "-c", command, "denoise", "in.png", "out.png", *W], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 1
    assert asked.stdout == ""
    [line] = asked.stderr.splitlines()
    assert line.startswith("self2align: error: in.png: found nothing there, expected ")
