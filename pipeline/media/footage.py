"""Checks that files are footage, with neighbours in time."""

from self2align.media.jobs import Job
from self2align.media.medium import Medium
from self2align.media.run import footage


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
