"""Settings of a training: plain, unchecked values."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TRAINED, STEIN, AUTO = "trained", "stein", "auto"  # values of DenoiserSettings.last_layer


@dataclass(frozen=True)
class TrainingSettings:
    """One training. Its length is a number of steps, never of minutes.

    Attributes
    ----------
    steps
        Steps in total, including those before an interruption.
    batch, crop
        Crops per batch; size of a crop, px.
    learning_rate
        The highest learning rate.
    schedule
        "constant"; "step": times ``decay`` every ``decay_every`` steps (paper, section 5.1); "cosine": to zero.
    warmup
        Steps of linear rise.
    clip
        Limit of the gradient norm; 0 for none.
    precision
        "auto", "float32" or "bfloat16"; see `self2align.runtime.devices.use_bfloat16`.
    threads
        CPU threads. Results repeat bit for bit at one number only.
    checkpoint_every, log_every, validate_every
        Steps between checkpoints, rows of the curve, validations.
    """

    steps: int
    batch: int
    crop: int
    learning_rate: float
    schedule: str
    decay: float
    decay_every: int
    warmup: int
    clip: float
    precision: str
    threads: int
    checkpoint_every: int
    log_every: int
    validate_every: int

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rate = self.learning_rate
        if self.schedule == "step":
            rate *= self.decay ** (step // self.decay_every)
        elif self.schedule == "cosine":
            rate *= 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return rate * min(1.0, (step + 1) / self.warmup) if self.warmup else rate

    def due(self, every: int, done: int) -> bool:
        """Return whether an action that is due every ``every`` steps, and at the end, is due now."""
        return done % every == 0 or done == self.steps


@dataclass(frozen=True)
class SamplerSettings:
    """The Bernoulli sampler.

    Attributes
    ----------
    strategy
        A key of `self2align.samplers.SAMPLERS`.
    score
        Column of the pair store: "ssim" or "ssim_filtered".
    probability
        Of the strategy "fixed".
    """

    strategy: str
    score: str
    probability: float


@dataclass(frozen=True)
class DenoiserSettings:
    """A network, its objective and its training.

    Attributes
    ----------
    normalise
        Whether the network sees noise of one level only; see `self2align.networks.normalised`.
    network, arguments
        A key of `self2align.networks.NETWORKS`, and keyword arguments that differ from its defaults.
    init
        Weights to start from; None for random ones.
    objective
        A key of `self2align.objectives.OBJECTIVES`.
    subsample
        Share of crops made of every other pixel; see `self2align.training.feed.PairFeed`.
    rotate_colors
        Share of crops whose colors are rotated; see `self2align.training.augmenting.rotate_crop_colors`.
    last_layer
        "stein": the last layer is solved after training (`self2align.training.last_layer`). "trained": it is not.
        "auto": it is where that is possible, except under an objective trained as published.
    training
        Steps, batch, learning rate and so on.
    """

    normalise: bool
    network: str
    arguments: Mapping[str, Any]
    init: Path | None
    objective: str
    subsample: float
    rotate_colors: float
    last_layer: str
    training: TrainingSettings

    def subsample_for(self, downscale: int) -> float:
        """Return the share of subsampled crops: 0 for an objective that makes smaller images itself."""
        return self.subsample if downscale == 1 else 0.0

    def deciding_checkpoint(self) -> dict[str, Any]:
        """Return the settings that decide a checkpoint.

        Not among them: the starting weights, which their digest stands for, and the last layer, which is solved later.
        """
        return {key: value for key, value in asdict(self).items() if key not in ("init", "last_layer")}


@dataclass(frozen=True)
class CropSettings:
    """The choice of frames and crops.

    Attributes
    ----------
    offsets
        Frames between target and neighbour.
    targets_per_scene, crops_per_target
        Targets, evenly spaced over a scene; crops of each.
    crop
        px.
    """

    offsets: tuple[int, ...]
    targets_per_scene: int
    crops_per_target: int
    crop: int
