"""What the report is made from: where earlier stages left their results, and what the run was asked to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from self2align.noise.model import NoiseSettings
from self2align.training.settings import SamplerSettings


@dataclass(frozen=True)
class StageOutputs:
    """Where earlier stages left their results.

    Attributes
    ----------
    benchmark_sets
        Folder of stores of clean test images.
    benchmark
        Folder of the methods' figures and pictures.
    alignment
        Folder of the alignment measures.
    pairs
        Folder of the pair store, its figures and its pictures.
    held_out
        File of the denoisers' figures on held-out frames.
    noise
        File of the noise of scenes; None for no picture of it.
    video
        Folder of the methods' figures on video; None for none.
    """

    benchmark_sets: Path
    benchmark: Path
    alignment: Path
    pairs: Path
    held_out: Path
    noise: Path | None = None
    video: Path | None = None


@dataclass(frozen=True)
class VideoMethod:
    """One row of the benchmark of video: a method's module, or weights; and neighbours each way."""

    file: str
    temporal: int = 0


@dataclass(frozen=True)
class TrainingRun:
    """One training of a denoiser.

    Attributes
    ----------
    name
        In tables and legends.
    weights
        The file that it writes. Its figures lie beside it.
    objective
        A key of `self2align.objectives.OBJECTIVES`.
    sampler
        None for a baseline, which drops no pixels.
    """

    name: str
    weights: Path
    objective: str
    sampler: SamplerSettings | None


@dataclass(frozen=True)
class ReportInputs:
    """The choices of a run that the report depends on.

    Attributes
    ----------
    noise, color
        Noise of the test images; "rgb" or "gray".
    repeats
        "quick" or "full".
    sets
        Test sets, in order.
    methods
        Row of the benchmark -> its file: a module of a method, or weights.
    aligners
        Trained or classical ones, in order.
    network
        Of all trained denoisers.
    trainings
        The denoiser first, then the ablation, then the baselines.
    crop, images
        Side of the crops of the visual comparison, px, and how many images it has.
    parameters
        All of them, as the report prints them.
    videos
        Row of the benchmark of video -> what it is.
    """

    noise: NoiseSettings
    color: str
    repeats: str
    sets: Sequence[str]
    methods: Mapping[str, str]
    aligners: Sequence[str]
    network: str
    trainings: Sequence[TrainingRun]
    crop: int
    images: int
    parameters: Mapping[str, Any]
    videos: Mapping[str, VideoMethod] = field(default_factory=dict)
