"""From sources to stores of frames: each unit is decoded once, independently, into plain arrays, then stored."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save

from self2align.runtime.families import load
from self2align.runtime.progress import Bars, Progress
from self2align.runtime.scratch import workspace
from self2align.runtime.sealed import is_whole, read_sealed, save_array, write_sealed
from self2align.runtime.workers import run_tasks
from self2align.sources import SOURCES
from self2align.sources.mending import mended
from self2align.sources.source import Selection, Source
from self2align.stores.codes import Coding
from self2align.stores.frames import Part, SceneRecord, write_frames
from self2align.stores.scene import Scene, Truth

BLACK = 0.02  # of white: a scene whose values differ by no more has nothing to align


@dataclass(frozen=True)
class Decoded:
    """The scenes of a source, decoded; what was left out or filled, and why; how files were read (`summarised`)."""

    parts: list[Part]
    skipped: list[dict[str, str]]
    filled: list[dict[str, str]]
    readings: tuple[str, ...] = ()


def open_source(kind: str, path: Path, selection: Selection) -> Source:
    """Return the source of that kind."""
    source: Source = load(SOURCES, kind, "kind")(path, selection)
    return source


def crop_scene(scene: Scene, height: int, width: int) -> Scene:
    """Return the centre of a scene's frames; motion that now leaves the frame counts as occluded."""
    *_, h, w = scene.frames.shape
    assert h >= height
    assert w >= width
    y, x = (h - height) // 2, (w - width) // 2
    box = (..., slice(y, y + height), slice(x, x + width))
    truth = scene.truth
    if truth is not None:
        field = truth.transfer[box]
        reached_x = field[:, 0] + np.arange(width, dtype=np.float32)
        reached_y = field[:, 1] + np.arange(height, dtype=np.float32)[:, None]
        outside = (reached_x < 0) | (reached_x > width - 1) | (reached_y < 0) | (reached_y > height - 1)
        truth = replace(truth, transfer=field, occluded=truth.occluded[box] | outside)
    return replace(scene, frames=scene.frames[box], truth=truth)


def shows_nothing(scene: Scene, *, known: bool) -> bool:
    """Return whether a scene has nothing to align: it is black, or of one value.

    Parameters
    ----------
    scene
        The scene.
    known
        Whether its white is known: values of 16 bits and floats often stay far below that of their type.
    """
    low, high = (float(scene.coding.decode(end)) for end in (scene.frames.min(), scene.frames.max()))
    return high - low <= (BLACK if known or scene.frames.dtype == np.uint8 or scene.bits is not None else 0.0)


def _fault(scene: Scene, crop: tuple[int, int] | None, single: bool, known: bool) -> str | None:
    *_, height, width = scene.frames.shape
    if crop is not None and (height < crop[0] or width < crop[1]):
        return f"{height} x {width} px: smaller than the crop of {crop[0]} x {crop[1]} px"
    if len(scene.frames) < 2 and not single:
        return "one frame: no neighbour to align"
    if not single and shows_nothing(scene, known=known):
        return "black, or of one value: nothing to align"
    return None


def _decode_unit(
    kind: str,
    path: Path,
    unit: str,
    selection: Selection,
    crop: tuple[int, int] | None,
    white: float | None,
    single: bool,
    folder: Path,
    number: int,
) -> None:
    marker = _marker(folder, number)
    if _is_decoded(marker):
        return
    found: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    filled: list[dict[str, str]] = []
    for read in open_source(kind, path, selection).read(unit):
        scene = read if white is None else replace(read, white=white)
        skipped += [{"scene": f"a part of {unit}", "why": line} for line in scene.lost]
        fault = _fault(scene, crop, single, white is not None)
        if fault is not None:
            skipped.append({"scene": scene.name, "why": fault})
            continue
        cut, count = mended(crop_scene(scene, *crop) if crop else scene)
        if count:
            told = f"{count} values, far beyond white and all around them (hot pixels, cosmic rays)"
            filled.append({"scene": scene.name, "why": told})
        handle = f"{number:06d}-{len(found):06d}"
        save_array(folder / f"{handle}.npy", cut.frames)
        if cut.truth is not None:
            write_sealed(folder / f"{handle}.safetensors", save(asdict(cut.truth)))
        count, channels, height, width = cut.frames.shape
        found.append(
            {
                "name": cut.name,
                "count": count,
                "channels": channels,
                "height": height,
                "width": width,
                "dtype": str(cut.frames.dtype),
                "scale": cut.coding.scale,
                "offset": cut.coding.offset,
                "handle": handle,
                "pairs": 0 if cut.truth is None else len(cut.truth.target),
            }
        )
    write_sealed(marker, json.dumps({"scenes": found, "skipped": skipped, "filled": filled}).encode())


def _marker(folder: Path, number: int) -> Path:
    """Return the part that tells of a unit's scenes; it is there when all of them are decoded."""
    return folder / f"{number:06d}.json"


def _is_decoded(marker: Path) -> bool:
    """Return whether a unit is decoded, and its parts are as they were written."""
    if not is_whole(marker):
        return False
    scenes = json.loads(read_sealed(marker))["scenes"]
    names = [f"{scene['handle']}.npy" for scene in scenes]
    names += [f"{scene['handle']}.safetensors" for scene in scenes if scene["pairs"]]
    return all(is_whole(marker.with_name(name)) for name in names)


