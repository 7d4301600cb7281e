"""params.yaml, typed: every value checked on load, unknown keys refused, errors with the key's full name."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from self2align.alignment import ALIGNERS, LOSSES
from self2align.methods import METHODS
from self2align.networks import NETWORKS
from self2align.networks.network import multiple_of
from self2align.objectives import OBJECTIVES
from self2align.pairs import MAPS, SAMPLERS
from self2align.runtime.families import load as load_member
from self2align.sources import SOURCES

Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Size = Annotated[int, Field(ge=16)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Role = Literal["align", "pairs", "validation", "test"]
Arguments = dict[str, Any]
LEAST_MEASURED = 0.25  # sigma, on the scale of 0 to 255


class Section(BaseModel):
    """Frozen; unknown keys refused; no silent conversions but int to float."""

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


class IngestParams(Section):
    """Frames: from where, as what."""

    color: Literal["rgb", "gray"]
    sources: Annotated[dict[Name, SourceParams], Field(min_length=1)]


class BenchmarkSetParams(Section):
    """One set of clean still images, and how often the published protocol repeats it."""

    kind: str
    path: str
    glob: list[str] = ["*"]
    repeats: Count = 1


class SynthesizeParams(Section):
    """Noise."""

    model: Literal["gaussian", "poisson", "poisson_gaussian", "none"]
    sigma: Annotated[float, Field(ge=0, le=255)]
    sigma_max: Annotated[float, Field(ge=0, le=255)] | None
    peak: Annotated[float, Field(ge=1)]

    @property
    def levels(self) -> tuple[float, float]:
        """Return between which noise levels a scene's lies."""
        return self.sigma, self.sigma if self.sigma_max is None else self.sigma_max

    @property
    def one_gaussian(self) -> bool:
        """Return whether the noise is Gaussian, of one level in all scenes."""
        return self.model == "gaussian" and self.sigma > 0 and self.sigma_max is None


class TrainingParams(Section):
    """One training; steps, never minutes."""

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


class AlignerParams(Section):
    """One aligner; ``loss`` and ``training`` are null for a classical one."""

    kind: str
    arguments: Arguments
    loss: str | None
    training: TrainingParams | None


class TrainIanParams(Section):
    """The aligners that are made ready and measured."""

    aligners: Annotated[dict[Name, AlignerParams], Field(min_length=1)]


class EvaluateAlignmentParams(Section):
    """Measuring alignment, on scenes of the role test."""

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


class SamplerParams(Section):
    """The Bernoulli sampler."""

    strategy: str
    score: Literal["ssim", "ssim_filtered"]
    probability: Fraction


class TrainDenoiserParams(Section):
    """The denoiser."""

    network: str
    arguments: Arguments
    init: Name | None
    objective: str
    subsample: Fraction
    rotate_colors: Fraction
    last_layer: Literal["auto", "stein", "trained"]
    training: TrainingParams


class AblationRunParams(SamplerParams):
    """One line of the ablation table: an objective on aligned pairs, and a sampler."""

    objective: str


class TrainAblationParams(Section):
    """Lines by name; may be empty."""

    runs: dict[Name, AblationRunParams]


class BaselineParams(Section):
    """One baseline: another objective, everything else as for the denoiser."""

    objective: str


class TrainBaselinesParams(Section):
    """Baselines by name; may be empty."""

    runs: dict[Name, BaselineParams]


class EvaluateDenoiserParams(Section):
    """Measuring denoisers, on scenes of the role test."""

    frames_per_scene: Count


class MethodParams(Section):
    """One row of the table: ``file`` is a denoiser's weights or a method's module, which DVC watches."""

    method: str
    file: str
    arguments: Arguments = {}


class BenchmarkParams(Section):
    """The benchmark; may have no methods, where there are no clean images."""

    repeats: Literal["quick", "full"]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    pictures: Count
    methods: dict[Name, MethodParams]


class ReportParams(Section):
    """The report."""

    crop: Size
    images: Count


