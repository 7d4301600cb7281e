"""Which crops of which frames become pairs: a list, made before any pixel is read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from self2align.runtime.seeding import generator
from self2align.runtime.spacing import evenly_spaced


@dataclass(frozen=True)
class Footage:
    """What planning needs to know of a scene: its title, number of frames, and size in px."""

    title: str
    count: int
    height: int
    width: int


@dataclass(frozen=True)
class PairCrop:
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
        for start in evenly_spaced(places, targets):
            found.append((int(start), int(start) + offset))
    return found


def neighbours(count: int, offsets: Sequence[int], targets: int) -> list[tuple[int, list[int]]]:
    """Return target frames, spread evenly over a scene, and for each the frames before and after that align to it.

    Parameters
    ----------
    count
        Frames in the scene.
    offsets
        Distances in frames.
    targets
        At most so many.
    """
    found = []
    for target in evenly_spaced(count, targets).tolist():
        beside = [target + way * offset for offset in sorted(set(offsets)) for way in (-1, 1)]
        sources = [frame for frame in beside if 0 <= frame < count]
        if sources:
            found.append((target, sources))
    return found


def _spots(footage: Footage, crop: int, count: int, seed: int, target: int) -> Iterator[tuple[int, int]]:
    draw = generator(seed, "generate_pairs", footage.title, target)
    for _ in range(count):
        top, left = draw.integers(0, (footage.height - crop + 1, footage.width - crop + 1))
        yield int(top), int(left)


def plan_crops(
    scenes: Sequence[Footage], *, offsets: Sequence[int], targets: int, crops: int, size: int, seed: int
) -> list[PairCrop]:
    """Return the pairs to make: of each target the same crops for every neighbour.

    Parameters
    ----------
    scenes
        Footage, each side at least ``size``.
    offsets, targets
        See `neighbours`.
    crops
        Of each target; so many rows of one neighbour stand together, then those of the next.
    size
        px.
    seed
        Of the places.
    """
    rows = []
    for number, footage in enumerate(scenes):
        for target, sources in neighbours(footage.count, offsets, targets):
            spots = list(_spots(footage, size, crops, seed, target))
            rows += [PairCrop(number, target, source, *spot) for source in sources for spot in spots]
    return rows
