"""Killed at any moment, the same command ends in the same bytes. ``python -m tests.faults`` is the long search."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from self2align.survey.place import FINISHED, UNFINISHED, check_place
from tests.faults.conftest import subject
from tests.faults.kills import Known, at_operation, drawn, killed, uninterrupted
from tests.faults.running import Conditions
from tests.faults.trees import differences, half_written

NAMES = ("denoise picture", "denoise TIFF --temporal", "denoise video", "denoise Zarr", "denoise folder", "bundle")
SEEDS = range(2)


@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_was_killed_goes_on(
    files: Path, known: Callable[[str], Known], tmp_path: Path, name: str
) -> None:
    command, place = known(name), tmp_path / "run"
    for seed in SEEDS:
        assert list(killed(command, files, place, drawn(command, place, seed))) == [], f"seed {seed}"


@pytest.mark.parametrize("name", ["denoise TIFF", "denoise Zarr", "denoise folder", "bundle"])
def test_killed_while_it_publishes_its_result(
    files: Path, known: Callable[[str], Known], tmp_path: Path, name: str
) -> None:
    command, place = known(name), tmp_path / "run"
    (output,) = command.subject.outputs
    publishing = re.compile(rf"\.finished$| {re.escape(output)}(/|$)")
    wanted = [number for number, line in enumerate(command.ended.operations, 1) if publishing.search(line)]
    assert 1 <= len(wanted) < 9, command.ended.operations
    for number in sorted({*wanted, wanted[-1] + 1, len(command.ended.operations)}):
        found = list(killed(command, files, place, [at_operation(place, number)]))
        assert found == [], command.ended.operations[number - 1 : number]


@pytest.mark.parametrize("name", ["ingest@train"])
def test_a_stage_that_was_killed_goes_on(project: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / "run"
    command = uninterrupted(subject(name), project, place)
    for seed in SEEDS:
        assert list(killed(command, project, place, drawn(command, place, seed))) == [], f"seed {seed}"


def test_a_kill_is_a_kill(files: Path, known: Callable[[str], Known], tmp_path: Path) -> None:
    # What the harness would find in a command that writes its output in place.
    command = known("denoise picture")
    half = {name: data[:100] for name, data in command.files.items()}
    assert half_written(command.files, half) == ["out.png is half written"]
    assert half_written(command.files, half, (".png",)) == [], "a file that grows may hold the beginning"
    assert differences(command.files, half) == ["out.png has other bytes"]
    assert differences(command.files, {}) == ["out.png is missing"]
    # And that its kills happen: without a second run there is no result.
    place = tmp_path / "run"
    findings = list(killed(command, files, place, [Conditions(kill_after=0.01)]))
    assert findings == []


def test_an_existing_folder_is_filled_by_the_next_init_if_the_last_was_killed(tmp_path: Path) -> None:
    here, source = tmp_path / "here", tmp_path / "source"
    (here / UNFINISHED).mkdir(parents=True)
    check_place(here, source)  # nothing was moved: it starts again
    (here / UNFINISHED).rename(here / FINISHED)
    (here / FINISHED / "data").mkdir()
    (here / FINISHED / "params.yaml").write_text("seed: 1\n")
    (here / "dvc.yaml").touch()
    with pytest.raises(ValueError, match="found files in it"):
        check_place(here, source)
    assert sorted(path.name for path in here.iterdir()) == ["data", "dvc.yaml", "params.yaml"]
