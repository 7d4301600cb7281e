"""Files as footage, with neighbours in time."""

from collections import Counter
from pathlib import Path

from self2align.media.jobs import Job
from self2align.media.medium import Medium, Pictures


def check_footage(source: str, media: list[tuple[Job, Medium]]) -> None:
    """Refuse files without neighbours in time.

    Raises
    ------
    ValueError
        If there is a single frame, frames lie along other axes than time, or pictures of a folder differ in size.
    """
    for members in footage(media):
        if sum(medium.count for _, medium in members) == 1:
            raise ValueError(
                f"temporal: found a single frame ({members[0][0].source}) in {source}, expected footage: "
                "a video, a stack, an array, a folder of pictures"
            )
        for job, medium in members:
            if medium.lines > 1:
                raise ValueError(
                    f"temporal: found channels or planes beside time in {job.source}, expected time alone: "
                    "one file for each plane or channel, or no --temporal"
                )


def footage(media: list[tuple[Job, Medium]]) -> list[list[tuple[Job, Medium]]]:
    """Return files grouped as footage: the single pictures of a folder in order; every other file alone.

    Raises
    ------
    ValueError
        If pictures of a folder differ in size, or two differ only in their suffix.
    """
    found: dict[Path, list[tuple[Job, Medium]]] = {}
    for job, medium in media:
        single = medium.count == 1 and isinstance(medium, Pictures)
        found.setdefault(job.source.parent if single else job.source, []).append((job, medium))
    for (job, first), *others in found.values():
        for other, medium in others:
            assert isinstance(first, Pictures)
            assert isinstance(medium, Pictures)
            if medium.shape != first.shape:
                raise ValueError(
                    f"{other.source}: found {_told(medium)}, expected {_told(first)} as in {job.source.name}, "
                    "for frames of one footage; a pattern takes some pictures of a folder"
                )
        stems = Counter(one.source.stem for one, _ in [(job, first), *others])
        for one, _ in [(job, first), *others]:
            if stems[one.source.stem] > 1:
                raise ValueError(f"{one.source}: found another picture {one.source.stem}, expected one for each frame")
    return list(found.values())


def _told(picture: Pictures) -> str:
    channels, height, width = picture.shape
    return f"{width} x {height} px of {channels} channels"
