"""Planning: which crops of which frames become pairs, before any pixel is read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from self2align.runtime.seeding import generator
from self2align.runtime.spacing import evenly_spaced


@dataclass(frozen=True)
class Footage:
    """A scene as planning sees it: title, number of frames, size in px.

    ``kept`` holds the numbers of the frames that pairs are made of, in order; None for all. ``stride`` is the distance
    of frames whose noise is independent: an offset of 1 is the nearest of these.
    """

    title: str
    count: int
    height: int
    width: int
    kept: tuple[int, ...] | None = None
    stride: int = 1


@dataclass(frozen=True)
class PairCrop:
    """One pair to be made; frame numbers within the scene, px."""

    scene: int
    target: int
    source: int
    top: int
    left: int


def frame_pairs(count: int, offsets: Sequence[int], targets: int) -> list[tuple[int, int]]:
    """Return (earlier, later) frames, evenly spaced over a scene.

    Parameters
    ----------
    count
        Frames in the scene.
    offsets
        Distances in frames.
    targets
        Limit for each distance.
    """
    pairs = []
    for offset in sorted(set(offsets)):
        places = count - offset
        if places < 1:
            continue
        for start in evenly_spaced(places, targets):
            pairs.append((int(start), int(start) + offset))
    return pairs


def neighbours(count: int, offsets: Sequence[int], targets: int) -> list[tuple[int, list[int]]]:
    """Return target frames, evenly spaced over a scene, each with the frames before and after to align to it.

    Parameters
    ----------
    count
        Frames in the scene.
    offsets
        Distances in frames.
    targets
        Limit of the number of targets.
    """
    targets_with_sources = []
    for target in evenly_spaced(count, targets).tolist():
        beside = [target + sign * offset for offset in sorted(set(offsets)) for sign in (-1, 1)]
        sources = [frame for frame in beside if 0 <= frame < count]
        if sources:
            targets_with_sources.append((target, sources))
    return targets_with_sources


def _spots(footage: Footage, crop: int, count: int, seed: int, target: int) -> Iterator[tuple[int, int]]:
    draw = generator(seed, "generate_pairs", footage.title, target)
    for _ in range(count):
        top, left = draw.integers(0, (footage.height - crop + 1, footage.width - crop + 1))
        yield int(top), int(left)


def plan_crops(
    scenes: Sequence[Footage], *, offsets: Sequence[int], targets: int, crops: int, size: int, seed: int
) -> list[PairCrop]:
    """Return the pairs to make. All neighbours of a target get the same crops.

    Parameters
    ----------
    scenes
        Footage, each side at least ``size``.
    offsets, targets
        See `neighbours`; of the frames that are kept, so that instead of a copy the next other frame is taken.
    crops
        Of each target. Rows of one neighbour are consecutive, followed by those of the next.
    size
        px.
    seed
        Of the random places of the crops.
    """
    rows = []
    for number, footage in enumerate(scenes):
        kept = range(footage.count) if footage.kept is None else footage.kept
        apart = [offset + footage.stride - 1 for offset in offsets]
        for target, sources in neighbours(len(kept), apart, targets):
            spots = list(_spots(footage, size, crops, seed, kept[target]))
            rows += [PairCrop(number, kept[target], kept[source], *spot) for source in sources for spot in spots]
    return rows
