"""Which crops of which frames become pairs: a list, made before any pixel is read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.seeding import generator


@dataclass(frozen=True)
class Footage:
    """What planning needs to know of a scene: its title, number of frames, and size in px."""

    title: str
    count: int
    height: int
    width: int


@dataclass(frozen=True)
class Crop:
    """One pair to be made; frame numbers within the scene, px."""

    scene: int
    target: int
    source: int
    top: int
    left: int


def frame_pairs(count: int, offsets: Sequence[int], targets: int) -> list[tuple[int, int]]:
    """Return (earlier, later) frames, spread evenly over a scene.

    Parameters
    ----------
    count
        Frames in the scene.
    offsets
        Distances in frames.
    targets
        At most so many for each distance.
    """
    found = []
    for offset in sorted(set(offsets)):
        places = count - offset
        if places < 1:
            continue
        for start in np.unique(np.linspace(0, places - 1, min(targets, places)).round().astype(int)):
            found.append((int(start), int(start) + offset))
    return found


def _spots(footage: Footage, crop: int, count: int, seed: int, first: int, second: int) -> Iterator[tuple[int, int]]:
    draw = generator(seed, "generate_pairs", footage.title, first, second)
    for _ in range(count):
        top, left = draw.integers(0, (footage.height - crop + 1, footage.width - crop + 1))
        yield int(top), int(left)


def plan_crops(
    scenes: Sequence[Footage], *, offsets: Sequence[int], targets: int, crops: int, size: int, seed: int
) -> list[Crop]:
    """Return the pairs to make, both directions of two frames together: they share two transfer fields.

    Parameters
    ----------
    scenes
        Footage, each side at least ``size``.
    offsets, targets
        See `frame_pairs`.
    crops
        For each direction of each two frames; ``2 * crops`` rows stand together.
    size
        px.
    seed
        Of the places.
    """
    rows = []
    for number, footage in enumerate(scenes):
        for first, second in frame_pairs(footage.count, offsets, targets):
            spots = list(_spots(footage, size, 2 * crops, seed, first, second))
            rows += [Crop(number, first, second, *spot) for spot in spots[:crops]]
            rows += [Crop(number, second, first, *spot) for spot in spots[crops:]]
    return rows
