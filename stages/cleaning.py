"""How `denoise` denoises frames."""

from pathlib import Path

from pipeline.alignment.loading import load_aligner
from pipeline.denoiser import Denoiser
from pipeline.footage import OneByOne, WithNeighbours
from pipeline.media.medium import Clean
from pipeline.weights import load_weights


def choose_clean(denoiser: Denoiser, radius: int, aligner: Path) -> Clean:
    """Return what denoises frames one by one, or with so many neighbours each way.

    Parameters
    ----------
    denoiser
        Of one frame.
    radius
        0 for none.
    aligner
        An aligner, or the bundle that it came with.

    Raises
    ------
    ValueError
        When there is no aligner, or it is of frames with other channels.
    """
    if radius == 0:
        return OneByOne(denoiser)
    kind = load_weights(aligner)[1].get("kind")
    if kind == "denoiser":
        raise ValueError(
            f"temporal: found no aligner in {aligner}, expected --aligner, or a bundle (self2align bundle)"
        )
    return WithNeighbours(denoiser, load_aligner(aligner, denoiser.device), radius)
