"""What the tests of faults share: folders in which commands run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.kills import Known, uninterrupted
from tests.faults.subjects import FILES, STAGES, Subject, make_files, make_project


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files to denoise, with weights."""
    folder = tmp_path_factory.mktemp("faults") / "files"
    make_files(folder)
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose first stages have run."""
    folder = tmp_path_factory.mktemp("faults") / "project"
    make_project(folder, STAGES[:1])
    return folder


@pytest.fixture(scope="session")
def known(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Known]:
    """How a command on those files ends without faults, by its name."""
    found: dict[str, Known] = {}

    def look_up(name: str) -> Known:
        if name not in found:
            place = tmp_path_factory.mktemp("whole") / "run"
            found[name] = uninterrupted(subject(name), files, place)
        return found[name]

    return look_up


def subject(name: str) -> Subject:
    """Return the command of a name."""
    return next(one for one in (*FILES, *STAGES) if one.name == name)
