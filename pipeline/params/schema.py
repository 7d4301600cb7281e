"""The typed mirror of params.yaml. Types and ranges are checked, and unknown keys are errors."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from self2align.evaluation.protocol import BenchmarkSet, MethodRow
from self2align.evaluation.video_protocol import MOST, VideoRow, VideoSet
from self2align.noise.model import NoiseSettings
from self2align.pairs.making import PairSettings
from self2align.training.settings import CropSettings, DenoiserSettings, SamplerSettings, TrainingSettings

Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Size = Annotated[int, Field(ge=16)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Role = Literal["align", "pairs", "validation", "test"]
Arguments = dict[str, Any]
STARTS = Path("starts")  # folder of starting weights, a dependency of the trainings


class Section(BaseModel):
    """A frozen section. Unknown keys are errors; no value is converted, except int to float."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SourceParams(Section):
    """One source of frames."""

    kind: str
    path: str
    glob: list[str] = ["*"]
    exclude: list[str] = []
    roles: Annotated[list[Role], Field(min_length=1)]
    crop: Annotated[list[Size], Field(min_length=2, max_length=2)] | None = None
    step: Count = 1
    max_frames: Annotated[int, Field(ge=2)] | None = None
    white: Positive | None = None
    skip_damaged: bool = False
    axes: Annotated[str, Field(pattern=r"^[A-Za-z]{2,}$")] | None = None

    @model_validator(mode="after")
    def _of_arrays(self) -> Self:
        if self.axes is not None and self.kind not in ("array", "stack"):
            raise ValueError(f"axes: found {self.axes!r} for the kind {self.kind}, expected null: stack or array")
        return self


class IngestParams(Section):
    """Sources of frames, and whether they become RGB or gray."""

    color: Literal["rgb", "gray"]
    sources: Annotated[dict[Name, SourceParams], Field(min_length=1)]


class BenchmarkSetParams(Section):
    """One set of clean still images, and its number of repeats in the published protocol."""

    kind: str
    path: str
    glob: list[str] = ["*"]
    repeats: Count = 1


class BenchmarkVideosParams(Section):
    """One set of clean sequences."""

    kind: str
    path: str
    glob: list[str] = ["*"]
    exclude: list[str] = []
    max_frames: Annotated[int, Field(ge=2)] | None = MOST


class SynthesizeParams(Section):
    """Noise; see `self2align.noise.model.NoiseSettings`."""

    model: str
    sigma: Annotated[float, Field(ge=0, le=255)]
    sigma_max: Annotated[float, Field(ge=0, le=255)] | None
    peak: Annotated[float, Field(ge=1)]
    peak_max: Annotated[float, Field(ge=1)] | None = None
    camera: Arguments = {}
    fixed_pattern: str | None = None

    def settings(self) -> NoiseSettings:
        """Return the values for the library."""
        return NoiseSettings(**self.model_dump(exclude={"fixed_pattern"}))


class MeasureNoiseParams(Section):
    """See `self2align.measuring.profile.measure_profile`."""

    targets: Count = 5


class TrainingParams(Section):
    """One training; see `self2align.training.settings.TrainingSettings`."""

    steps: Count
    batch: Count
    crop: Size
    learning_rate: Positive
    schedule: Literal["constant", "step", "cosine"]
    decay: Annotated[float, Field(gt=0, le=1)]
    decay_every: Count
    warmup: Annotated[int, Field(ge=0)]
    clip: Annotated[float, Field(ge=0)]
    precision: Literal["auto", "float32", "bfloat16"]
    threads: Count
    checkpoint_every: Count
    log_every: Count
    validate_every: Count

    @model_validator(mode="after")
    def _multiple(self) -> Self:
        if self.validate_every % self.log_every:
            raise ValueError(
                f"validate_every: found {self.validate_every}, expected a multiple of log_every ({self.log_every})"
            )
        return self

    def settings(self) -> TrainingSettings:
        """Return the values for the library."""
        return TrainingSettings(**self.model_dump())


class AlignerParams(Section):
    """One aligner; for a classical one ``loss`` is "none" and ``training`` null."""

    kind: str
    arguments: Arguments
    init: Name | None = None
    loss: str
    training: TrainingParams | None

    def start(self) -> Path | None:
        """Return the file of the weights to start from; None for random ones."""
        return None if self.init is None else STARTS / f"{self.init}.safetensors"


class TrainIanParams(Section):
    """The aligners that are trained and measured."""

    aligners: Annotated[dict[Name, AlignerParams], Field(min_length=1)]


class EvaluateAlignmentParams(Section):
    """Measuring alignment, on scenes with the role test."""

    pairs_per_scene: Count
    offsets: Annotated[list[Count], Field(min_length=1)]
    coverage: Annotated[float, Field(gt=0, le=1)]


class GeneratePairsParams(Section):
    """The pair store."""

    aligner: str
    offsets: Annotated[list[Count], Field(min_length=1)]
    targets_per_scene: Count
    crops_per_target: Count
    crop: Size
    margin: Annotated[int, Field(ge=0)]
    exposure: bool
    kernel: Literal["bilinear", "bicubic", "sinc"]

    def settings(self) -> PairSettings:
        """Return the values for the library."""
        values = {name: getattr(self, name) for name in PairSettings.__dataclass_fields__}
        return PairSettings(**{**values, "offsets": tuple(self.offsets)})

    def crops(self) -> CropSettings:
        """Return which crops are used, for the library."""
        return CropSettings(tuple(self.offsets), self.targets_per_scene, self.crops_per_target, self.crop)


