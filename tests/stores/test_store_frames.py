import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from self2align.stores import build
from self2align.stores.codes import Coding
from self2align.stores.frames import FrameStore, Part, SceneRecord, write_frames
from self2align.stores.scene import Truth


def _part(name: str, count: int, height: int, width: int, pairs: int = 0) -> Part:
    record = SceneRecord("src", name, ("pairs",), "", 0, count, height, width)
    return Part(record, Coding("uint8", 1 / 255), 3, name, pairs)


def _content(part: Part) -> NDArray[Any]:
    draw = np.random.default_rng(len(part.handle))
    return draw.integers(0, 256, (part.record.count, 3, part.record.height, part.record.width), dtype=np.uint8)


def fetch(part: Part, start: int, stop: int) -> NDArray[Any]:
    return _content(part)[start:stop]


def fetch_truth(part: Part) -> Truth:
    n, size = part.pairs, (part.record.height, part.record.width)
    field = np.arange(n, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, *size), np.float32)
    return Truth(np.arange(n, dtype=np.int32), np.arange(1, n + 1, dtype=np.int32), field, np.zeros((n, *size), bool))


def failing(after: int, part: Part, start: int, stop: int) -> NDArray[Any]:
    if start >= after:
        raise RuntimeError("killed")
    return fetch(part, start, stop)


PARTS = [_part("a", 5, 20, 30), _part("bb", 3, 24, 16), _part("ccc", 7, 20, 30)]


def _write(path: Path, scratch: Path, **more: Any) -> list[SceneRecord]:
    scratch.mkdir(exist_ok=True)
    return write_frames(path, PARTS, more.pop("fetch", fetch), {"note": 1}, scratch, lambda a, b: None, **more)


def _bytes(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two frames a shard: scenes share shards and shards divide scenes.
    monkeypatch.setattr("self2align.stores.frames.rows_per_shard", lambda size: 2)


def test_frames_come_back_as_they_went_in(tmp_path: Path, small_shards: None) -> None:
    _write(tmp_path / "s.zarr", tmp_path / "w")
    store = FrameStore(tmp_path / "s.zarr")
    assert [scene.title for scene in store.scenes] == ["src/a", "src/bb", "src/ccc"]
    for part, scene in zip(PARTS, store.scenes, strict=True):
        np.testing.assert_array_equal(store.codes(scene), _content(part))
        np.testing.assert_allclose(store.frames(scene, 1, 3), _content(part)[1:3] / 255, atol=1e-7)


def test_any_number_of_workers_writes_the_same_bytes(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    _write(tmp_path / "one.zarr", tmp_path / "w1")
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "2")
    # Functions of a test module cannot be imported by a worker under every runner; the library's can.
    one = _bytes(tmp_path / "one.zarr")
    _write(tmp_path / "two.zarr", tmp_path / "w2")
    assert one == _bytes(tmp_path / "two.zarr")


def test_an_interrupted_write_leaves_nothing_and_goes_on_where_it_was(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    _write(tmp_path / "whole.zarr", tmp_path / "w0")
    with pytest.raises(RuntimeError, match="killed"):
        _write(tmp_path / "s.zarr", tmp_path / "w", fetch=partial(failing, 4))
    assert not (tmp_path / "s.zarr").exists()
    (tmp_path / "w" / "store" / "20x30" / "frames" / "c.0.partial").write_bytes(b"torn")
    written: list[int] = []
    original = build._write_shard

    def counted(*arguments: Any) -> None:
        written.append(arguments[2])
        original(*arguments)

    monkeypatch.setattr(build, "_write_shard", counted)
    _write(tmp_path / "s.zarr", tmp_path / "w")
    assert len(written) < 8, "finished shards are kept"
    assert _bytes(tmp_path / "whole.zarr") == _bytes(tmp_path / "s.zarr")


def test_a_kill_after_the_move_gives_the_same_store_again(tmp_path: Path, small_shards: None) -> None:
    _write(tmp_path / "s.zarr", tmp_path / "w")  # nobody removed the scratch folder: the run was killed here
    first = _bytes(tmp_path / "s.zarr")
    shutil.rmtree(tmp_path / "s.zarr")  # as DVC does before it runs the stage again
    _write(tmp_path / "s.zarr", tmp_path / "w")
    assert _bytes(tmp_path / "s.zarr") == first


def test_a_damaged_store_is_found_out(tmp_path: Path) -> None:
    _write(tmp_path / "s.zarr", tmp_path / "w")
    build.verify(tmp_path / "s.zarr")
    (tmp_path / "s.zarr" / "20x30" / "frames" / "c.0.0.0.0").unlink()
    with pytest.raises(ValueError, match=r"s\.zarr: found content \w+, expected \w+: the store is damaged"):
        build.verify(tmp_path / "s.zarr")


def test_the_digest_tells_of_names_as_well_as_of_pixels(tmp_path: Path) -> None:
    stores = []
    for name in ("a", "z"):
        (tmp_path / name).mkdir()
        parts = [replace(PARTS[0], record=replace(PARTS[0].record, name=name))]
        write_frames(tmp_path / f"{name}.zarr", parts, fetch, {}, tmp_path / name, lambda a, b: None)
        stores.append(FrameStore(tmp_path / f"{name}.zarr"))
    one, other = (store.codes(store.scenes[0]) for store in stores)
    np.testing.assert_array_equal(one, other)
    assert stores[0].content != stores[1].content


def test_true_motion_comes_back_by_scene(tmp_path: Path, small_shards: None) -> None:
    parts = [_part("a", 4, 20, 30, 3), _part("bb", 3, 20, 30, 2)]
    scratch = tmp_path / "w"
    scratch.mkdir()
    write_frames(tmp_path / "s.zarr", parts, fetch, {}, scratch, lambda a, b: None, fetch_truth)
    store = FrameStore(tmp_path / "s.zarr")
    for part, scene in zip(parts, store.scenes, strict=True):
        truth = store.truth(scene)
        assert truth is not None
        np.testing.assert_array_equal(truth.target, np.arange(part.pairs))
        np.testing.assert_array_equal(truth.transfer[:, 0, 0, 0], np.arange(part.pairs))


def test_xarray_opens_it_with_names_and_units(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    _write(tmp_path / "s.zarr", tmp_path / "w")
    with xarray.open_zarr(tmp_path / "s.zarr", group="20x30", consolidated=False) as data:
        assert data["frames"].dims == ("frame", "channel", "y", "x")
        assert float(data["frames"].max()) <= 1.0
        np.testing.assert_allclose(data["frames"][0].values, _content(PARTS[0])[0] / 255, atol=1e-6)


def test_files_are_few(tmp_path: Path) -> None:
    _write(tmp_path / "s.zarr", tmp_path / "w")
    # The root, and for each of two sizes a group, an array and one shard.
    assert len(_bytes(tmp_path / "s.zarr")) == 7


def test_what_is_no_store_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing\.zarr: found no Zarr store"):
        FrameStore(tmp_path / "nothing.zarr")
    zarr.open_group(tmp_path / "other.zarr", mode="w")
    with pytest.raises(ValueError, match="found a Zarr store of kind None"):
        FrameStore(tmp_path / "other.zarr")
