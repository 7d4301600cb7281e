"""Tasks on a cluster of two worker processes: the same results as on this machine, whatever dies."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from self2align.runtime.workers import run_tasks
from self2align.stores.build import ArraySpec, Table, build
from tests.runtime.errands import ROWS, SIDE, Cluster, cluster, fail_once, fill, refuse_three, square

pytest.importorskip("distributed")
from self2align.runtime.cluster import Errand  # after the line that skips without the package


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def here(tmp_path: Path, two: Cluster, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and the cluster to work with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SELF2ALIGN_SCRATCH", raising=False)
    monkeypatch.setenv("SELF2ALIGN_SCHEDULER", two.address)
    return tmp_path


def test_results_come_in_the_order_of_the_arguments_and_nothing_is_left(here: Path) -> None:
    notes: list[tuple[int, int, str]] = []

    def shown(done: int, total: int, note: str = "") -> None:
        notes.append((done, total, note))

    found = run_tasks(square, [(number,) for number in range(20)], shown, common=(7,))
    assert found == [number * number + 7 for number in range(20)]
    assert notes[-1][:2] == (20, 20)
    assert notes[-1][2].endswith(" workers")
    assert not list(here.iterdir())


def test_an_error_of_a_task_ends_the_run_as_it_is(here: Path) -> None:
    with pytest.raises(ValueError, match=r"^three: found 3, expected none$"):
        run_tasks(refuse_three, [(number,) for number in range(8)], lambda done, total: None)
    assert not list(here.iterdir())


def test_a_task_runs_again_after_an_error_of_the_file_system(here: Path) -> None:
    tasks = [(here, number) for number in range(3)]
    assert run_tasks(fail_once, tasks, lambda done, total: None) == [0, 1, 2]


def test_a_folder_that_workers_do_not_share_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("self2align.runtime.cluster.Errand", lambda _, *more: Errand("/nowhere", *more))
    with pytest.raises(ValueError, match=r"^worker .*: found no /nowhere, expected the client's folder, shared$"):
        run_tasks(square, [(1,)], lambda done, total: None, common=(0,))


def test_workers_with_other_code_are_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("self2align.runtime.cluster.package_digest", lambda: "other")
    with pytest.raises(ValueError, match=r"^worker .*: found other code of self2align"):
        run_tasks(square, [(1,)], lambda done, total: None, common=(0,))


def _store(folder: Path, name: str, death: Path | None = None) -> dict[str, bytes]:
    """Write a store of four shards; return its files."""
    arrays = {"values": ArraySpec("uint16", (3, SIDE, SIDE), ("channel", "y", "x")), "mean": ArraySpec("float64")}
    scratch = folder / f"{name}-work"
    scratch.mkdir()
    table = Table("rows", "row", ROWS, 4, arrays)
    build(folder / name, [table], partial(fill, death), {}, scratch, lambda done, total: None)
    return {str(path.relative_to(folder / name)): path.read_bytes() for path in _files(folder / name)}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_store_has_the_bytes_of_one_process_also_when_a_worker_is_killed_in_a_shard(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_two = _store(here, "two")
    with cluster(tmp_path_factory.mktemp("dying")) as dying:
        monkeypatch.setenv("SELF2ALIGN_SCHEDULER", dying.address)
        after_a_death = _store(here, "dead", here / "death")
        dead = [process for process in dying.processes if process.poll() is not None]
    assert len(dead) == 1, "one worker died, and the other went on"
    monkeypatch.delenv("SELF2ALIGN_SCHEDULER")
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    assert by_two == after_a_death == _store(here, "one")


def test_a_scheduler_that_dies_ends_the_run_with_a_line(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster(tmp_path_factory.mktemp("gone"), workers=1) as gone:
        monkeypatch.setenv("SELF2ALIGN_SCHEDULER", gone.address)

        def kill(done: int, total: int, note: str = "") -> None:
            if done:
                gone.processes[0].kill()

        with pytest.raises(ConnectionError, match="found the scheduler gone, expected it until the end; what is finis"):
            run_tasks(square, [(number,) for number in range(5000)], kill, common=(0,))


def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELF2ALIGN_SCHEDULER", "host:8786")
    with pytest.raises(ValueError, match=r"found 'host:8786', expected an address such as tcp://host:8786"):
        run_tasks(square, [(1,)], lambda done, total: None, common=(0,))


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELF2ALIGN_SCHEDULER", "tcp://127.0.0.1:9")
    monkeypatch.setattr("self2align.runtime.cluster.PATIENCE", 0.5)
    with pytest.raises(ValueError, match=r"found no scheduler at tcp://127.0.0.1:9, expected one there"):
        run_tasks(square, [(1,)], lambda done, total: None, common=(0,))
