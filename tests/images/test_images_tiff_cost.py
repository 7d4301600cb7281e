"""What reading a TIFF file costs, counted in what is asked of the file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tifffile

from self2align.images.tiff_layout import footage
from tests.images.stacks import MINIS, layout, values, write


class _Counted:
    """Counts what a file handle of tifffile is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.bytes = 0
        seek, read = tifffile.FileHandle.seek, tifffile.FileHandle.read

        def counted_seek(handle: Any, *told: Any) -> Any:
            self.calls += 1
            return seek(handle, *told)

        def counted_read(handle: Any, *told: Any) -> Any:
            found = read(handle, *told)
            self.calls += 1
            self.bytes += len(found)
            return found

        monkeypatch.setattr(tifffile.FileHandle, "seek", counted_seek)
        monkeypatch.setattr(tifffile.FileHandle, "read", counted_read)

    def __call__(self, work: Callable[[], object]) -> tuple[int, int]:
        self.calls = self.bytes = 0
        work()
        return self.calls, self.bytes


@pytest.mark.parametrize("kind", ["pages", "series", "shaped", "imagej", "ome"])
def test_opening_costs_in_proportion_to_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    told: dict[str, dict[str, Any]] = {
        "pages": {**MINIS, "metadata": None, "contiguous": False, "compression": "lzw"},
        "series": {**MINIS, "contiguous": False},
        "shaped": {**MINIS, "compression": "lzw"},
        "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
        "ome": {**MINIS, "ome": True, "metadata": {"axes": "TYX"}, "compression": "lzw"},
    }
    counted, costs = _Counted(monkeypatch), {}
    for pages in (30, 60, 120):
        path = tmp_path / f"{pages}.tif"
        if kind in ("pages", "series"):
            with tifffile.TiffWriter(path) as file:
                for page in values((pages, 8, 9)):
                    file.write(page, **told[kind])
        else:
            write(path, values((pages, 8, 9)), **told[kind])
        costs[pages] = counted(lambda path=path: layout(path))  # type: ignore[misc]
    for before, after in ((30, 60), (60, 120)):
        assert all(late < 2.2 * early for early, late in zip(costs[before], costs[after], strict=True)), costs
    assert costs[120][0] < 40 * 120  # calls a page


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
def test_the_last_page_costs_as_much_as_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str | None
) -> None:
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for page in values((80, 16, 20)):
            file.write(page, photometric="minisblack", compression=compression, metadata=None, contiguous=False)
    counted = _Counted(monkeypatch)
    with footage(tmp_path / "in.tif") as (file, found):
        array = found.array(file)
        early, late = (counted(lambda at=at: array[(at, slice(None), slice(None))]) for at in (1, 79))  # type: ignore[misc]
    assert late[0] <= early[0] + 2
    assert late[1] <= 1.5 * early[1]
