"""What counts as frames that follow one another in time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from self2align.images.axes import Axes
from self2align.media.footage import check_footage
from self2align.media.medium import Choices
from self2align.media.planes import Planes
from self2align.media.run import open_media
from self2align.media.staging import asked

REFUSED = "temporal: found channels or planes beside time in "


@pytest.mark.parametrize(
    ("axes", "lines"),
    [
        ({}, 1),
        ({"T": 9}, 1),
        ({"Z": 9}, 1),  # as ImageJ saves a sequence of pictures
        ({"T": 9, "Z": 5}, 2),
        ({"C": 2}, 2),  # one moment
        ({"T": 9, "C": 2}, 2),
        ({"T": 9, "Z": 1, "C": 1}, 1),
        ({"T": 9, "Z": 5, "C": 2}, 3),
    ],
)
def test_lines(axes: dict[str, int], lines: int) -> None:
    assert Planes(Axes("".join(axes) + "YX", (*axes.values(), 8, 8)), 1).lines == lines


def _check(source: Path, **told: Any) -> None:
    jobs = asked(str(source), source.with_stem("out"), False)
    check_footage(str(source), open_media(jobs, Choices(1, **told)))


@pytest.mark.parametrize(
    ("told", "footage"),
    [
        ({"photometric": "minisblack"}, True),
        ({"imagej": True}, True),  # whose pages tifffile calls channels
        ({"imagej": True, "metadata": {"axes": "TYX"}}, True),
        ({"imagej": True, "metadata": {"axes": "ZYX"}}, True),
        ({"imagej": True, "metadata": {"axes": "CYX", "mode": "composite"}}, False),
        ({"ome": True, "photometric": "minisblack", "metadata": {"axes": "TYX"}}, True),
        ({"ome": True, "photometric": "minisblack", "metadata": {"axes": "CYX"}}, False),
    ],
)
def test_tiff(tmp_path: Path, told: dict[str, Any], footage: bool) -> None:
    tifffile.imwrite(tmp_path / "in.tif", np.zeros((5, 16, 16), np.uint8), **told)
    if footage:
        _check(tmp_path / "in.tif")
        return
    with pytest.raises(ValueError, match=REFUSED):
        _check(tmp_path / "in.tif")


@pytest.mark.parametrize(("axes", "footage"), [("TYX", True), ("ZYX", True), ("CYX", False)])
def test_zarr(tmp_path: Path, axes: str, footage: bool) -> None:
    zarr.create_array(tmp_path / "in.zarr", shape=(5, 16, 16), dtype="uint8")[...] = 1
    if footage:
        _check(tmp_path / "in.zarr", axes=axes)
        return
    with pytest.raises(ValueError, match=REFUSED):
        _check(tmp_path / "in.zarr", axes=axes)