class Params(Section):
    """The whole file: one section a stage, and two that cut across (sampler, seed)."""

    seed: Annotated[int, Field(ge=0, lt=2**63)]
    ingest: IngestParams
    benchmark_sets: dict[Name, BenchmarkSetParams]
    synthesize: SynthesizeParams
    train_ian: TrainIanParams
    evaluate_alignment: EvaluateAlignmentParams
    generate_pairs: GeneratePairsParams
    sampler: SamplerParams
    train_denoiser: TrainDenoiserParams
    train_ablation: TrainAblationParams
    train_baselines: TrainBaselinesParams
    evaluate_denoiser: EvaluateDenoiserParams
    benchmark: BenchmarkParams
    report: ReportParams


DENOISER = "denoiser"  # as a benchmark method: weights that were trained here


def load(path: Path) -> Params:
    """Read and check a parameter file.

    Raises
    ------
    ValueError
        On the first wrong value: file, key, what was found, what was expected.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found no file, expected parameters (self2align profile default writes them)")
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ValueError(f"{path}: found broken YAML: {' '.join(str(error).split())}") from error
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path}: {_first_error(error)}") from error
    try:
        _check_members(params)
        _check_sense(params)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return params


def _first_error(error: ValidationError) -> str:
    # A mistyped key is missing as well: the one that is there tells more.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"] if part != "[key]") or "the file"
    found = first["input"]
    if first["type"] == "missing":
        return f"{key}: found nothing, expected a value"
    if first["type"] == "extra_forbidden":
        return f"{key}: found an unknown key, expected one of {_siblings(first['loc'])}"
    if first["type"] == "value_error":
        return f"{key}.{first['msg'].removeprefix('Value error, ')}"
    expected = first["msg"].replace("Input should be ", "").removeprefix("a valid ")
    shown = repr(found) if len(repr(found)) < 60 else type(found).__name__
    return f"{key}: found {shown}, expected {expected}"


def _siblings(place: tuple[int | str, ...]) -> str:
    model: Any = Params
    for part in place[:-1]:
        fields = getattr(model, "model_fields", None)
        hint = fields[part].annotation if fields and part in fields else model
        model = _section_of(hint) or model
    return ", ".join(getattr(model, "model_fields", {}))


def _section_of(hint: Any) -> Any:
    if inspect.isclass(hint) and issubclass(hint, Section):
        return hint
    for inner in getattr(hint, "__args__", ()):
        found = _section_of(inner)
        if found is not None:
            return found
    return None


def check_arguments(member: Any, arguments: Mapping[str, Any], key: str) -> None:
    """Check arguments against a member's keyword-only parameters and their annotations.

    Raises
    ------
    ValueError
        For an unknown name or a value that the annotation refuses.
    """
    callee = member.__init__ if inspect.isclass(member) else member
    hints = get_type_hints(callee, include_extras=True)
    known = [p.name for p in inspect.signature(callee).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name, value in arguments.items():
        if name not in known:
            raise ValueError(f"{key}.{name}: found an unknown key, expected one of {', '.join(known) or 'none'}")
        try:
            TypeAdapter(hints[name], config=ConfigDict(strict=True, allow_inf_nan=False)).validate_python(value)
        except ValidationError as error:
            expected = error.errors()[0]["msg"].replace("Input should be ", "")
            raise ValueError(f"{key}.{name}: found {value!r}, expected {expected}") from error


def _check_members(params: Params) -> None:
    _check_sources_and_aligners(params)
    _check_trainings(params)
    for name, row in params.benchmark.methods.items():
        if row.method != DENOISER:
            method = load_member({**METHODS, DENOISER: ""}, row.method, f"benchmark.methods.{name}.method")
            check_arguments(method, row.arguments, f"benchmark.methods.{name}.arguments")


def _check_sources_and_aligners(params: Params) -> None:
    for name, source in params.ingest.sources.items():
        load_member(SOURCES, source.kind, f"ingest.sources.{name}.kind")
    for name, test_set in params.benchmark_sets.items():
        load_member(SOURCES, test_set.kind, f"benchmark_sets.{name}.kind")
    for name, aligner in params.train_ian.aligners.items():
        member = load_member(ALIGNERS, aligner.kind, f"train_ian.aligners.{name}.kind")
        check_arguments(member, aligner.arguments, f"train_ian.aligners.{name}.arguments")
        trainable = hasattr(member, "parameters")
        if trainable != (aligner.training is not None):
            expected = "a training section" if trainable else "null: it has nothing to train"
            found = "null" if trainable else "a training section"
            raise ValueError(f"train_ian.aligners.{name}.training: found {found}, expected {expected}")
        if trainable:
            load_member(LOSSES, aligner.loss or "null", f"train_ian.aligners.{name}.loss")
        elif aligner.loss is not None:
            raise ValueError(
                f"train_ian.aligners.{name}.loss: found {aligner.loss!r}, expected null: nothing is trained"
            )


def _check_trainings(params: Params) -> None:
    load_member(SAMPLERS, params.sampler.strategy, "sampler.strategy")
    denoiser = params.train_denoiser
    network = load_member(NETWORKS, denoiser.network, "train_denoiser.network")
    try:
        check_arguments(network, denoiser.arguments, "train_denoiser.arguments")
    except ValueError as error:
        raise ValueError(f"{error} (train_denoiser.network is {denoiser.network})") from error
    objective = load_member(OBJECTIVES, denoiser.objective, "train_denoiser.objective")
    if objective.supervised:
        raise ValueError(
            f"train_denoiser.objective: found {denoiser.objective!r}, which needs clean frames; "
            "expected an objective on noisy pairs (baselines go under train_baselines.runs)"
        )
    _check_sampler("sampler", params.sampler.strategy, denoiser.objective, objective.samples)
    for name, line in params.train_ablation.runs.items():
        key = f"train_ablation.runs.{name}"
        tried = load_member(OBJECTIVES, line.objective, f"{key}.objective")
        if not tried.aligned:
            raise ValueError(
                f"{key}.objective: found {line.objective!r}, expected an objective on aligned pairs "
                "(others go under train_baselines.runs)"
            )
        load_member(SAMPLERS, line.strategy, f"{key}.strategy")
        _check_sampler(key, line.strategy, line.objective, tried.samples)
    for name, run in params.train_baselines.runs.items():
        key = f"train_baselines.runs.{name}.objective"
        if load_member(OBJECTIVES, run.objective, key).aligned:
            raise ValueError(
                f"{key}: found {run.objective!r}, which trains on aligned pairs; expected a baseline on single, "
                "clean or perfectly paired frames (others go under train_ablation.runs)"
            )
    _check_colors(params)
    _check_levels(params)
    names = ["denoiser", *params.train_ablation.runs, *params.train_baselines.runs]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(
            f"train_ablation.runs, train_baselines.runs: found {twice[0]!r} twice, expected other names than that of "
            "another run, or denoiser"
        )


def _check_sampler(key: str, strategy: str, objective: str, samples: tuple[str, ...]) -> None:
    kinds = {name: "map" if name in MAPS else "score" for name in SAMPLERS if name != "none"}
    if kinds.get(strategy) in (None, *samples):
        return
    fits = ", ".join(["none", *(name for name, kind in kinds.items() if kind in samples)])
    raise ValueError(
        f"{key}.strategy: found {strategy!r}, which has no effect under the objective {objective}; expected {fits}"
    )


def _check_levels(params: Params) -> None:
    noise = params.synthesize
    if noise.model == "gaussian" and noise.sigma < LEAST_MEASURED and params.benchmark.methods:
        raise ValueError(
            f"synthesize.sigma: found {noise.sigma:g}, expected at least {LEAST_MEASURED:g} where there are "
            "benchmark.methods: rounding to 256 levels hides less, and an image without error has no PSNR"
        )
    if noise.sigma_max is None:
        return
    found = f"synthesize.sigma_max: found {noise.sigma_max:g}, expected"
    if "gaussian" not in noise.model:
        raise ValueError(f"{found} null under the model {noise.model}, which has no sigma")
    if noise.sigma_max < noise.sigma:
        raise ValueError(f"{found} at least synthesize.sigma ({noise.sigma:g})")


def _check_colors(params: Params) -> None:
    if not params.train_denoiser.rotate_colors:
        return
    found = f"train_denoiser.rotate_colors: found {params.train_denoiser.rotate_colors}, expected 0"
    if "poisson" in params.synthesize.model:
        raise ValueError(f"{found} under noise that depends on brightness (synthesize.model)")
    lines = (line.objective for line in params.train_ablation.runs.values())
    for name in (params.train_denoiser.objective, *lines):
        if "source" in load_member(OBJECTIVES, name, "objective").needs:
            raise ValueError(f"{found} under {name}, which compensates the exposure of each channel by itself")


def _check_sense(params: Params) -> None:
    pairs = params.generate_pairs
    if pairs.aligner not in params.train_ian.aligners:
        known = ", ".join(params.train_ian.aligners)
        raise ValueError(f"generate_pairs.aligner: found {pairs.aligner!r}, expected one of {known}")
    if params.train_denoiser.training.crop > pairs.crop:
        raise ValueError(
            f"train_denoiser.training.crop: found {params.train_denoiser.training.crop}, "
            f"expected at most generate_pairs.crop ({pairs.crop})"
        )
    denoiser = params.train_denoiser
    least = 2 * denoiser.training.crop - 1
    if denoiser.subsample and least > pairs.crop:
        raise ValueError(
            f"train_denoiser.subsample: found {denoiser.subsample}, expected 0 where generate_pairs.crop "
            f"({pairs.crop}) is less than {least}, which every other pixel of a training's crop spans"
        )
    noise = params.synthesize
    if denoiser.last_layer == "stein" and not noise.one_gaussian:
        found = f"the model {noise.model}" + ("" if noise.sigma_max is None else " of several levels (sigma_max)")
        raise ValueError(
            f"train_denoiser.last_layer: found stein, expected auto or trained under {found}: "
            "it is for Gaussian noise of one level"
        )
    with torch.device("meta"):
        make = load_member(NETWORKS, denoiser.network, "train_denoiser.network")
        try:
            network = make(1, **denoiser.arguments)
        except ValueError as error:
            raise ValueError(f"train_denoiser.arguments: {error}") from error
    multiple = multiple_of(network)
    if denoiser.training.crop % multiple:
        raise ValueError(
            f"train_denoiser.training.crop: found {denoiser.training.crop}, expected a multiple of {multiple}, "
            f"which the network {denoiser.network} needs"
        )
    objectives = [denoiser.objective, *(run.objective for run in params.train_baselines.runs.values())]
    for name in objectives:
        reduces = load_member(OBJECTIVES, name, "objective").reduces
        if denoiser.training.crop * reduces > pairs.crop:
            raise ValueError(
                f"train_denoiser.training.crop: found {denoiser.training.crop}, expected at most "
                f"{pairs.crop // reduces} under {name}, which takes crops {reduces} times as large "
                f"(generate_pairs.crop: {pairs.crop})"
            )
    for name, source in params.ingest.sources.items():
        if {"pairs", "validation"} <= set(source.roles):
            raise ValueError(
                f"ingest.sources.{name}.roles: found both 'pairs' and 'validation', expected one of them: "
                "what is trained on cannot be held out"
            )
    if params.benchmark.methods and not params.benchmark_sets:
        raise ValueError("benchmark_sets: found none, expected at least one for benchmark.methods to be measured on")
    roles = {role for source in params.ingest.sources.values() for role in source.roles}
    if "pairs" not in roles:
        raise ValueError("ingest.sources: found no source with the role 'pairs', expected at least one")
