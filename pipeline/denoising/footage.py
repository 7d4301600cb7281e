"""Denoising frames in their order: each by itself, or with its neighbours."""

from collections.abc import Iterable, Iterator
from itertools import chain, tee

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.alignment.aligner import Aligner
from self2align.alignment.dis import LEAST
from self2align.denoising.fusion import fuse
from self2align.denoising.tiled import Denoiser, Progress
from self2align.media.medium import Clean
from self2align.noise.clipping import Clipping

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
    """Each frame with what its aligned neighbours show; see `self2align.denoising.fusion.fuse`.

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
        """Yield a clean frame, ``(C, H, W)``, for each noisy one; for channels see the denoiser.

        Raises
        ------
        ValueError
            When frames differ in shape, or are too small to be aligned.
        """
        frames = iter(frames)
        first = next(frames, None)
        if first is None:
            return
        alike = self._alike(first.shape, chain([first], frames))
        if len(first) == self.denoiser.channels:
            yield from self._fused(alike)
            return
        planes = tee(alike, len(first))
        streams = [self._fused(self._plane(plane, number)) for number, plane in enumerate(planes)]
        for channels in zip(*streams, strict=True):
            yield np.stack([channel.mean(0) for channel in channels])

    def _alike(self, shape: tuple[int, ...], frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yield frames of one shape."""
        if min(shape[1:]) < LEAST:
            raise ValueError(
                f"temporal: found frames of {shape[2]} x {shape[1]} px, expected at least {LEAST} px each way to align"
            )
        for number, frame in enumerate(frames):
            if frame.shape != shape:
                raise ValueError(
                    f"temporal: found frame {number} of shape {frame.shape}, expected {shape} as of the first"
                )
            yield frame

    def _plane(self, frames: Iterable[Frame], number: int) -> Iterator[Frame]:
        """Yield one channel of frames, as often as the network has channels."""
        return (np.repeat(frame[number : number + 1], self.denoiser.channels, axis=0) for frame in frames)

    def _fused(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        placed = (torch.from_numpy(frame).to(self.denoiser.device) for frame in frames)
        for clean in fuse(placed, self._alone, self.aligner, radius=self.radius, exposure=True):
            yield clean.cpu().numpy()

    def _alone(self, frame: Tensor) -> Tensor:
        return torch.from_numpy(self.denoiser(frame.cpu().numpy())).to(self.denoiser.device)


class Unclipped:
    """Frames whose mean clipping has changed, as they would be without it; see `self2align.noise.clipping`.

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
