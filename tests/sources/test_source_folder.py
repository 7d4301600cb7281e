"""Folders become scenes, in every known layout; what does not fit is refused by name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from self2align.images.names import natural
from self2align.sources.folder import Folder
from self2align.sources.source import Selection


def _put(path: Path, value: int = 0, size: tuple[int, int] = (6, 4), mode: str = "RGB") -> None:
    """Write an image of one value; size is width, height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, (value,) * 3 if mode == "RGB" else value).save(path)


def _units(root: Path, glob: Sequence[str] = ("*",), exclude: Sequence[str] = ()) -> list[str]:
    return Folder(root, Selection(glob=glob, exclude=exclude)).units()


def test_natural_order() -> None:
    names = ["img10", "img2", "b/1", "a/10", "a/9", "img02", "a b"]
    assert sorted(names, key=natural) == ["a/9", "a/10", "a b", "b/1", "img02", "img2", "img10"]


def test_one_folder_is_one_scene_in_natural_order(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        _put(tmp_path / "s" / "deep" / f"im{number}.png", number)
    _put(tmp_path / "s10" / "a.PNG")
    _put(tmp_path / "s9" / "a.png")
    _put(tmp_path / ".hidden" / "a.png")
    _put(tmp_path / "s9" / ".hidden.png")
    (tmp_path / "s9" / "notes.txt").write_text("not an image")
    assert _units(tmp_path) == ["s/deep", "s9", "s10"]
    (scene,) = Folder(tmp_path, Selection()).read("s/deep")
    assert scene.name == "s/deep"
    assert (scene.frames.shape, scene.frames.dtype.name, scene.white) == ((3, 3, 4, 6), "uint8", 255.0)
    np.testing.assert_array_equal(scene.frames[:, 0, 0, 0], [1, 2, 10])


def test_images_in_the_root_are_a_scene_named_after_it(tmp_path: Path) -> None:
    _put(tmp_path / "walk" / "1.png", 7)
    source = Folder(tmp_path / "walk", Selection(color="gray"))
    assert source.units() == ["walk"]
    (scene,) = source.read("walk")
    np.testing.assert_array_equal(scene.frames, np.full((1, 1, 4, 6), 7))


def test_step_and_max_frames_read_nothing_else(tmp_path: Path) -> None:
    for number in range(10):
        _put(tmp_path / "s" / f"{number}.png", number)
    (tmp_path / "s" / "1.png").write_bytes(b"not read")
    (tmp_path / "s" / "9.png").write_bytes(b"not read")
    (scene,) = Folder(tmp_path, Selection(step=3, max_frames=3)).read("s")
    np.testing.assert_array_equal(scene.frames[:, 0, 0, 0], [0, 3, 6])


def test_davis(tmp_path: Path) -> None:
    for name in ("camel", "bear", "dog"):
        _put(tmp_path / "JPEGImages" / "480p" / name / "00000.jpg")
        _put(tmp_path / "Annotations" / "480p" / name / "00000.png")
    assert _units(tmp_path) == ["bear", "camel", "dog"]
    lists = tmp_path / "ImageSets" / "480p"
    lists.mkdir(parents=True)
    lines = [f"/JPEGImages/480p/{n}/00000.jpg /Annotations/480p/{n}/00000.png" for n in ("dog", "bear", "bear")]
    (lists / "train.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "ImageSets" / "2017").mkdir()
    (tmp_path / "ImageSets" / "2017" / "val.txt").write_text("camel\r\n\r\n")
    assert _units(tmp_path, ["@ImageSets/480p/train.txt"]) == ["bear", "dog"]
    assert _units(tmp_path, ["@ImageSets/2017/val.txt"]) == ["camel"]
    assert _units(tmp_path, ["@ImageSets/480p/train.txt", "camel"], exclude=["b*"]) == ["camel", "dog"]
    assert _units(tmp_path, exclude=["@ImageSets/480p/train.txt"]) == ["camel"]


def test_vimeo(tmp_path: Path) -> None:
    for name in ("00001/0001", "00001/0002", "00002/0001"):
        for number in range(1, 8):
            _put(tmp_path / "sequences" / name / f"im{number}.png", number)
    (tmp_path / "sep_trainlist.txt").write_text("00001/0002\n00002/0001\n")
    assert _units(tmp_path) == ["00001/0001", "00001/0002", "00002/0001"]
    assert _units(tmp_path, ["00001/*"]) == ["00001/0001", "00001/0002"]
    assert _units(tmp_path, ["@sep_trainlist.txt"]) == ["00001/0002", "00002/0001"]
    (scene,) = Folder(tmp_path, Selection()).read("00002/0001")
    np.testing.assert_array_equal(scene.frames[:, 0, 0, 0], np.arange(1, 8))


def test_lists_must_name_what_exists(tmp_path: Path) -> None:
    _put(tmp_path / "a" / "1.png")
    (tmp_path / "list.txt").write_text("a\nb\nc\n")
    with pytest.raises(ValueError, match=r"list\.txt: found 2 scenes that do not exist, the first 'b'"):
        _units(tmp_path, ["@list.txt"])
    with pytest.raises(ValueError, match=r"other\.txt: found no such file"):
        _units(tmp_path, ["@other.txt"])


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none: found nothing, expected a folder"):
        _units(tmp_path / "none")
    with pytest.raises(ValueError, match="found no images"):
        _units(tmp_path)
    _put(tmp_path / "Camel" / "1.png")
    with pytest.raises(ValueError, match=r"found no scene for glob \['camel'\].*\(Camel\)"):
        _units(tmp_path, ["camel"])
    _put(tmp_path / f"{tmp_path.name}" / "1.png")
    _put(tmp_path / "1.png")
    with pytest.raises(ValueError, match="expected either"):
        _units(tmp_path)


def test_frames_must_agree(tmp_path: Path) -> None:
    _put(tmp_path / "size" / "1.png")
    _put(tmp_path / "size" / "2.png", size=(8, 4))
    with pytest.raises(ValueError, match=r"2\.png: found 8 x 4 pixels, expected 6 x 4 as in .*1\.png"):
        list(Folder(tmp_path, Selection()).read("size"))
    _put(tmp_path / "type" / "1.png")
    _put(tmp_path / "type" / "2.png", mode="I;16")
    with pytest.raises(ValueError, match=r"2\.png: found uint16 pixels, expected uint8 as in .*1\.png"):
        list(Folder(tmp_path, Selection()).read("type"))
    _put(tmp_path / "twice" / "1.png")
    _put(tmp_path / "twice" / "1.jpg")
    with pytest.raises(ValueError, match=r"found 1\.(png|jpg) beside it"):
        list(Folder(tmp_path, Selection()).read("twice"))
    _put(tmp_path / "broken" / "1.png")
    whole = (tmp_path / "broken" / "1.png").read_bytes()
    (tmp_path / "broken" / "2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"2\.png: found .*, expected a whole picture"):
        list(Folder(tmp_path, Selection()).read("broken"))


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    _put(tmp_path / "store" / "a" / "1.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a").symlink_to(tmp_path / "store" / "a")
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root")
    assert _units(tmp_path / "root") == ["a"]


def test_files_of_another_white_are_refused(tmp_path: Path) -> None:
    frame = np.full((8, 16), 4000, np.uint16)
    tifffile.imwrite(tmp_path / "0.tif", frame, photometric="minisblack", bitspersample=12)
    tifffile.imwrite(tmp_path / "1.tif", frame, photometric="minisblack")
    with pytest.raises(ValueError, match=r"1\.tif: found 65535 as white, expected 4095 as in .*0\.tif"):
        next(Folder(tmp_path, Selection(color="gray")).read(tmp_path.name))