class SamplerParams(Section):
    """The Bernoulli sampler."""

    strategy: str
    score: Literal["ssim", "ssim_filtered"]
    probability: Fraction

    def settings(self) -> SamplerSettings:
        """Return the values for the library."""
        return SamplerSettings(self.strategy, self.score, self.probability)


class TrainDenoiserParams(Section):
    """The denoiser."""

    normalise: bool
    network: str
    arguments: Arguments
    init: Name | None
    objective: str
    subsample: Fraction
    rotate_colors: Fraction
    last_layer: Literal["auto", "stein", "trained"]
    training: TrainingParams

    def settings(self) -> DenoiserSettings:
        """Return the values for the library."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        init = None if self.init is None else STARTS / f"{self.init}.safetensors"
        return DenoiserSettings(**{**values, "init": init, "training": self.training.settings()})


class AblationRunParams(SamplerParams):
    """One line of the ablation table: an objective on aligned pairs, and a sampler."""

    objective: str


class TrainAblationParams(Section):
    """Lines of the table by name; may be empty."""

    runs: dict[Name, AblationRunParams]


class BaselineParams(Section):
    """One baseline: another objective; everything else is as for the denoiser."""

    objective: str


class TrainBaselinesParams(Section):
    """Baselines by name; may be empty."""

    runs: dict[Name, BaselineParams]


class EvaluateDenoiserParams(Section):
    """Measuring denoisers, on scenes with the role test."""

    frames_per_scene: Count


class MethodParams(Section):
    """One row of the table: ``file`` is a method's module or a denoiser's weights, a dependency of its item."""

    file: str
    arguments: Arguments = {}


class BenchmarkParams(Section):
    """The benchmark; without clean images it may have no methods."""

    sigma: Annotated[float, Field(ge=0, le=255)] | None
    repeats: Literal["quick", "full"]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    pictures: Count
    methods: dict[Name, MethodParams]

    def rows(self) -> dict[str, MethodRow]:
        """Return the rows of the table, for the library."""
        return {name: MethodRow(name, Path(row.file), row.arguments) for name, row in self.methods.items()}


class VideoMethodParams(MethodParams):
    """One row of the table of video: neighbours each way, a key of ``train_ian.aligners``, whether sigma is told."""

    temporal: Annotated[int, Field(ge=0, le=8)] = 0
    aligner: str | None = None
    told: bool = False


class BenchmarkVideoParams(Section):
    """The benchmark of video; without clean sequences it may have no methods."""

    sigma: Annotated[list[Annotated[float, Field(gt=0, le=255)]], Field(min_length=1)] = [25.0]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    methods: dict[Name, VideoMethodParams] = {}

    def rows(self, aligners: Path) -> dict[str, VideoRow]:
        """Return the rows of the table, for the library; the aligners' weights lie in a folder."""
        return {
            name: VideoRow(
                name,
                Path(row.file),
                row.temporal,
                None if row.aligner is None else aligners / f"{row.aligner}.safetensors",
                row.told,
                row.arguments,
            )
            for name, row in self.methods.items()
        }


class ReportParams(Section):
    """The report."""

    crop: Size
    images: Count


class Params(Section):
    """The whole file: one section per stage, and two that several stages use (sampler, seed)."""

    seed: Annotated[int, Field(ge=0, lt=2**63)]
    ingest: IngestParams
    benchmark_sets: dict[Name, BenchmarkSetParams]
    benchmark_videos: dict[Name, BenchmarkVideosParams] = {}
    synthesize: SynthesizeParams
    measure_noise: MeasureNoiseParams = MeasureNoiseParams()
    train_ian: TrainIanParams
    evaluate_alignment: EvaluateAlignmentParams
    generate_pairs: GeneratePairsParams
    sampler: SamplerParams
    train_denoiser: TrainDenoiserParams
    train_ablation: TrainAblationParams
    train_baselines: TrainBaselinesParams
    evaluate_denoiser: EvaluateDenoiserParams
    benchmark: BenchmarkParams
    benchmark_video: BenchmarkVideoParams = BenchmarkVideoParams()
    report: ReportParams

    def benchmark_noise(self) -> NoiseSettings:
        """Return the noise of the test images: that of the frames, at one level."""
        noise, sigma = self.synthesize.settings(), self.benchmark.sigma
        return replace(noise, sigma=noise.sigma if sigma is None else sigma, sigma_max=None, peak_max=None)

    def test_sets(self, folder: Path) -> list[BenchmarkSet]:
        """Return the test sets, in order, whose stores lie in a folder."""
        sets = self.benchmark_sets.items()
        return [BenchmarkSet(name, folder / f"{name}.zarr", one.repeats) for name, one in sets]

    def video_sets(self, folder: Path) -> list[VideoSet]:
        """Return the sets of sequences, in order, whose stores lie in a folder."""
        return [VideoSet(name, folder / f"{name}.zarr") for name in self.benchmark_videos]
