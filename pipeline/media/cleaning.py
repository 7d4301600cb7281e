"""How `denoise` denoises frames."""

from pathlib import Path

import torch

from self2align.alignment.aligner import Aligner
from self2align.alignment.loading import load_aligner
from self2align.denoising.footage import OneByOne, Unclipped, WithNeighbours
from self2align.denoising.tiled import Denoiser
from self2align.media.jobs import Job
from self2align.media.medium import Clean, Medium
from self2align.media.run import footage
from self2align.stores.weights import load_weights


def choose_clean(denoiser: Denoiser, radius: int, aligner: Path, unclip: bool) -> Clean:
    """Return what denoises frames one by one, or with so many neighbours each way.

    Parameters
    ----------
    denoiser
        Of one frame.
    radius
        0 for none.
    aligner
        An aligner, or the bundle that it came with.
    unclip
        Whether what clipping did is undone, where the weights tell of it.

    Raises
    ------
    ValueError
        When there is no aligner, or it is of frames with other channels.
    """
    clean = WithNeighbours(denoiser, _aligner(aligner, denoiser.device), radius) if radius else OneByOne(denoiser)
    return Unclipped(clean, denoiser.clipping) if unclip and denoiser.clipping else clean


def _aligner(aligner: Path, device: torch.device) -> Aligner:
    kind = load_weights(aligner)[1].get("kind")
    if kind == "denoiser":
        raise ValueError(
            f"temporal: found no aligner in {aligner}, expected --aligner, or a bundle (self2align bundle)"
        )
    return load_aligner(aligner, device)


def check_footage(source: str, media: list[tuple[Job, Medium]]) -> None:
    """Refuse what has no neighbours in time.

    Raises
    ------
    ValueError
        When a frame stands alone, frames lie along more than time, or pictures of one folder differ in size.
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
                    f"temporal: found frames along {medium.lines} axes in {job.source}, expected time alone: "
                    "one file for each plane or channel, or no --temporal"
                )
