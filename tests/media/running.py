"""Denoisers in miniature, run from path to path."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.denoiser import Denoiser
from pipeline.media.medium import Choices, Progress
from pipeline.media.run import denoise_media, open_media
from pipeline.networks.unet import UNet


class KilledError(Exception):
    """What stands for a kill in the middle of work."""


class Run:
    """A U-Net that changes nothing, so that what comes out is what went in; or one of random weights.

    Attributes
    ----------
    seen
        The frames that it was given, in order.
    notes
        What the last call told of its files.
    """

    def __init__(self, channels: int = 1, *, identity: bool = True, killed_after: int | None = None) -> None:
        torch.manual_seed(1)
        network = UNet(channels, width=4, depth=1).eval()
        if not identity:
            torch.nn.init.normal_(network.last.weight, std=0.05)
        self.denoiser = Denoiser(network, channels, device=torch.device("cpu"), memory=2**28)
        self.killed_after = killed_after
        self.seen: list[NDArray[np.float32]] = []
        self.notes: list[str] = []

    def _clean(self, noisy: NDArray[np.float32], progress: Progress | None = None) -> NDArray[np.float32]:
        if len(self.seen) == self.killed_after:
            raise KilledError
        self.seen.append(noisy)
        return self.denoiser(noisy, progress)

    def __call__(
        self,
        source: Path | str,
        output: Path,
        *,
        white: float | None = None,
        codec: str | None = None,
        axes: str | None = None,
        overwrite: bool = False,
    ) -> None:
        choices = Choices(self.denoiser.channels, white, codec, axes)
        media = open_media(str(source), output, choices, overwrite)
        self.notes = [note for _, medium in media for note in medium.notes]
        denoise_media(media, output, self._clean, {"white": white, "codec": codec}, lambda done, total: None)
