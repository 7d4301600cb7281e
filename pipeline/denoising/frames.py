"""Denoising frames in order: each alone, or with its neighbours."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, tee
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.alignment.aligner import Aligner
from self2align.alignment.dis import LEAST
from self2align.alignment.loading import load_aligner
from self2align.denoising.agreement import SecondLook
from self2align.denoising.fusion import Pilot, fuse
from self2align.denoising.inference import ALIKE
from self2align.denoising.levels import FrameNoise, Sigma
from self2align.denoising.means import denoise_means
from self2align.denoising.neighbourhoods import Options, reach
from self2align.denoising.tiled import TiledDenoiser
from self2align.noise.clipping import Clipping
from self2align.noise.outliers import filled, isolated
from self2align.runtime.progress import Progress
from self2align.stores.weights import load_header

Frame = NDArray[np.float32]
# Called before each frame with how far its neighbours are trusted, (H, W): see `self2align.denoising.fusion.fuse`.
Trust = Callable[[Frame], None]


class DenoiseFrames(Protocol):
    """Denoises a stream of frames.

    Attributes
    ----------
    radius
        Frames before and after that decide the result of a frame.
    """

    radius: int

    def __call__(
        self,
        frames: Iterator[Frame],
        progress: Progress | None = None,
        sigma: Sigma | None = None,
        colours: bool = True,
    ) -> Iterator[Frame]:
        """Yield a denoised frame, ``(C, H, W)``, white being 1.0, for each noisy one.

        Parameters
        ----------
        frames
            Noisy.
        progress
            See the class.
        sigma
            Standard deviation of their noise, white being 1.0: one value, or a map ``(H, W)`` or ``(C, H, W)``; None to
            measure it on each frame.
        colours
            Whether three channels are red, green and blue of a picture; else false colour is not looked for.
        """
        ...


class OneByOne:
    """Each frame alone.

    Parameters
    ----------
    denoiser
        Of one frame.
    """

    radius = 0

    def __init__(self, denoiser: TiledDenoiser) -> None:
        self.denoiser = denoiser

    def __call__(
        self,
        frames: Iterator[Frame],
        progress: Progress | None = None,
        sigma: Sigma | None = None,
        colours: bool = True,
    ) -> Iterator[Frame]:
        """Yield a denoised frame, ``(C, H, W)``, for each noisy one; progress counts the tiles of a frame."""
        for frame in frames:
            yield self.denoiser(frame, progress, sigma, colours=colours)


class WithNeighbours:
    """Each frame with its aligned neighbours.

    Frames are denoised alone and fused (`self2align.denoising.fusion.fuse`), or, in one pass of the network, as means
    with their neighbours (`self2align.denoising.means.denoise_means`).

    Parameters
    ----------
    denoiser
        Of one frame.
    aligner
        On the denoiser's device.
    radius
        Frames before and after; copies do not count.
    trust
        Called before each frame; of channels one by one, with their mean.
    one_pass
        Whether means are denoised; needs a normalised network.
    """

    def __init__(
        self,
        denoiser: TiledDenoiser,
        aligner: Aligner,
        radius: int,
        trust: Trust | None = None,
        one_pass: bool = False,
    ) -> None:
        self.denoiser, self.aligner, self.neighbours, self.trust = denoiser, aligner, radius, trust
        self.one_pass = one_pass
        self.radius = reach(radius)
        self.noise: FrameNoise | None = None  # of the frame that is being fused

    def __call__(
        self,
        frames: Iterator[Frame],
        progress: Progress | None = None,
        sigma: Sigma | None = None,
        colours: bool = True,
    ) -> Iterator[Frame]:
        """Yield a denoised frame, ``(C, H, W)``, for each noisy one; for channels see the denoiser.

        Raises
        ------
        ValueError
            If frames differ in shape, or are too small to align.
        """
        first = next(frames, None)
        if first is None:
            return
        alike = self._alike(first.shape, chain([first], frames))
        if len(first) == self.denoiser.channels:
            yield from self._fused(alike, sigma, self.trust, colours=colours)
            return
        planes = tee(alike, len(first))
        copies = self.denoiser.channels
        maps: list[Frame] = []
        streams = [
            self._fused(self._plane(plane, number), _of_plane(sigma, number), self.trust and maps.append, copies)
            for number, plane in enumerate(planes)
        ]
        for channels in zip(*streams, strict=True):
            if self.trust is not None:
                self.trust(np.mean(maps, 0))
                maps.clear()
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
        """Yield one channel of frames, repeated for each channel of the network."""
        return (np.repeat(frame[number : number + 1], self.denoiser.channels, axis=0) for frame in frames)

    def _fused(
        self,
        frames: Iterable[Frame],
        sigma: Sigma | None,
        trust: Trust | None,
        copies: int = 1,
        colours: bool = False,
    ) -> Iterator[Frame]:
        placed = (torch.from_numpy(frame).to(self.denoiser.device) for frame in frames)
        alone = partial(self._alone, sigma, copies, colours)
        profile = self.denoiser.profile if copies == 1 else None
        noise = None if profile is None or profile.is_white else profile
        shown = None if trust is None else lambda values: trust(values.cpu().numpy())
        options: Options = {"radius": self.neighbours, "exposure": True, "noise": noise, "trust": shown}
        if self.one_pass:
            told, made_of = partial(self._noise_of, sigma, copies), partial(self.denoiser.denoise_mean, copies=copies)
            made = denoise_means(placed, told, made_of, self.aligner, **options)
        else:
            made = fuse(placed, alone, self.aligner, **options)
        for clean in made:
            fused = clean.cpu().numpy()
            # The mean of the noisy frames brings false colour back that the single frame had lost.
            yield self.denoiser.without_false_colour(fused, self.noise) if colours and self.noise else fused

    def _noise_of(self, sigma: Sigma | None, copies: int, frame: Tensor) -> FrameNoise:
        noisy = frame.cpu().numpy()
        self.noise = self.denoiser.noise_of(noisy if copies == 1 else noisy[:1], sigma)
        return self.noise

    def _alone(self, sigma: Sigma | None, copies: int, colours: bool, frame: Tensor) -> Pilot | None:
        noise = self._noise_of(sigma, copies, frame)
        if noise.nothing:
            return None
        noisy = frame.cpu().numpy()
        whole = torch.from_numpy(filled(noisy, np.isnan(noisy))).to(frame)

        def single(image: Tensor) -> Tensor:
            clean = self.denoiser(image.cpu().numpy(), noise=noise, copies=copies, colours=colours)
            return torch.from_numpy(clean).to(self.denoiser.device)

        alike = copies > 1 or noise.shared > ALIKE
        level = noise.level(whole[None].cpu())[0] / noise.raised
        variance = level.square().expand_as(frame).to(frame)
        # Stein's lemma needs noise that is independent from pixel to pixel, and between the channels or one for all.
        if self._is_white(noise) and (alike or noise.shared == 0.0):
            return Pilot(single(whole), SecondLook(single, variance, alike))
        return Pilot(single(whole), shared=variance)

    def _is_white(self, noise: FrameNoise) -> bool:
        """Return whether neighbouring pixels share no noise, as measured on a frame or else as the weights tell."""
        if noise.blotched != 1.0:
            return False
        if noise.measured is not None and noise.measured.certain:
            return True  # only white noise is measured with certainty
        return self.denoiser.profile is None or self.denoiser.profile.is_white


def _of_plane(sigma: Sigma | None, number: int) -> Sigma | None:
    """Return the level of one channel."""
    return sigma[number] if isinstance(sigma, np.ndarray) and sigma.ndim == 3 and len(sigma) > 1 else sigma


class Kept:
    """Denoised frames in which what is no picture stays as it is, and leaves nothing around it.

    These are values that are not finite, and single pixels far off everything around them: hot and dead pixels, cosmic
    rays. They are filled from around them before a frame is denoised; see `self2align.noise.outliers`.

    Parameters
    ----------
    denoise
        Denoises frames; values that are NaN stand for nothing measured.
    """

    def __init__(self, denoise: DenoiseFrames) -> None:
        self.denoise, self.radius = denoise, denoise.radius
        self.missing = self.outliers = self.frames = 0

    def __call__(
        self,
        frames: Iterator[Frame],
        progress: Progress | None = None,
        sigma: Sigma | None = None,
        colours: bool = True,
    ) -> Iterator[Frame]:
        """Yield a denoised frame, ``(C, H, W)``, for each noisy one."""
        held: deque[tuple[Frame, NDArray[np.bool_] | None]] = deque()
        for clean in self.denoise(self._marked(frames, held), progress, sigma, colours):
            frame, kept = held.popleft()
            yield clean if kept is None else np.where(kept, frame, clean)

    def _marked(self, frames: Iterator[Frame], held: deque[tuple[Frame, NDArray[np.bool_] | None]]) -> Iterator[Frame]:
        """Yield frames in which the values to keep are NaN."""
        for frame in frames:
            missing = ~np.isfinite(frame)
            far = isolated(filled(frame, missing)) & ~missing
            kept = missing | far
            self.missing, self.outliers = self.missing + int(missing.sum()), self.outliers + int(far.sum())
            self.frames += int(kept.any())
            held.append((frame, kept if kept.any() else None))
            yield np.where(kept, np.float32(np.nan), frame) if kept.any() else frame

    @property
    def note(self) -> str:
        """Return what was kept, as one line; empty if nothing was."""
        parts = []
        if self.missing:
            parts.append(f"{self.missing} values without data (NaN, infinite, transparent or absent)")
        if self.outliers:
            parts.append(f"{self.outliers} values far off all around them (hot or dead pixels, cosmic rays)")
        frames = f"in {self.frames} frame{'s' * (self.frames > 1)}"
        return f"left as they are {frames}, and kept from what is around: {', '.join(parts)}" if parts else ""


class Unclipped:
    """Denoised frames whose mean is corrected for clipped noise; see `self2align.noise.clipping`.

    Parameters
    ----------
    denoise
        Denoises the frames.
    denoiser
        The one that it uses.
    clipping
        How their noise was clipped.
    """

    def __init__(self, denoise: DenoiseFrames, denoiser: TiledDenoiser, clipping: Clipping) -> None:
        self.denoise, self.denoiser, self.clipping, self.radius = denoise, denoiser, clipping, denoise.radius

    def __call__(
        self,
        frames: Iterator[Frame],
        progress: Progress | None = None,
        sigma: Sigma | None = None,
        colours: bool = True,
    ) -> Iterator[Frame]:
        """Yield a denoised frame, ``(C, H, W)``, for each noisy one."""
        for clean in self.denoise(frames, progress, sigma, colours):
            # A frame that was left as it is has no noise whose mean clipping could change.
            yield clean if self.denoiser.untouched else self.clipping.undo(clean)


def choose_denoise(
    denoiser: TiledDenoiser,
    *,
    radius: int = 0,
    aligner: Path | None = None,
    unclip: bool = True,
    trust: Trust | None = None,
    one_pass: bool = False,
) -> Kept:
    """Return what denoises frames one by one, or with neighbours.

    Parameters
    ----------
    denoiser
        Of one frame.
    radius
        Neighbours each way; 0 for none.
    aligner
        Weights of an aligner, or a bundle that holds one; needed for neighbours.
    unclip
        Whether the effect of clipping on the mean is corrected, if the weights say that noise was clipped.
    trust
        See `Trust`.
    one_pass
        Whether frames are denoised as means with their neighbours; see `WithNeighbours`.

    Raises
    ------
    ValueError
        If there is no aligner, no neighbour to trust, or the network cannot denoise means.
    """
    denoise: DenoiseFrames = OneByOne(denoiser)
    if trust is not None and not radius:
        raise ValueError("trust: found temporal 0, expected 1 or more: frames alone have no neighbours to trust")
    if one_pass and not radius:
        raise ValueError("one pass: found temporal 0, expected 1 or more: a frame alone takes one pass already")
    if one_pass and not denoiser.normalised:
        raise ValueError("one pass: found a network of one level of noise, expected one trained with normalise: true")
    if radius:
        if aligner is None or load_header(aligner).get("kind") == "denoiser":
            raise ValueError(
                f"temporal: found no aligner in {aligner}, expected --aligner, or a bundle (self2align bundle)"
            )
        denoise = WithNeighbours(denoiser, load_aligner(aligner, denoiser.device), radius, trust, one_pass)
    return Kept(Unclipped(denoise, denoiser, denoiser.clipping) if unclip and denoiser.clipping else denoise)
