"""Stacks of MetaMorph (STK), which list one page for all their planes."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from self2align.images.tiff_layout import footage
from tests.media.running import Run, noisy

PLANES = 5


def _write(path: Path, held: int = PLANES, settings: bool = True) -> NDArray[Any]:
    """Write a stack as the format has it: planes one after the other, counted by the table of tag UIC2 (33629)."""
    data = noisy((held, 16, 20), np.uint16).astype("<u2")
    at = 8 + data.nbytes
    table = struct.pack("<6I", 1, 1, 2450000, 0, 2450000, 0) * PLANES  # distance, dates and times
    layout = [(256, 20), (257, 16), (258, 16), (259, 1), (262, 1), (277, 1), (278, 16)]
    tags = [(code, 3, 1, struct.pack("<HH", value, 0)) for code, value in layout]
    tags += [(273, 4, 1, struct.pack("<I", 8)), (279, 4, 1, struct.pack("<I", 640))]
    after = at + 2 + 12 * (len(tags) + 1 + settings) + 4
    tags.append((33629, 5, PLANES, struct.pack("<I", after)))
    if settings:  # tag UIC1
        tags.append((33628, 4, 1, struct.pack("<I", after + len(table))))
    entries = b"".join(struct.pack("<HHI4s", *tag) for tag in sorted(tags))
    head = b"II*\0" + struct.pack("<I", at)
    body = struct.pack("<H", len(tags)) + entries + bytes(4) + table + struct.pack("<II", 0, 1)
    path.write_bytes(head + data.tobytes() + body)
    return data


def test_all_planes_are_frames_and_written_as_pages(tmp_path: Path) -> None:
    data = _write(tmp_path / "in.tif")
    with footage(tmp_path / "in.tif") as (_, layout):
        assert layout.axes.count == PLANES
    run = Run()
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert len(file.pages) == PLANES
        np.testing.assert_array_equal(file.asarray(key=range(PLANES)), data)
    note = f"{tmp_path / 'in.tif'}: not written: MetaMorph's tables (valid only within that file)"
    assert note in run.notes


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ({"settings": False}, r"in\.tif: found 1 of the 5 planes that MetaMorph's table \(UIC2\) counts, expected all"),
        ({"held": 3}, r"in\.tif: found 5 pages declared until byte 3208"),
        ({"held": 1}, r"in\.tif: found 5 pages declared until byte 3208"),
    ],
)
def test_planes_that_are_not_found_are_no_single_page(tmp_path: Path, harm: dict[str, Any], message: str) -> None:
    _write(tmp_path / "in.tif", **harm)
    with pytest.raises(ValueError, match=message), footage(tmp_path / "in.tif"):
        pass
