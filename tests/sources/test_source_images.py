"""Every still image is a scene of one frame."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from self2align.sources.images import Images
from self2align.sources.source import Selection


def _put(path: Path, value: int = 0, size: tuple[int, int] = (6, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value,) * 3).save(path)


def test_flat_and_nested_of_any_size(tmp_path: Path) -> None:
    _put(tmp_path / "kodim10.png", 10)
    _put(tmp_path / "kodim2.png", 2, (4, 6))
    _put(tmp_path / "more" / "a.b.png", 3)
    _put(tmp_path / ".cache" / "a.png")
    source = Images(tmp_path, Selection(step=2, max_frames=1))
    assert source.units() == ["kodim2", "kodim10", "more/a.b"]
    scenes = [scene for unit in source.units() for scene in source.read(unit)]
    assert [scene.name for scene in scenes] == source.units()
    assert [scene.frames.shape for scene in scenes] == [(1, 3, 6, 4), (1, 3, 4, 6), (1, 3, 4, 6)]
    assert [scene.frames[0, 0, 0, 0] for scene in scenes] == [2, 10, 3]
    assert Images(tmp_path, Selection(glob=["kodim*"], exclude=["*10"])).units() == ["kodim2"]


def test_gray(tmp_path: Path) -> None:
    _put(tmp_path / "a.png", 9)
    (scene,) = Images(tmp_path, Selection(color="gray")).read("a")
    np.testing.assert_array_equal(scene.frames, np.full((1, 1, 4, 6), 9))


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none: found nothing"):
        Images(tmp_path / "none", Selection()).units()
    with pytest.raises(ValueError, match="found no images"):
        Images(tmp_path, Selection()).units()
    _put(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"found no scene for glob \['b'\]"):
        Images(tmp_path, Selection(glob=["b"])).units()
    _put(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="expected one image of that name"):
        Images(tmp_path, Selection()).units()
