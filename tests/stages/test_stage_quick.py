"""What is answered by names alone is answered before torch is loaded, which takes seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from self2align.media import KINDS, SUFFIXES
from self2align.stages.cli import STAGES, TOOLS

# Runs commands one after the other; tells what each said, and which slow modules it has loaded.
SCRIPT = """
import contextlib, io, json, sys
from self2align.stages.cli import main
for command in json.load(sys.stdin):
    sys.argv[1:] = command
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            main()
    except (SystemExit, ValueError) as error:
        said.write(str(error))
    slow = {"torch", "cv2", "scipy", "zarr", "numpy"} & set(sys.modules)
    print(json.dumps([said.getvalue(), sorted(slow)]))
"""


def _answers(folder: Path, commands: list[list[str]]) -> list[tuple[str, list[str]]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(commands),
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture, a file of no known kind and a file of weights, all of no content."""
    for name in ("a.png", "x.dcm", "there.png", "w.safetensors"):
        (tmp_path / name).touch()
    return tmp_path


REFUSED = [
    ("--help", "Usage: self2align"),
    ("--version", "."),
    ("foo", "No such command 'foo'"),
    ("denoise --foo", "No such option"),
    ("denoise", "Missing argument"),
    ("denoise x.dcm out.png", "x.dcm: found suffix '.dcm', expected a picture"),
    ("denoise none.png out.png", "none.png: found nothing there, expected a picture"),
    ("denoise *.jpg out", "*.jpg: found no file to denoise"),
    ("denoise a.png a.png", "a.png: found the input itself"),
    ("denoise a.png there.png", "there.png: found it there already"),
    ("denoise a.png out.png --weights no.safetensors", "no.safetensors: found no file, expected weights"),
    ("denoise a.png out.png --sigma -1", "--sigma: found -1"),
    ("denoise a.png out.png --dtype int8", "--dtype: found 'int8', expected same or float32"),
    ("init new --source none.mp4", "none.mp4: found nothing, expected a video"),
    ("init new --source x.dcm", "x.dcm: found suffix '.dcm', expected footage"),
    ("init . --source a.mp4", "a.mp4: found nothing"),
    ("inspect none.zarr", "none.zarr: found nothing there, expected a store"),
    ("export none.safetensors model.onnx", "none.safetensors: found no file, expected weights"),
    ("bundle out.safetensors", "found no file, expected weights"),
    ("bundle out.safetensors --weights w.safetensors", "params.yaml: found no file, expected parameters"),
    ("simulate none.png out.mp4", "none.png: found nothing there, expected a picture"),
    ("pattern none.mp4 out.npz", "none.mp4: found nothing, expected a video"),
    ("costs", "params.yaml: found no file"),
    ("sweep", "params.yaml: found no file"),
    ("profile best", "profile: found 'best'"),
]


def test_a_refusal_loads_nothing_slow(folder: Path) -> None:
    answers = _answers(folder, [command.split() for command, _ in REFUSED])
    assert len(answers) == len(REFUSED)
    for (command, expected), (said, slow) in zip(REFUSED, answers, strict=True):
        assert expected in said, command
        assert slow == [], command


def test_the_help_of_a_command_loads_nothing_slow(folder: Path) -> None:
    names = [*STAGES, *TOOLS]
    for name, (said, slow) in zip(names, _answers(folder, [[name, "--help"] for name in names]), strict=True):
        assert f"Usage: self2align {name}" in said
        assert slow == [], name


def test_the_names_of_files_are_those_that_their_readers_take() -> None:
    from self2align.images.tiff import SUFFIXES as TIFF
    from self2align.media.image import SAVED
    from self2align.videos.opening import SUFFIXES as VIDEO

    assert SUFFIXES == {"image": SAVED.keys(), "tiff": TIFF, "video": VIDEO, "zarr": frozenset()}
    assert all(suffixes == " ".join(sorted(suffixes.split())) for _, suffixes in KINDS.values())
