"""Zarr arrays of others, stores of the pipeline, and unfinished work."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from self2align.media.staging import staging
from self2align.report.contents import describe_arrays, describe_frames
from self2align.sources.ingest import ingest_source
from self2align.sources.source import Selection
from self2align.stores.build import verify
from self2align.stores.codes import Coding
from self2align.stores.contents import damage, store_kind
from self2align.stores.frames import FrameStore, Part, SceneRecord, write_frames
from tests.bytes import judges, seeds
from tests.bytes.mutation import Draw, mutate, mutate_json
from tests.bytes.outcomes import Outcome, attempt
from tests.bytes.pictures import frames_of, network
from tests.media.running import KilledError, Run


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _is_json(path: Path) -> bool:
    return path.suffix == ".json" or path.name in (".zarray", ".zattrs", ".zgroup")


def damage_one(folder: Path, draw: Draw) -> Path:
    """Change, cut, remove or replace one file of a folder, more often one of its descriptions."""
    files = _files(folder)
    told = [path for path in files if _is_json(path)]
    chosen = told if told and draw.random() < 0.6 else files
    file = chosen[int(draw.integers(len(chosen)))]
    kind = draw.random()
    if kind < 0.1:
        file.unlink()
    elif kind < 0.15:
        file.unlink()
        file.mkdir()
    elif kind < 0.18:
        file.unlink()
        file.symlink_to(file.name)
    elif kind < 0.21:
        shutil.copytree(folder, folder.with_name("copied"))
        shutil.move(folder.with_name("copied"), file.parent / "copy")
    elif _is_json(file):
        file.write_bytes(mutate_json(file.read_bytes(), draw))
    else:
        others = [other.read_bytes() for other in files if other != file and not _is_json(other)]
        file.write_bytes(mutate(file.read_bytes(), file.suffix, draw, others))
    return file


def array_case(draw: Draw, folder: Path) -> Iterator[Outcome]:
    """Run one array that was changed somewhere."""
    sources = seeds.make_arrays(folder)
    source = sources[int(draw.integers(len(sources)))]
    result = folder / "out.zarr"
    damage_one(source, draw)
    run = network(int(draw.choice([1, 3])))
    axes = "TYX" if draw.random() < 0.5 else None

    def right(_: Any) -> str:
        try:
            before, after = zarr.open_array(source, mode="r"), zarr.open_array(result, mode="r")
            if not np.array_equal(np.asarray(before[...]), np.asarray(after[...]), equal_nan=before.dtype.kind == "f"):
                return "other values than Zarr reads"
        except judges.REFUSED as error:
            return f"accepted what Zarr itself refuses: {error}"
        absent = before.nchunks_initialized < before.nchunks
        if absent and not any("found no data for" in note for note in run.notes):
            return "chunks are missing without a word"
        return ""

    def same(frames: list[NDArray[Any]]) -> str:
        try:
            told = np.asarray(zarr.open_array(source, mode="r")[...])
        except judges.REFUSED as error:
            return f"accepted what Zarr itself refuses: {error}"
        return "" if frames and np.array_equal(np.stack(frames)[:, 0], told) else "other values than Zarr reads"

    yield attempt("denoise", lambda: run(source, result, sigma=3.0, axes=axes), right, source.name, result)
    yield attempt("train array", lambda: frames_of("array", source), same, source.name)


def _fetch(part: Part, start: int, stop: int) -> NDArray[Any]:
    return _scene(part.handle)[start:stop]


def _scene(name: str) -> NDArray[Any]:
    return np.random.default_rng(len(name)).integers(0, 256, (4, 3, 20, 24), dtype=np.uint8)


def _make_store(path: Path, scratch: Path) -> None:
    scratch.mkdir()
    parts = [
        Part(SceneRecord("src", name, ("pairs",), "", 0, 4, 20, 24), Coding("uint8", 1 / 255), 3, name)
        for name in ("a", "bb")
    ]
    write_frames(path, parts, _fetch, {"note": 1}, scratch, lambda done, of: None)


def store_case(draw: Draw, folder: Path) -> Iterator[Outcome]:
    """Look into a store of frames that was changed somewhere."""
    path = folder / "frames.zarr"
    _make_store(path, folder / "scratch")
    before = {file: file.read_bytes() for file in _files(path)}
    damage_one(path, draw)
    same = before.keys() == set(_files(path)) and all(
        _equal_json(file.read_bytes(), data) if file == path / "zarr.json" else file.read_bytes() == data
        for file, data in before.items()
    )

    def read() -> FrameStore:
        store = FrameStore(path, check=False)
        for scene in store.scenes:
            store.frames(scene)
        return store

    def look() -> Any:
        return list(describe_arrays(path, store_kind(path))), list(describe_frames(FrameStore(path, check=False)))

    yield attempt("verify", lambda: verify(path), lambda _: "" if same else "a change is not found", "frames.zarr")
    yield attempt("damage", lambda: damage(path), lambda _: "", "frames.zarr")
    yield attempt("read", read, lambda _: "", "frames.zarr")
    yield attempt("inspect", look, lambda _: "", "frames.zarr")


def _equal_json(one: bytes, other: bytes) -> bool:
    """Whether the attributes, which the digest covers, are the same; the rest of the root says nothing."""
    try:
        return bool(json.loads(one)["attributes"] == json.loads(other)["attributes"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return False


def unfinished_case(draw: Draw, folder: Path) -> Iterator[Outcome]:
    """Go on with work that was killed and then changed: the result is that of a whole run, or a refusal."""
    kinds: list[Callable[[Draw, Path], Iterator[Outcome]]] = [_unfinished_file, _unfinished_file, _unfinished_ingest]
    yield from kinds[int(draw.integers(len(kinds)))](draw, folder)


def _unfinished_file(draw: Draw, folder: Path) -> Iterator[Outcome]:
    name, after = [("in.tif", 3), ("in.mkv", 5)][int(draw.integers(2))]
    source, whole, result = folder / name, folder / f"whole{name[2:]}", folder / f"out{name[2:]}"
    source.write_bytes(_unfinished_source(name))
    killed, run = _killed(after), network(3)
    told: dict[str, Any] = {"sigma": 3.0, "codec": "ffv1" if name == "in.mkv" else None}
    run(source, whole, **told)
    try:
        killed(source, result, **told)
    except KilledError:
        killed.seen.clear()
    with staging(folder / "other"):
        pass
    left = folder / f".{result.name}.unfinished"
    parts = [file for file in _files(left) if file.name != "lock"] if left.is_dir() else []
    if not parts:
        return
    damage_one(parts[0].parent, draw)
    yield attempt(
        "denoise",
        lambda: run(source, result, **told),
        lambda _: "" if result.read_bytes() == whole.read_bytes() else "another result than that of a whole run",
        "",
        result,
    )


@cache
def _killed(after: int) -> Run:
    return Run(3, killed_after=after)


@cache
def _unfinished_source(name: str) -> bytes:
    return seeds.film("matroska", "ffv1", frames=60) if name == "in.mkv" else seeds.tiffs()["pages.tif"]


def _unfinished_ingest(draw: Draw, folder: Path) -> Iterator[Outcome]:
    footage, out = folder / "footage", folder / "out.zarr"
    for scene in ("a", "b"):
        (footage / scene).mkdir(parents=True)
        for at in range(2):
            (footage / scene / f"{at}.png").write_bytes(seeds.pngs()["3x1.png"])
    os.environ["SELF2ALIGN_SCRATCH"] = str(folder / "work")

    class Stop(Exception):
        pass

    def bars(killed: str) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def bar(title: str) -> Iterator[Any]:
            if title.startswith(killed):
                raise Stop
            yield lambda done, of: None

        return bar

    def ingest(place: Path, killed: str) -> None:
        ingest_source(
            "k", stage="ingest", kind="folder", path=footage, selection=Selection(), out=place, bars=bars(killed)
        )

    ingest(folder / "whole.zarr", "nothing")
    try:
        ingest(out, "storing")
    except Stop:
        pass
    (work,) = [path for path in (folder / "work").iterdir() if path.is_dir()]
    damage_one(work / "decoded", draw)

    def right(_: Any) -> str:
        one, other = (
            {file.relative_to(at): file.read_bytes() for file in _files(at)} for at in (out, folder / "whole.zarr")
        )
        return "" if one == other else "another store than that of a whole run"

    yield attempt("ingest", lambda: ingest(out, "nothing"), right, "", out)
