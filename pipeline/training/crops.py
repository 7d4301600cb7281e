"""The crops that a denoiser is trained on, and the feeds that draw from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.networks.normalised import noise_level
from self2align.stores.codes import Coding
from self2align.training.feed import Batch, Draw, NeighbourFeed, PairFeed
from self2align.training.levels import Levelled
from self2align.training.settings import DenoiserSettings

TRAINING, VALIDATION = 0, 1  # roles of rows
VALIDATION_BATCHES = 8
NOISY_PIXELS, NOISY_CROP = 2**15, 128  # pixels per batch for the last layer; largest crop, px
SMALLEST = 1e-6  # sigma, white being 1.0
SYMMETRIES = 8  # of the square: each noisy target is used at most so often for the last layer


@dataclass(frozen=True)
class Crops:
    """Crops in memory, one row each.

    Attributes
    ----------
    held, codings, columns
        See `self2align.training.feed.PairFeed`. Columns have ``noise_gain`` and ``noise_read``: the variance of the
        noise is ``gain x + read``.
    levelled
        Whether batches are brought to one level of noise; see `self2align.training.levels`.
    roles
        For each row `TRAINING` or `VALIDATION`.
    margin
        Of ``source``, px.
    groups
        The rows of each target, for an objective that takes all its neighbours together; else None.
    inputs
        Digests of the stores that they come from.
    seed
        Of all draws.
    """

    held: Mapping[str, NDArray[Any]]
    codings: Mapping[str, Coding]
    columns: Mapping[str, NDArray[np.float32]]
    roles: NDArray[np.int8]
    margin: int
    groups: NDArray[np.int64] | None
    inputs: Mapping[str, str]
    seed: int
    levelled: bool = False

    def feed(
        self,
        role: int,
        purpose: str,
        crop: int,
        batch: int,
        *,
        subsample: float = 0.0,
        rotate_colors: float = 0.0,
    ) -> Draw:
        """Return a feed of the rows of a role; see `self2align.training.feed.PairFeed`."""
        if self.groups is None:
            make, rows = PairFeed, np.flatnonzero(self.roles == role)
        else:
            make, rows = NeighbourFeed, self.groups[self.roles[self.groups[:, 0]] == role]
        noise = ("noise_gain", "noise_read")
        columns = {name: one for name, one in self.columns.items() if self.levelled or name not in noise}
        made = make(
            self.held,
            rows,
            self.codings,
            columns,
            margin=self.margin,
            crop=crop,
            batch=batch,
            subsample=subsample,
            rotate_colors=rotate_colors,
            seed=self.seed,
            purpose=purpose,
        )
        return Levelled(made, self.usual_sigma()) if self.levelled else made

    def training_feed(self, settings: DenoiserSettings, downscale: int) -> Draw:
        """Return the feed that is trained on.

        Parameters
        ----------
        settings
            Crop, batch and augmentations.
        downscale
            Factor between the crops and the smaller images that the objective makes of them. Crops are larger by this
            factor, with as many pixels per batch if ``batch`` is a multiple of its square.
        """
        training = settings.training
        return self.feed(
            TRAINING,
            "train_denoiser",
            training.crop * downscale,
            max(1, training.batch // downscale**2),
            subsample=settings.subsample_for(downscale),
            rotate_colors=settings.rotate_colors,
        )

    def usual_sigma(self) -> float:
        """Return the mean standard deviation of the noise at middle gray, white being 1.0."""
        gain, read = (self.columns[f"noise_{name}"] for name in ("gain", "read"))
        return max(float(np.sqrt(np.maximum(0.5 * gain + read, 0)).mean()), SMALLEST)

    def largest_crop(self, multiple: int) -> int:
        """Return the largest crop size that is a multiple of ``multiple``, px."""
        size: int = next(array.shape[-1] for name, array in self.held.items() if name != "source")
        return size // multiple * multiple

    def validation_batches(self, batch: int, multiple: int) -> list[Batch]:
        """Return held-out batches of whole crops, larger than training crops: some networks fail on larger images."""
        if not (self.roles == VALIDATION).any():
            return []
        feed = self.feed(VALIDATION, "validation", self.largest_crop(multiple), batch)
        return [feed(number) for number in range(VALIDATION_BATCHES)]

    def noisy_targets(
        self, settings: DenoiserSettings, multiple: int, subsample: float, role: int, count: int
    ) -> Iterator[Tensor]:
        """Yield batches of noisy targets under the augmentation of training, about `NOISY_PIXELS` pixels each.

        They are whole crops and, in the share ``subsample``, every other pixel of crops.
        """
        noise = {name: self.columns[name] for name in ("noise_gain", "noise_read")}
        alone = replace(self, held={"target": self.held["target"]}, columns=noise, groups=None)
        colors = settings.rotate_colors
        size = min(self.largest_crop(multiple), NOISY_CROP // multiple * multiple)
        whole = subsampled = alone.feed(
            role, "last_layer", crop=size, batch=max(1, NOISY_PIXELS // size**2), rotate_colors=colors
        )
        if subsample:
            crop = settings.training.crop
            batch = max(1, NOISY_PIXELS // crop**2)
            subsampled = alone.feed(role, "last_layer", crop=crop, batch=batch, subsample=1.0, rotate_colors=colors)
        for number in range(count):
            feed = subsampled if int((number + 1) * subsample) > int(number * subsample) else whole
            yield feed(number)["target"]

    def batch_count(self, role: int, most: int) -> int:
        """Return how many such batches use each noisy target of a role `SYMMETRIES` times; at most ``most``."""
        rows = self.roles == role if self.groups is None else self.roles[self.groups[:, 0]] == role
        return min(most, max(1, SYMMETRIES * int(rows.sum()) * self.largest_crop(1) ** 2 // NOISY_PIXELS))

    @property
    def noisy(self) -> str:
        """Return the name of the noisy crops: "target", or "first" where they have a second draw or clean ones."""
        return "target" if "target" in self.held else "first"

    def sample_targets(self, count: int) -> tuple[NDArray[np.float32], Tensor]:
        """Return evenly spaced noisy crops, ``(N, C, H, W)``, and the standard deviation of their noise."""
        name = self.noisy
        held = self.held[name]
        rows = np.unique(np.linspace(0, len(held) - 1, count).astype(int))
        noisy = self.codings[name].decode(np.stack([held[row] for row in rows]))
        gain, read = (torch.from_numpy(self.columns[f"noise_{name}"][rows]) for name in ("gain", "read"))
        return noisy, noise_level(torch.from_numpy(noisy), gain, read)
