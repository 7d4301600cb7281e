"""What lies among footage and is not read is said, where it costs time."""

from pathlib import Path

import pytest

from self2align.survey import unread
from self2align.survey.unread import unread_note


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    folder = tmp_path / "footage"
    (folder / "a").mkdir(parents=True)
    for name, size in (("a/0.png", 60), ("a/1.png", 40), ("a/masks.npz", 300), ("b.mp4", 10), ("c.tif", 50)):
        (folder / name).write_bytes(bytes(size))
    return folder


def test_much_that_is_not_read_is_named_with_its_size(footage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "LEAST", 100)
    found = {kind: unread_note(kind, footage) for kind in ("folder", "stack", "video")}
    assert str(found["folder"]).startswith(f"310 B of 460 B in {footage} are not read (.npz, .mp4)")
    assert str(found["stack"]).startswith("410 B of 460 B")
    assert str(found["video"]).startswith("450 B of 460 B")


def test_little_and_single_files_go_unsaid(footage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unread_note("folder", footage) is None  # hashed in no time
    monkeypatch.setattr(unread, "LEAST", 100)
    (footage / "a/2.png").write_bytes(bytes(9000))
    assert unread_note("folder", footage) is None  # little against what is read
    assert unread_note("video", footage / "b.mp4") is None
