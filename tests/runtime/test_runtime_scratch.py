import multiprocessing
import time
from pathlib import Path

import pytest

from self2align.runtime.disk import move_into_place
from self2align.runtime.families import load
from self2align.runtime.scratch import workspace, write_json


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELF2ALIGN_SCRATCH", str(tmp_path / "scratch"))
    return tmp_path


def test_unfinished_work_is_found_again_and_finished_work_is_gone(here: Path) -> None:
    def killed() -> None:
        with workspace("stage", {"sigma": 25}) as folder:
            (folder / "part").write_text("done")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        killed()
    with workspace("stage", {"sigma": 25}) as folder:
        assert (folder / "part").read_text() == "done"
    assert not folder.exists()


def test_other_inputs_meet_another_folder(here: Path) -> None:
    with workspace("stage", {"sigma": 25}) as one, workspace("stage", {"sigma": 50}) as other:
        assert one != other


def _hold(scratch: str, began: float) -> None:
    with workspace("stage", {}) as folder:
        (folder / "held").write_text(scratch)
        time.sleep(1.0)


def test_a_second_run_of_the_same_work_waits_for_the_first(here: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=("x", 0.0))
    process.start()
    deadline = time.monotonic() + 30
    while not list((here / "scratch").glob("*/held")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with workspace("stage", {}) as folder:
        assert not (folder / "held").exists(), "the first run has ended and cleaned up"
    process.join()
    assert process.exitcode == 0


def test_a_finished_store_replaces_the_one_before(here: Path) -> None:
    for text in ("old", "new"):
        made = here / "made"
        made.mkdir()
        (made / text).write_text(text)
        move_into_place(made, here / "out" / "store")
    assert [path.name for path in (here / "out" / "store").iterdir()] == ["new"]


def test_json_has_no_numbers_that_json_does_not_know(here: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(here / "x.json", {"loss": float("nan")})
    assert not (here / "x.json").exists()


def test_an_unknown_member_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"network: found 'x', expected one of a, b"):
        load({"b": "m:b", "a": "m:a"}, "x", "network")
