"""A trained network for single frames of any size, within a memory limit."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from self2align.denoising import tiling
from self2align.denoising.consistent import RAISED, consistent_level
from self2align.denoising.false_colour import without_false_colour
from self2align.denoising.inference import core, denoise_at_level, framed, load_denoiser, margin_of
from self2align.denoising.levels import FrameNoise, Sigma, as_batch, frame_noise, uneven_sigmas
from self2align.networks.network import multiple_of
from self2align.networks.normalised import Normalised
from self2align.noise.clipping import Clipping
from self2align.noise.model import NoiseSettings
from self2align.noise.outliers import filled
from self2align.noise.profile import NoiseProfile
from self2align.runtime.progress import Progress, part

SINGLE = 1.5  # of what single frames show, there is at least so much noise that pixels share
PICTURES = {"uint8", "video"}  # types of training footage: of cameras, three channels are colours
ALIKE = 0.1  # of the level that a network was trained on: nearer is taken for the same


def fits_channels(found: int, channels: int) -> bool:
    """Return whether a network of ``channels`` channels can denoise images of ``found``; see `TiledDenoiser`."""
    return found == channels or channels in (1, 3)


def trained_level(header: Mapping[str, Any]) -> float | None:
    """Return the one level of noise that a network was trained on, white being 1.0; None if normalised or unknown."""
    noise = header.get("noise")
    if header.get("normalised") is not None or not noise:
        return None
    settings = NoiseSettings.recorded(header)
    return settings.sigma / 255 if settings.one_gaussian else None


def level_was_known(header: Mapping[str, Any]) -> bool:
    """Return whether the noise of the training was added, so that its level was known, not measured."""
    return "noise" not in header or not NoiseSettings.recorded(header).at().measured


def _of_one_colour(image: NDArray[np.float32], noise: FrameNoise) -> NDArray[np.float32]:
    """Return an image without false colour; where it was told that there is no noise, it stays."""
    if noise.known is None:
        return without_false_colour(image, noise.sigma)
    level = np.sqrt(np.square(noise.known).mean(0))
    return np.where(noise.known > 0, without_false_colour(image, level), image)


class TiledDenoiser:
    """Denoises single frames, in tiles if they need more memory than allowed.

    Images with as many channels as the network are denoised whole, all channels together. Otherwise networks of
    one or three channels denoise each channel separately. A network of three sees the channel three times, as
    `ingest.color: rgb` does with gray footage in training, and the mean of its output is used.

    Parameters
    ----------
    network
        Trained, on the device.
    channels
        Of its images.
    device
        Where it is.
    memory
        Limit for the network's tensors in bytes, without the weights and the image itself.
    whites
        The value of 1.0 in the training footage, by type; empty if unknown.
    clipping
        How the noise of that footage was clipped; None if it was not, or if that is unknown.
    trained
        Level of the noise that a network that is not normalised was trained on, white being 1.0; None if unknown.
    exact
        Whether the level of the noise was known in training, not measured. Then channels of unequal noise are brought
        to one level each, and no more is taken off than the level explains.
    blind
        Whether the level that it was told in training was off, of noise that pixels share: it tells the level itself.
    watch
        Called with the noise of each frame before it is denoised.
    profile
        The noise of the training footage; None if it was white or is unknown.
    """

    def __init__(
        self,
        network: nn.Module,
        channels: int,
        *,
        device: torch.device,
        memory: int,
        whites: Mapping[str, float] | None = None,
        clipping: Clipping | None = None,
        trained: float | None = None,
        exact: bool = True,
        blind: bool = False,
        watch: Callable[[FrameNoise], None] | None = None,
        profile: NoiseProfile | None = None,
    ) -> None:
        self.network, self.channels, self.device, self.memory = network, channels, device, memory
        self.trained, self.exact, self.blind = trained, exact, blind
        self.watch, self.profile = watch, profile
        self.whites, self.clipping = dict(whites or {}), clipping
        self.watched = False
        self.untouched = False  # whether the last frame was left as it is
        self.multiple = multiple_of(network)
        self.pixels = max(1, int(memory / (tiling.bytes_per_pixel(core(network), channels) * tiling.WORKSPACE)))

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        device: torch.device,
        memory: int,
        watch: Callable[[FrameNoise], None] | None = None,
    ) -> "TiledDenoiser":
        """Return the denoiser of a file of weights; see the class.

        Raises
        ------
        ValueError
            If the file is no denoiser.
        """
        network, header = load_denoiser(path, device)
        told, profile = header.get("clipping"), header.get("noise_profile")
        try:
            level, known = trained_level(header), level_was_known(header)
            noise = NoiseProfile.recorded(profile) if profile else None
            if noise is not None and len(noise.variances) != int(header["channels"]):
                raise ValueError(
                    f"noise_profile: found noise of {len(noise.variances)} channels, expected {header['channels']}"
                )
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return cls(
            network,
            int(header["channels"]),
            device=device,
            memory=memory,
            whites=header.get("whites"),
            clipping=Clipping(**told) if told else None,
            trained=level,
            exact=known,
            blind=((header.get("noise_seen") or {}).get("told_within") or 1.0) > 1,
            watch=watch,
            profile=noise,
        )

    @cached_property
    def reach(self) -> int | None:
        """Receptive radius, px; None if unbounded. Measured when an image first needs several tiles."""
        return tiling.reach(core(self.network), self.channels)

    def tiles_for(self, height: int, width: int) -> tuple[tiling.Tile, ...]:
        """Return the tiles of an image of that size, after padding.

        Raises
        ------
        ValueError
            If the memory is not enough for the smallest tile.
        """
        height, width = (-(-length // self.multiple) * self.multiple for length in (height, width))
        if height * width <= self.pixels:
            return tiling.tiles(height, width, multiple=self.multiple, halo=0, pixels=self.pixels)
        halo = tiling.BLEND if self.reach is None else self.reach
        halo = -(-halo // self.multiple) * self.multiple
        least = tiling.smallest_window(height, width, multiple=self.multiple, halo=halo)
        if least > self.pixels:
            needed = math.ceil(self.memory / self.pixels * least / 2**20)
            found = self.memory // 2**20
            raise ValueError(f"memory: found {found} MiB, expected at least {needed} MiB for this network")
        return tiling.tiles(height, width, multiple=self.multiple, halo=halo, pixels=self.pixels)

    def __call__(
        self,
        noisy: NDArray[np.float32],
        progress: Progress | None = None,
        sigma: Sigma | None = None,
        noise: FrameNoise | None = None,
        copies: int = 1,
        colours: bool = True,
    ) -> NDArray[np.float32]:
        """Denoise one image.

        Parameters
        ----------
        noisy
            ``(C, H, W)``, white being 1.0, unclipped. What is NaN is filled from around it, and not measured.
        progress
            Called with the number of tiles done and of all tiles.
        sigma
            Standard deviation of the noise, white being 1.0: one value, or a map ``(H, W)`` or ``(C, H, W)``; None to
            measure it. A frame without noise to speak of is returned as it is.
        noise
            From `noise_of`, for a frame of as many channels as the network has; instead of sigma.
        copies
            See `self2align.denoising.inference.denoise_at_level`.
        colours
            Whether three channels are red, green and blue of a picture: only these have false colour.

        Returns
        -------
        ndarray
            ``(C, H, W)``, float32, unclipped.
        """
        assert fits_channels(len(noisy), self.channels), (len(noisy), self.channels)
        whole = filled(noisy, np.isnan(noisy))
        if len(noisy) == self.channels:
            known = noise or self.noise_of(noisy, sigma)
            made = self._denoise(whole, known, progress, copies)
            return self.without_false_colour(made, known) if colours and copies == 1 else made
        clean = np.empty_like(noisy)
        for number, plane in enumerate(noisy):
            repeated = np.repeat(whole[number : number + 1], self.channels, axis=0)
            shown = part(progress, number, len(noisy)) if progress is not None else None
            told = sigma[number] if isinstance(sigma, np.ndarray) and sigma.ndim == 3 and len(sigma) > 1 else sigma
            clean[number] = self._denoise(repeated, self.noise_of(plane[None], told), shown, self.channels).mean(axis=0)
        return clean

    def without_false_colour(self, clean: NDArray[np.float32], noise: FrameNoise) -> NDArray[np.float32]:
        """Return a denoised frame, ``(C, H, W)``, without false colour, if its noise is that of colour pictures."""
        return _of_one_colour(clean, noise) if self._was_demosaicked(noise) else clean

    @property
    def normalised(self) -> bool:
        """Return whether the network can be told any level of noise, also one at each pixel."""
        return isinstance(self.network, Normalised)

    def denoise_mean(
        self, mean: NDArray[np.float32], share: NDArray[np.float32], noise: FrameNoise, copies: float = 1
    ) -> NDArray[np.float32]:
        """Denoise the mean of a frame and its neighbours in one pass of a normalised network.

        Parameters
        ----------
        mean
            ``(C, H, W)``, of as many channels as the network has, finite.
        share
            ``(H, W)``: of the variance of the frame's noise, what is left in the mean; in (0, 1].
        noise
            Of the frame alone, from `noise_of`.
        copies
            See `self2align.denoising.inference.denoise_at_level`.
        """
        copies = max(copies, 1 + (len(mean) - 1) * noise.shared) if self.exact else 1
        level = noise.level(as_batch(mean))[0].numpy() * np.sqrt(copies * share[None])
        left = replace(noise, known=level.astype(np.float32))
        # Not exact: a second look at the image costs another pass, and gains nothing here.
        return denoise_at_level(self.network, mean, left, partial(self._run, progress=None), exact=False)

    def noise_of(self, noisy: NDArray[np.float32], sigma: Sigma | None) -> FrameNoise:
        """Return the noise of a frame, ``(C, H, W)``: as told, or measured."""
        if sigma is not None:
            noise = FrameNoise.told(sigma)
        else:
            noise = frame_noise(noisy, each_channel=self.exact)
            found = noise.measured
            # What is independent from pixel to pixel is measured well where enough is flat.
            if self.blind and found is not None and not (noise.drawn or found.certain):
                noise = replace(noise.of_level(self._consistent(noisy, noise)), raised=RAISED)
        self.untouched = noise.nothing
        if self.watch is not None:
            # Of the first frame: it costs as much as measuring the frame four times.
            first, self.watched = not self.watched, True
            self.watch(replace(noise, quarters=uneven_sigmas(noisy, noise)) if first else noise)
        return noise

    def _was_demosaicked(self, noise: FrameNoise) -> bool:
        """Return whether a frame is a colour picture of a camera, as the training footage was."""
        pictures = self.channels == 3 and bool(self.whites) and set(self.whites) <= PICTURES
        white = noise.measured is not None and noise.measured.certain
        return self.blind and pictures and not (noise.nothing or white)

    def _consistent(self, noisy: NDArray[np.float32], noise: FrameNoise) -> float:
        """Return the level of noise that pixels share; see `self2align.denoising.consistent`."""
        whole = filled(noisy, np.isnan(noisy))
        seen = whole if len(whole) == self.channels else np.repeat(whole, self.channels, axis=0)

        def run(image: NDArray[np.float32], level: float) -> NDArray[np.float32]:
            return self._denoise(image, noise.of_level(level), None)

        return consistent_level(seen, noise.span, run, SINGLE * noise.sigma)

    def _denoise(
        self, noisy: NDArray[np.float32], noise: FrameNoise, progress: Progress | None, copies: int = 1
    ) -> NDArray[np.float32]:
        trained = self.trained
        even = noise.known is None and not any(gain for gain, _ in noise.lines)
        if trained is not None and even and abs(noise.sigma / trained - 1) < ALIKE:
            trained = None  # as it was trained

        def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
            nonlocal progress
            shown, progress = progress, None  # a second look at the image goes unseen
            return self._run(image, shown)

        return denoise_at_level(self.network, noisy, noise, run, trained=trained, exact=self.exact, copies=copies)

    def _run(self, noisy: NDArray[np.float32], progress: Progress | None) -> NDArray[np.float32]:
        _, height, width = noisy.shape
        margin = margin_of(self.network)
        padded = np.pad(noisy, framed(height, width, self.multiple, margin), mode="reflect")
        # In full float32: with the short mantissa of TF32 tiles would differ by 1e-3.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            plan = self.tiles_for(*padded.shape[1:])
            blend = len(plan) > 1 and self.reach is None
            clean = tiling.run_tiles(
                core(self.network), padded, plan, blend=blend, device=self.device, progress=progress
            )
        if not np.isfinite(clean).all() and np.isfinite(noisy).all():
            raise ValueError("weights: found a result that is not finite for a frame that is, expected other weights")
        return clean[:, margin : margin + height, margin : margin + width]
