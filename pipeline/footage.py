"""Denoising frames in their order: each by itself, or with its neighbours."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.alignment.aligner import Aligner
from pipeline.clipping import Clipping
from pipeline.denoiser import Denoiser, Progress
from pipeline.media.medium import Clean
from pipeline.temporal.fusion import fuse

Frame = NDArray[np.float32]


class OneByOne:
    """Each frame by itself.

    Parameters
    ----------
    denoiser
        Of one frame.
    """

    radius = 0

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser

    def __call__(self, frames: Iterable[Frame], progress: Progress | None = None) -> Iterator[Frame]:
        """Yield a clean frame, ``(C, H, W)``, for each noisy one; the progress is of a frame's tiles."""
        for frame in frames:
            yield self.denoiser(frame, progress)


class WithNeighbours:
    """Each frame with what its aligned neighbours show; see `pipeline.temporal.fusion.fuse`.

    Parameters
    ----------
    denoiser
        Of one frame.
    aligner
        On the denoiser's device.
    radius
        So many frames before, and so many after.
    """

    def __init__(self, denoiser: Denoiser, aligner: Aligner, radius: int) -> None:
        self.denoiser, self.aligner, self.radius = denoiser, aligner, radius

    def __call__(self, frames: Iterable[Frame], progress: Progress | None = None) -> Iterator[Frame]:
        """Yield a clean frame, ``(C, H, W)``, for each noisy one.

        Raises
        ------
        ValueError
            When frames have not as many channels as the networks.
        """
        noisy = (self._placed(frame) for frame in frames)
        for clean in fuse(noisy, self._alone, self.aligner, radius=self.radius, exposure=True):
            yield clean.cpu().numpy()

    def _placed(self, frame: Frame) -> Tensor:
        if len(frame) != self.denoiser.channels:
            raise ValueError(
                f"temporal: found {len(frame)} channels, expected {self.denoiser.channels}, as in training"
            )
        return torch.from_numpy(frame).to(self.denoiser.device)

    def _alone(self, frame: Tensor) -> Tensor:
        return torch.from_numpy(self.denoiser(frame.cpu().numpy())).to(self.denoiser.device)


class Unclipped:
    """Frames whose mean clipping has changed, as they would be without it; see `pipeline.clipping`.

    Parameters
    ----------
    clean
        What denoises them.
    clipping
        How their noise was clipped.
    """

    def __init__(self, clean: Clean, clipping: Clipping) -> None:
        self.clean, self.clipping, self.radius = clean, clipping, clean.radius

    def __call__(self, frames: Iterator[Frame], progress: Progress | None = None) -> Iterator[Frame]:
        """Yield a clean frame, ``(C, H, W)``, for each noisy one."""
        return map(self.clipping.undo, self.clean(frames, progress))
