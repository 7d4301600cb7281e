from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from self2align.sources.source import Selection
from self2align.sources.stack import Stack, count_frames, read_stack
from self2align.stores.scene import Scene

GRAY = np.random.default_rng(0).integers(0, 65536, (5, 20, 30), dtype=np.uint16)
COLOR = np.random.default_rng(1).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)


def scenes(path: Path, **options: Any) -> list[Scene]:
    source = Stack(path, Selection(color="gray", **options))
    return [scene for unit in source.units() for scene in source.read(unit)]


def test_every_file_is_a_scene_of_its_pages(tmp_path: Path) -> None:
    for name in ("b10", "b9"):
        tifffile.imwrite(tmp_path / f"{name}.tif", GRAY)
    (tmp_path / ".hidden.tif").write_bytes(b"")
    found = scenes(tmp_path)
    assert [scene.name for scene in found] == ["b9", "b10"]
    np.testing.assert_array_equal(found[0].frames[:, 0], GRAY)
    assert found[0].white == 65535
    one = scenes(tmp_path / "b9.tif", step=2, max_frames=2)
    np.testing.assert_array_equal(one[0].frames[:, 0], GRAY[[0, 2]])


PLAIN: list[dict[str, Any]] = [
    {"metadata": {"axes": "TYX"}, "ome": True},
    {"metadata": {"axes": "ZYX"}, "imagej": True},
    {"imagej": True},  # without axes ImageJ calls them channels
    {"compression": "zlib"},
]


@pytest.mark.parametrize("options", PLAIN)
def test_stacks_as_programs_write_them_are_read(tmp_path: Path, options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, **options)
    np.testing.assert_array_equal(read_stack(tmp_path / "a.tif")[0][:, 0], GRAY)


def test_pages_that_were_appended_one_by_one_are_read(tmp_path: Path) -> None:
    first, *rest = [Image.fromarray(frame) for frame in GRAY]
    first.save(tmp_path / "a.tif", save_all=True, append_images=rest)
    np.testing.assert_array_equal(read_stack(tmp_path / "a.tif", 3)[0][:, 0], GRAY[::3])
    assert count_frames(tmp_path / "a.tif") == 5


def test_lzw_is_read(tmp_path: Path) -> None:
    # OpenCV's own, which differs from page to page in nothing but pixels.
    cv2.imwritemulti(str(tmp_path / "gray.tif"), list(GRAY), [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    cv2.imwritemulti(str(tmp_path / "rgb.tif"), list(COLOR[..., ::-1]), [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    first, *rest = [Image.fromarray(frame) for frame in GRAY]
    first.save(tmp_path / "pil.tif", save_all=True, append_images=rest, compression="tiff_lzw")
    with tifffile.TiffFile(tmp_path / "pil.tif") as file:
        assert file.pages[0].compression == tifffile.COMPRESSION.LZW
    for name in ("gray", "pil"):
        np.testing.assert_array_equal(read_stack(tmp_path / f"{name}.tif")[0][:, 0], GRAY)
        np.testing.assert_array_equal(read_stack(tmp_path / f"{name}.tif", 2, 2)[0][:, 0], GRAY[[0, 2]])
    np.testing.assert_array_equal(read_stack(tmp_path / "rgb.tif")[0], COLOR.transpose(0, 3, 1, 2))


def test_colours_are_read_wherever_their_axis_stands(tmp_path: Path) -> None:
    wanted = COLOR.transpose(0, 3, 1, 2)
    tifffile.imwrite(tmp_path / "pixel.tif", COLOR, photometric="rgb")
    tifffile.imwrite(tmp_path / "plane.tif", wanted, photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "pages.tif", wanted, imagej=True, metadata={"axes": "TCYX"})
    slow: dict[str, Any] = {"photometric": "minisblack", "ome": True, "metadata": {"axes": "CTYX"}}
    tifffile.imwrite(tmp_path / "slow.ome.tif", wanted.transpose(1, 0, 2, 3), **slow)
    for path in tmp_path.iterdir():
        np.testing.assert_array_equal(read_stack(path, 2, 2)[0], wanted[[0, 2]], err_msg=path.name)


Bad = NDArray[Any]
REFUSED: list[tuple[Bad, dict[str, Any], str]] = [
    (np.zeros((2, 3, 8, 8), np.uint8), {"imagej": True, "metadata": {"axes": "TZYX"}}, r"2 T x 3 Z x 8 Y x 8 X"),
    (
        np.zeros((2, 5, 8, 8), np.uint8),
        {"imagej": True, "metadata": {"axes": "TCYX"}},
        r"5 C x 8 Y x 8 X, expected 1 or 3 channels",
    ),
    (np.zeros((2, 8, 8), bool), {}, r"page 0 values of 1 bit, black or white; gray and RGB of more bits are read"),
]


@pytest.mark.parametrize(("array", "options", "message"), REFUSED)
def test_what_is_no_stack_of_frames_is_refused(
    tmp_path: Path, array: Bad, options: dict[str, Any], message: str
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    with pytest.raises(ValueError, match=message):
        read_stack(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["whole", "appended", "zlib"])
def test_a_file_cut_short_is_refused(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tif"
    if kind == "appended":
        with tifffile.TiffWriter(path) as file:
            for frame in GRAY:
                file.write(frame, contiguous=False, metadata=None)
    else:
        tifffile.imwrite(path, GRAY, compression="zlib" if kind == "zlib" else None)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"a\.tif: found .* bytes\), expected a TIFF file whole"):
        read_stack(path)
    assert capsys.readouterr().err == ""


def test_a_header_that_claims_more_than_memory_holds_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.uint8))
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[tag].overwrite(60000)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"a\.tif: found "):
        read_stack(tmp_path / "a.tif")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.tif: found not a TIFF file"):
        read_stack(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"found nothing, expected a TIFF"):
        Stack(tmp_path / "none", Selection()).units()