def decode(
    *,
    key: str,
    kind: str,
    path: Path,
    selection: Selection,
    crop: tuple[int, int] | None,
    white: float | None,
    roles: Sequence[str],
    single: bool,
    folder: Path,
    progress: Progress,
) -> Decoded:
    """Decode a source into arrays under a folder, on all workers; finished parts are kept.

    Parameters
    ----------
    key
        Name of the source.
    kind, path, selection
        See `self2align.sources`.
    crop
        Height and width of the centre to keep, px.
    white
        The value that stands for 1.0 if it is not that of the type: 4095 for 12 bits stored in 16.
    roles
        What its scenes are for.
    single
        Whether scenes may have one frame: still images for tests.
    folder
        For the arrays.

    Raises
    ------
    ValueError
        If there is no usable scene.
    """
    source = open_source(kind, path, selection)
    units = source.units()
    # Before any is decoded: the last file of a folder may be one that is not read.
    readings = summarised([source.check(unit) for unit in units])
    tasks = [(kind, path, unit, selection, crop, white, single, folder, n) for n, unit in enumerate(units)]
    run_tasks(_decode_unit, tasks, progress)
    parts, skipped, filled = [], [], []
    for number in range(len(units)):
        content = json.loads(read_sealed(_marker(folder, number)))
        skipped += content["skipped"]
        filled += content["filled"]
        parts += [_part(key, roles, scene) for scene in content["scenes"]]
    if not parts:
        first = f"; the first: {skipped[0]['scene']}, {skipped[0]['why']}" if skipped else ""
        raise ValueError(
            f"{path}: found no usable scene for {key!r} ({len(skipped)} left out{first}), expected at least one"
        )
    return Decoded(parts, skipped, filled, readings)


def summarised(readings: Sequence[str]) -> tuple[str, ...]:
    """Return lines that say how files are read (`Source.check`): one for all that are read alike.

    Parameters
    ----------
    readings
        "FILE: how it is read", or "" for files whose reading is plain.
    """
    alike: dict[str, list[str]] = {}
    for line in filter(None, readings):
        alike.setdefault(line.rpartition(": ")[2], []).append(line)
    return tuple(
        lines[0] + (f" (and {len(lines) - 1} more files alike)" if len(lines) > 1 else "") for lines in alike.values()
    )


def _part(key: str, roles: Sequence[str], scene: dict[str, Any]) -> Part:
    record = SceneRecord(
        source=key,
        name=scene["name"],
        roles=tuple(sorted(roles)),
        group="",
        first=0,
        count=scene["count"],
        height=scene["height"],
        width=scene["width"],
    )
    coding = Coding(scene["dtype"], scene["scale"], scene["offset"])
    return Part(record, coding, scene["channels"], scene["handle"], scene["pairs"])


def fetch_frames(folder: Path, part: Part, start: int, stop: int) -> NDArray[Any]:
    """Return decoded frames of a part, ``(T, C, H, W)``."""
    frames: NDArray[Any] = np.load(folder / f"{part.handle}.npy", mmap_mode="r")
    return np.asarray(frames[start:stop])


def fetch_truth(folder: Path, part: Part) -> Truth:
    """Return the true motion of a part."""
    return Truth(**load_arrays(read_sealed(folder / f"{part.handle}.safetensors")))


@dataclass(frozen=True)
class Ingested:
    """The scenes of a store of frames; what was left out or filled, and why; how files were read."""

    scenes: list[SceneRecord]
    skipped: list[dict[str, str]]
    filled: list[dict[str, str]]
    readings: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return a line for each scene, or part of a file, that was left out, and for each that has filled values."""
        left_out = [f"left out {item['scene']}: {item['why']}" for item in self.skipped]
        return (*left_out, *(f"filled in {item['scene']}: {item['why']}" for item in self.filled))


def ingest_source(
    key: str,
    *,
    stage: str,
    kind: str,
    path: Path,
    selection: Selection,
    out: Path,
    bars: Bars,
    crop: tuple[int, int] | None = None,
    white: float | None = None,
    roles: Sequence[str] = (),
    single: bool = False,
) -> Ingested:
    """Decode one source and write its store of frames.

    Parameters
    ----------
    key, stage
        Name of the source; the stage that works.
    kind, path, selection, crop, white, roles, single
        See `decode`.
    out
        Store to write.
    bars
        Opens progress displays.
    """
    inputs = {
        "kind": kind,
        "path": str(path),
        "selection": repr(selection),
        "crop": crop,
        "white": white,
        "roles": list(roles),
        "files": _listing(path),
    }
    reader = load(SOURCES, kind, "kind")
    with workspace(f"{stage}-{key}", inputs, ingest_source, reader) as scratch:
        folder = scratch / "decoded"
        folder.mkdir(exist_ok=True)
        with bars(f"decoding {key}") as progress:
            decoded = decode(
                key=key,
                kind=kind,
                path=path,
                selection=selection,
                crop=crop,
                white=white,
                roles=roles,
                single=single,
                folder=folder,
                progress=progress,
            )
        notes = {"skipped": decoded.skipped, "filled": decoded.filled}
        attributes = {"source_kind": kind, "color": selection.color, **notes}
        frames, truth = partial(fetch_frames, folder), partial(fetch_truth, folder)
        with bars(f"storing {key}") as progress:
            scenes = write_frames(out, decoded.parts, frames, attributes, scratch, progress, truth)
    return Ingested(scenes, decoded.skipped, decoded.filled, decoded.readings)


def _listing(path: Path) -> list[list[str | int]]:
    """Return names, sizes and times of a source's files: they tell whether unfinished work still belongs to it."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [(file, file.stat()) for file in files if file.is_file()]
    return [[str(file), status.st_size, status.st_mtime_ns] for file, status in found]
