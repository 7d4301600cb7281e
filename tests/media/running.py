"""Denoisers in miniature, run from path to path."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from self2align.alignment.loading import make_aligner
from self2align.denoising.frames import DenoiseFrames, Kept, OneByOne, WithNeighbours
from self2align.denoising.levels import Sigma
from self2align.denoising.strength import Strength
from self2align.denoising.tiled import TiledDenoiser
from self2align.media.medium import Choices
from self2align.media.run import denoise_media, open_media
from self2align.media.staging import asked
from self2align.networks.normalised import Normalised
from self2align.networks.unet import UNet
from self2align.runtime.progress import Progress

# Frames with noise, so that the whole way is taken: about a middle value, so that no type clips it.
SIZE = (24, 29)


def noisy(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> NDArray[Any]:
    """Values over most of the range of a type, with noise of a tenth of it; of floats [0, 1], of int16 both signs."""
    draw = np.random.default_rng(seed)
    values = np.clip(draw.normal(0.5, 0.1, shape) + np.linspace(-0.2, 0.2, shape[-1]), 0, 1)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return values.astype(kind)
    # Of 32 bits so much as float32, in which networks compute, holds.
    low, high = (0, 2**20) if kind.itemsize > 2 else (np.iinfo(kind).min, np.iinfo(kind).max)
    return np.rint(low + values * (high - low)).astype(kind)


class KilledError(Exception):
    """What stands for a kill in the middle of work."""


class Watched:
    """What denoises frames, which are noted on their way to it."""

    def __init__(self, clean: DenoiseFrames, seen: list[NDArray[np.float32]], killed_after: int | None) -> None:
        self.clean, self.seen, self.killed_after = clean, seen, killed_after
        self.radius = clean.radius

    def __call__(
        self,
        frames: Iterator[NDArray[np.float32]],
        progress: Progress | None = None,
        sigma: Sigma | None = None,
        colours: bool = True,
    ) -> Iterator[NDArray[np.float32]]:
        return self.clean(self._noted(frames), progress, sigma, colours)

    def _noted(self, frames: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for frame in frames:
            if len(self.seen) == self.killed_after:
                raise KilledError
            self.seen.append(frame)
            yield frame


class Run:
    """A U-Net that changes nothing, so that what comes out is what went in; or one of random weights.

    Attributes
    ----------
    seen
        The frames that it was given, in order.
    notes
        What the last call told of its files.
    """

    def __init__(
        self,
        channels: int = 1,
        *,
        identity: bool = True,
        normalised: bool = False,
        killed_after: int | None = None,
        radius: int = 0,
        memory: int = 2**28,
    ) -> None:
        torch.manual_seed(1)
        unet = UNet(channels, width=4, depth=1).eval()
        if not identity:
            torch.nn.init.normal_(unet.last.weight, std=0.05)
        network = Normalised(unet) if normalised else unet
        self.denoiser = TiledDenoiser(network, channels, device=torch.device("cpu"), memory=memory)
        self.killed_after, self.radius = killed_after, radius
        self.seen: list[NDArray[np.float32]] = []
        self.notes: list[str] = []

    def __call__(
        self,
        source: Path | str,
        output: Path,
        *,
        white: float | None = None,
        sigma: float | None = None,
        codec: str | None = None,
        axes: str | None = None,
        dtype: str | None = None,
        overwrite: bool = False,
        strength: float = 1.0,
        luma: float | None = None,
        chroma: float | None = None,
        **told: Any,
    ) -> None:
        told["strength"] = Strength.told(strength, luma, chroma)
        choices = Choices(self.denoiser.channels, white, codec, axes, sigma, dtype=dtype, **told)
        media = open_media(asked(str(source), output, overwrite), choices)
        self.notes = [note for _, medium in media for note in medium.notes]
        clean: DenoiseFrames = OneByOne(self.denoiser)
        if self.radius:
            clean = WithNeighbours(self.denoiser, make_aligner("dis", self.denoiser.channels, {}), self.radius)
        watched = Watched(Kept(clean), self.seen, self.killed_after)
        denoise_media(media, output, watched, choices.record(), lambda done, total: None)
