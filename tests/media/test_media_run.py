"""From paths to results: what is taken, where it goes, when it appears."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from filelock import FileLock
from numpy.typing import NDArray

from self2align.images import png
from self2align.images.files import read_image
from self2align.media.jobs import find_jobs
from tests.media.running import KilledError, Run


def _picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 14, 1), dtype=np.uint8)
    path.write_bytes(png.encode_png(pixels))
    return path


def _stack(path: Path, pages: int) -> NDArray[np.uint16]:
    stack = np.random.default_rng(0).integers(0, 65535, (pages, 20, 24), dtype=np.uint16)
    tifffile.imwrite(path, stack, photometric="minisblack")
    return stack


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder_keeps_its_tree_and_leaves_out_what_is_hidden_or_no_picture(tmp_path: Path, run: Run) -> None:
    for name in ("a.png", "b/c10.png", "b/c9.png", ".hidden.png", ".dir/d.png"):
        _picture(tmp_path / "in" / name)
    _stack(tmp_path / "in" / "b" / "e.tif", 2)
    (tmp_path / "in" / "notes.txt").write_text("of the day")
    run(tmp_path / "in", tmp_path / "out")
    assert _names(tmp_path / "out") == ["a.png", "b/c10.png", "b/c9.png", "b/e.tif"]
    assert (tmp_path / "out" / "a.png").read_bytes() == (tmp_path / "in" / "a.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_a_pattern_takes_what_it_matches_below_its_fixed_part(tmp_path: Path, run: Run) -> None:
    for name in ("x/1.png", "x/2.png", "y/1.png", "z.png", "x/.3.png"):
        _picture(tmp_path / "in" / name)
    run(f"{tmp_path}/in/*/1.png", tmp_path / "one")
    run(f"{tmp_path}/in/**/*.png", tmp_path / "all")
    assert _names(tmp_path / "one") == ["x/1.png", "y/1.png"]
    assert _names(tmp_path / "all") == ["x/1.png", "x/2.png", "y/1.png", "z.png"]


def test_a_folder_of_arrays_and_of_videos(tmp_path: Path) -> None:
    for name in ("a.zarr", "b/c.zarr"):
        zarr.create_array(tmp_path / "arrays" / name, shape=(8, 8), dtype="uint8")
    jobs = find_jobs(str(tmp_path / "arrays"), tmp_path / "out")
    assert [(job.kind, job.target) for job in jobs] == [
        ("zarr", tmp_path / "out" / "a.zarr"),
        ("zarr", tmp_path / "out" / "b" / "c.zarr"),
    ]
    (tmp_path / "videos").mkdir()
    for name in ("a.mp4", "b.avi"):
        (tmp_path / "videos" / name).touch()
    jobs = find_jobs(str(tmp_path / "videos"), tmp_path / "out")
    assert [job.target.name for job in jobs] == ["a.mp4", "b.mkv"], (
        "a container that is not written becomes one that is"
    )


@pytest.mark.parametrize("kind", ["tiff", "zarr"])
def test_killed_and_resumed_it_ends_in_the_same_bytes(tmp_path: Path, kind: str) -> None:
    stack = _stack(tmp_path / "in.tif", 7)
    names = ("in.tif", "whole.tif", "out.tif")
    if kind == "zarr":
        names = ("in.zarr", "whole.zarr", "out.zarr")
        array = zarr.create_array(tmp_path / "in.zarr", shape=stack.shape, dtype=stack.dtype, chunks=(3, 20, 24))
        array[...] = stack
    source, whole, out = (tmp_path / name for name in names)
    Run(identity=False)(source, whole)
    with pytest.raises(KilledError):
        Run(identity=False, killed_after=4)(source, out)
    assert not out.exists()
    resumed = Run(identity=False)
    resumed(source, out)
    assert len(resumed.seen) == 3
    if kind == "zarr":
        assert _names(out) == _names(whole)
        assert all((out / name).read_bytes() == (whole / name).read_bytes() for name in _names(out))
    else:
        assert out.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_finished_files_of_a_folder_are_not_done_again(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        _picture(tmp_path / "in" / f"{name}.png", ord(name))
    Run(identity=False)(tmp_path / "in", tmp_path / "whole")
    with pytest.raises(KilledError):
        Run(identity=False, killed_after=2)(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    resumed = Run(identity=False)
    resumed(tmp_path / "in", tmp_path / "out")
    assert len(resumed.seen) == 1
    for name in ("a", "b", "c"):
        assert (tmp_path / "out" / f"{name}.png").read_bytes() == (tmp_path / "whole" / f"{name}.png").read_bytes()


def test_unfinished_work_of_another_input_or_choice_is_not_used(tmp_path: Path) -> None:
    _stack(tmp_path / "in.tif", 4)
    with pytest.raises(KilledError):
        Run(identity=False, killed_after=2)(tmp_path / "in.tif", tmp_path / "out.tif")
    other = Run(identity=False)
    other(tmp_path / "in.tif", tmp_path / "out.tif", white=4095)
    assert len(other.seen) == 4
    with pytest.raises(KilledError):
        Run(identity=False, killed_after=2)(tmp_path / "in.tif", tmp_path / "again.tif")
    os.utime(tmp_path / "in.tif", ns=(1, 1))
    changed = Run(identity=False)
    changed(tmp_path / "in.tif", tmp_path / "again.tif")
    assert len(changed.seen) == 4


def test_a_kill_while_a_folder_is_moved_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        _picture(tmp_path / "in" / f"{name}.png", ord(name))
    from self2align.media import staging

    moved: list[Path] = []

    def move(made: Path, final: Path) -> None:
        if len(moved) == 2:
            raise KilledError
        final.parent.mkdir(parents=True, exist_ok=True)
        moved.append(made.replace(final))

    with monkeypatch.context() as patch:
        patch.setattr(staging, "move_into_place", move)
        with pytest.raises(KilledError):
            Run()(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    again = Run()
    again(tmp_path / "in", tmp_path / "out")
    assert len(again.seen) == 0
    assert _names(tmp_path / "out") == ["a.png", "b.png", "c.png"]


def test_nothing_is_overwritten_unasked(tmp_path: Path, run: Run) -> None:
    _picture(tmp_path / "in.png")
    (tmp_path / "out.png").write_text("mine")
    with pytest.raises(ValueError, match=r"out\.png: found it there already, expected a new name, or --overwrite"):
        run(tmp_path / "in.png", tmp_path / "out.png")
    assert (tmp_path / "out.png").read_text() == "mine"
    run(tmp_path / "in.png", tmp_path / "out.png", overwrite=True)
    assert (tmp_path / "out.png").read_bytes() == (tmp_path / "in.png").read_bytes()


def test_other_files_in_a_folder_that_is_overwritten_stay(tmp_path: Path, run: Run) -> None:
    _picture(tmp_path / "in" / "a.png")
    _picture(tmp_path / "out" / "a.png", 1)
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="out: found it there already"):
        run(tmp_path / "in", tmp_path / "out")
    run(tmp_path / "in", tmp_path / "out", overwrite=True)
    assert _names(tmp_path / "out") == ["a.png", "mine.txt"]
    assert (tmp_path / "out" / "a.png").read_bytes() == (tmp_path / "in" / "a.png").read_bytes()


def test_a_folder_is_never_replaced_by_a_file_or_an_array(tmp_path: Path, run: Run) -> None:
    _picture(tmp_path / "in" / "a.png")
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"a\.png: found a folder, which is not replaced"):
        run(tmp_path / "in", tmp_path / "out", overwrite=True)
    zarr.create_array(tmp_path / "in.zarr", shape=(8, 8), dtype="uint8")[:] = np.arange(64, dtype=np.uint8).reshape(
        8, 8
    )
    _picture(tmp_path / "precious" / "a.png")
    with pytest.raises(ValueError, match="precious: found a folder, which is not replaced"):
        run(tmp_path / "in.zarr", tmp_path / "precious", overwrite=True)
    run(tmp_path / "in.zarr", tmp_path / "out.zarr")
    run(tmp_path / "in.zarr", tmp_path / "out.zarr", overwrite=True)


def test_an_empty_folder_may_be_filled(tmp_path: Path, run: Run) -> None:
    _picture(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    run(tmp_path / "in", tmp_path / "out")
    assert _names(tmp_path / "out") == ["a.png"]


def test_two_runs_on_one_output_are_not_let_loose(tmp_path: Path, run: Run) -> None:
    _picture(tmp_path / "in.png")
    (tmp_path / ".out.png.unfinished").mkdir()
    with (
        FileLock(tmp_path / ".out.png.unfinished" / "lock"),
        pytest.raises(ValueError, match=r"out\.png: found another run at work on it, expected one at a time"),
    ):
        run(tmp_path / "in.png", tmp_path / "out.png")


def _same(path: Path) -> tuple[Path, Path]:
    return _picture(path / "in.png"), path / "in.png"


def _linked(path: Path) -> tuple[Path, Path]:
    _picture(path / "in.png")
    (path / "out.png").symlink_to(path / "in.png")
    return path / "in.png", path / "out.png"


def _within(path: Path) -> tuple[Path, Path]:
    _picture(path / "in" / "a.png")
    return path / "in", path / "in" / "clean"


def _around(path: Path) -> tuple[Path, Path]:
    _picture(path / "in" / "a.png")
    return path / "in", path


def _escaping(path: Path) -> tuple[Path, Path]:
    _picture(path / "up" / "down" / "a.png")
    _picture(path / "a.png")
    return path / "up" / "*" / ".." / ".." / "a.png", path / "up" / "out"


def _empty(path: Path) -> tuple[Path, Path]:
    (path / "in").mkdir()
    return path / "in", path / "out"


def _absent(path: Path) -> tuple[Path, Path]:
    return path / "none.png", path / "out.png"


def _matching_nothing(path: Path) -> tuple[Path, Path]:
    return path / "*.png", path / "out"


def _mixed(path: Path) -> tuple[Path, Path]:
    _picture(path / "in" / "a.png")
    (path / "in" / "b.mp4").touch()
    return path / "in", path / "out"


def _unknown(path: Path) -> tuple[Path, Path]:
    (path / "in.xyz").touch()
    return path / "in.xyz", path / "out.xyz"


def _into_folder(path: Path) -> tuple[Path, Path]:
    (path / "out").mkdir()
    return _picture(path / "in.png"), path / "out"


def _twins(path: Path) -> tuple[Path, Path]:
    (path / "in").mkdir()
    for name in ("a.avi", "a.mkv"):
        (path / "in" / name).touch()
    return path / "in", path / "out"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_same, r"in\.png: found the input itself, expected another path for the output"),
        (_linked, r"out\.png: found the input itself, expected another path for the output"),
        (_within, r"clean: found input and output \(.*in\) one within the other, expected them apart"),
        (_around, r"found input and output \(.*in\) one within the other, expected them apart"),
        (_escaping, r"a\.png: found a path that leads out of .*out, expected one within .*up"),
        (_empty, r"in: found no file to denoise, expected a picture, video \(.*\) or Zarr array"),
        (_absent, r"none\.png: found nothing there, expected a picture"),
        (_matching_nothing, r"\*\.png: found no file to denoise, expected a picture"),
        (_mixed, r"in: found files of kinds picture and video, expected one kind"),
        (_unknown, r"in\.xyz: found suffix '\.xyz', expected a picture"),
        (_into_folder, r"out: found a folder, expected the name of the file to write"),
        (_twins, r"a\.mkv: found a\.avi beside it, expected one result by a\.mkv"),
    ],
)
def test_paths_that_lead_to_harm_or_nowhere_are_refused(tmp_path: Path, run: Run, make: Any, message: str) -> None:
    source, output = make(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in _names(tmp_path)}
    with pytest.raises(ValueError, match=message) as told:
        run(source, output, overwrite=True)
    assert "\n" not in str(told.value)
    assert {name: (tmp_path / name).read_bytes() for name in _names(tmp_path)} == before


def test_one_broken_picture_in_a_folder_is_named_and_the_rest_is_kept_for_later(tmp_path: Path, run: Run) -> None:
    for name in ("a", "b"):
        _picture(tmp_path / "in" / f"{name}.png", ord(name))
    whole = (tmp_path / "in" / "b.png").read_bytes()
    (tmp_path / "in" / "b.png").write_bytes(whole[:100])
    with pytest.raises(ValueError, match=r"b\.png: found "):
        run(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "in" / "b.png").write_bytes(whole)
    run(tmp_path / "in", tmp_path / "out")
    shutil.rmtree(tmp_path / "in")
    assert _names(tmp_path / "out") == ["a.png", "b.png"]


def _moving(texture: NDArray[np.float32], count: int) -> NDArray[np.uint16]:
    noise = np.random.default_rng(1).normal(0, 2000, (count, 48, 56))
    frames = np.stack([texture[0, t : 48 + t, 2 * t : 56 + 2 * t] for t in range(count)])
    return np.clip(20000 + 20000 * frames + noise, 0, 65535).astype(np.uint16)


def _numbered(folder: Path, frames: NDArray[np.uint16]) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, 8):  # 8 ... 12: by number, not by letter
        (folder / f"{number}.png").write_bytes(png.encode_png(frame[..., None]))


def test_pictures_of_a_folder_help_each_other_as_pages_do(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    frames = _moving(texture, 5)
    _numbered(tmp_path / "in", frames)
    tifffile.imwrite(tmp_path / "in.tif", frames, photometric="minisblack")
    Run(radius=1)(tmp_path / "in.tif", tmp_path / "out.tif")
    Run(radius=1)(tmp_path / "in", tmp_path / "out")
    pages = tifffile.imread(tmp_path / "out.tif")
    for number, page in enumerate(pages, 8):
        np.testing.assert_array_equal(read_image(tmp_path / "out" / f"{number}.png")[0][0], page)
    assert np.abs(pages.astype(int) - frames).max() > 1000  # the neighbours took part


def test_a_killed_folder_of_frames_goes_on_to_the_same_bytes(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    _numbered(tmp_path / "in", _moving(texture, 8))
    Run(radius=1)(tmp_path / "in", tmp_path / "whole")
    with pytest.raises(KilledError):
        Run(radius=1, killed_after=7)(tmp_path / "in", tmp_path / "out")
    again = Run(radius=1)
    again(tmp_path / "in", tmp_path / "out")
    assert len(again.seen) < 8
    for number in range(8, 16):
        assert (tmp_path / "out" / f"{number}.png").read_bytes() == (tmp_path / "whole" / f"{number}.png").read_bytes()


def test_frames_of_one_footage_have_one_size(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    _numbered(tmp_path / "in", _moving(texture, 2))
    (tmp_path / "in" / "99.png").write_bytes(png.encode_png(np.zeros((48, 48, 1), np.uint8)))
    with pytest.raises(ValueError, match=r"99\.png: found 48 x 48 px of 1 channels, expected 56 x 48 px of 1 chan"):
        Run(radius=1)(tmp_path / "in", tmp_path / "out")
    Run()(tmp_path / "in", tmp_path / "out")  # each by itself they may differ


def test_a_neighbour_that_changed_makes_its_frames_anew_and_no_others(
    tmp_path: Path, texture: NDArray[np.float32]
) -> None:
    frames = _moving(texture, 9)
    _numbered(tmp_path / "in", frames)
    with pytest.raises(KilledError):
        Run(radius=1, killed_after=8)(tmp_path / "in", tmp_path / "out")
    other = frames[5].copy()
    other[:24] //= 2
    (tmp_path / "in" / "13.png").write_bytes(png.encode_png(other[..., None]))
    again = Run(radius=1)
    again(tmp_path / "in", tmp_path / "out")
    assert len(again.seen) == 8  # from two before the first that it may help
    Run(radius=1)(tmp_path / "in", tmp_path / "fresh")
    for number in range(8, 17):
        assert (tmp_path / "out" / f"{number}.png").read_bytes() == (tmp_path / "fresh" / f"{number}.png").read_bytes()


def test_twins_are_no_two_frames(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    _numbered(tmp_path / "in", _moving(texture, 2))
    shutil.copy(tmp_path / "in" / "8.png", tmp_path / "in" / "8.PNG")
    with pytest.raises(ValueError, match=r"8\.(png|PNG): found another picture 8, expected one for each frame"):
        Run(radius=1)(tmp_path / "in", tmp_path / "out")
