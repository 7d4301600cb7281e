"""Killing ``dvc repro`` with all that it has started: it then goes on and ends in the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from self2align.runtime.shipped import code_folders, shipped
from self2align.survey.folder import CONFIG, EMPTY
from tests.faults.subjects import make_project
from tests.faults.trees import content, differences, half_written, leftovers

TARGET = "synthesize"  # and what it needs
LIMIT = 600.0  # seconds


@dataclass(frozen=True)
class Whole:
    """What an uninterrupted run wrote, and how long it took."""

    files: dict[str, bytes]
    seconds: float


def make_pipeline(folder: Path) -> None:
    """Make a tiny project as `init` makes a working folder."""
    make_project(folder, ())
    shutil.copy(shipped("dvc.yaml"), folder / "dvc.yaml")
    shutil.copy(shipped(".dvcignore"), folder / ".dvcignore")
    for name, code in code_folders().items():
        (folder / name).symlink_to(code)
    for name in EMPTY:
        (folder / "data" / name).mkdir(parents=True)
    (folder / "starts").mkdir()
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text(CONFIG.format(more="    no_scm = true\n"))


def repro(folder: Path, kill_after: float | None = None) -> tuple[int, str, float]:
    """Run ``dvc repro`` in a folder; return its exit code, what it printed, and how long it took."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "SELF2ALIGN_WORKERS": "2", "SELF2ALIGN_DEVICE": "cpu"}
    began = time.monotonic()
    command = [sys.executable, "-P", "-m", "dvc", "repro", "--no-run-cache", TARGET]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=LIMIT if kill_after is None else kill_after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        text, _ = process.communicate()
    return process.returncode, text, time.monotonic() - began


def whole(template: Path, place: Path) -> Whole:
    """Run the pipeline without faults in a copy of a folder."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(template, place, symlinks=True)
    code, text, seconds = repro(place)
    assert code == 0, text
    return Whole(content(place, ["data", "dvc.lock"]), seconds)


def repro_killed(known: Whole, template: Path, place: Path, seed: int) -> Iterator[str]:
    """Kill ``dvc repro`` once to three times, then let it end. Yield a line for each finding."""
    draw = np.random.default_rng(seed)
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(template, place, symlinks=True)
    for _ in range(draw.integers(1, 4)):
        repro(place, float(draw.uniform(0.1, 1.0) * known.seconds))
        yield from half_written(known.files, content(place, ["data"]))
    code, text, _ = repro(place)
    if code:
        yield f"the same command ends with {code}: {text.strip()[-600:]}"
    yield from differences(known.files, content(place, ["data", "dvc.lock"]))
    yield from (f"{name} is left" for name in leftovers(place) if not name.startswith(".dvc"))
