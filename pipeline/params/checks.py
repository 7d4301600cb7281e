"""Checks that the types cannot express: known members of families, and values that must fit each other."""

import torch

from self2align.alignment import ALIGNERS, LOSSES
from self2align.alignment.aligner import is_trainable
from self2align.methods.method import DENOISER, load_method, method_name
from self2align.networks import NETWORKS
from self2align.networks.network import build_network, multiple_of
from self2align.noise import NOISE
from self2align.noise.model import CAMERA
from self2align.objectives import OBJECTIVES
from self2align.objectives.objective import Objective
from self2align.params.schema import MethodParams, Params
from self2align.runtime.families import check_arguments, load
from self2align.samplers import SAMPLERS
from self2align.samplers.sampler import load_sampler
from self2align.sources import SOURCES

LEAST_MEASURED = 0.25  # sigma on the scale 0 to 255


def check(params: Params) -> None:
    """Check a parameter file whose values have the right types.

    Raises
    ------
    ValueError
        For the first wrong value: key, what was found, what was expected.
    """
    _check_sources(params)
    _check_noise(params)
    _check_aligners(params)
    _check_objectives(params)
    _check_network(params)
    _check_augmentation(params)
    _check_crops(params)
    _check_benchmark(params)
    _check_video(params)


def _objective(name: str, key: str = "objective") -> Objective:
    objective: Objective = load(OBJECTIVES, name, key)
    return objective


def _check_sources(params: Params) -> None:
    for name, source in params.ingest.sources.items():
        load(SOURCES, source.kind, f"ingest.sources.{name}.kind")
        if {"pairs", "validation"} <= set(source.roles):
            raise ValueError(
                f"ingest.sources.{name}.roles: found both 'pairs' and 'validation', expected one of them: training "
                "frames cannot be held out"
            )
    for name, test_set in params.benchmark_sets.items():
        load(SOURCES, test_set.kind, f"benchmark_sets.{name}.kind")
    for name, videos in params.benchmark_videos.items():
        load(SOURCES, videos.kind, f"benchmark_videos.{name}.kind")
    if "pairs" not in {role for source in params.ingest.sources.values() for role in source.roles}:
        raise ValueError("ingest.sources: found no source with the role 'pairs', expected at least one")


def _check_noise(params: Params) -> None:
    noise = params.synthesize
    if noise.camera:  # a section that waits for its model is no less wrong
        check_arguments(load(NOISE, CAMERA, "synthesize.model"), noise.camera, "synthesize.camera")
    model = noise.settings().at()
    if noise.fixed_pattern is not None and not model.measured:
        raise ValueError(
            f"synthesize.fixed_pattern: found {noise.fixed_pattern!r} under the model {noise.model}, expected null: "
            "only frames that a sensor made have a fixed pattern (none, camera)"
        )
    gaussian = model.uses_sigma and not model.signal_dependent
    tested = params.benchmark_noise().sigma
    if gaussian and tested < LEAST_MEASURED and params.benchmark.methods:
        key = "synthesize.sigma" if params.benchmark.sigma is None else "benchmark.sigma"
        raise ValueError(
            f"{key}: found {tested:g}, expected at least {LEAST_MEASURED:g} with benchmark.methods: "
            "rounding to 256 levels removes less noise, and an image without error has no PSNR"
        )
    if noise.sigma_max is not None and noise.sigma_max < noise.sigma:
        raise ValueError(
            f"synthesize.sigma_max: found {noise.sigma_max:g}, expected at least synthesize.sigma ({noise.sigma:g})"
        )
    if noise.peak_max is not None and noise.peak_max < noise.peak:
        raise ValueError(
            f"synthesize.peak_max: found {noise.peak_max:g}, expected at least synthesize.peak ({noise.peak:g})"
        )


def _check_aligners(params: Params) -> None:
    for name, aligner in params.train_ian.aligners.items():
        key = f"train_ian.aligners.{name}"
        member = load(ALIGNERS, aligner.kind, f"{key}.kind")
        check_arguments(member, aligner.arguments, f"{key}.arguments")
        trainable, trained = is_trainable(member), aligner.training is not None
        # Starting weights serve as they are, too.
        if trained != trainable and not (trainable and aligner.init is not None):
            found, expected = ("null", "a training section, or init") if trainable else ("a training section", "null")
            raise ValueError(f"{key}.training: found {found}, expected {expected} for the kind {aligner.kind}")
        if trained:
            load(LOSSES, aligner.loss, f"{key}.loss")
        elif aligner.loss != "none":
            raise ValueError(f"{key}.loss: found {aligner.loss!r}, expected none: {name} is not trained")
        if aligner.init is not None and not trainable:
            raise ValueError(f"{key}.init: found {aligner.init!r}, expected null: {aligner.kind} has no weights")
    chosen, known = params.generate_pairs.aligner, params.train_ian.aligners
    if chosen not in known:
        raise ValueError(f"generate_pairs.aligner: found {chosen!r}, expected one of {', '.join(sorted(known))}")


def _check_objectives(params: Params) -> None:
    denoiser = params.train_denoiser
    load_sampler(params.sampler.strategy)
    objective = _objective(denoiser.objective, "train_denoiser.objective")
    if objective.supervised:
        raise ValueError(
            f"train_denoiser.objective: found {denoiser.objective!r}, which needs clean frames; "
            "expected an objective on noisy pairs (baselines go under train_baselines.runs)"
        )
    lines = [("train_denoiser", denoiser.objective)]
    lines += [(f"train_ablation.runs.{name}", line.objective) for name, line in params.train_ablation.runs.items()]
    for key, name in lines:
        if not denoiser.normalise and _objective(name, f"{key}.objective").levelled:
            raise ValueError(f"{key}.objective: found {name!r}, expected another one unless train_denoiser.normalise")
    _check_sampler("sampler", params.sampler.strategy, denoiser.objective)
    for name, line in params.train_ablation.runs.items():
        key = f"train_ablation.runs.{name}"
        if not _objective(line.objective, f"{key}.objective").aligned:
            raise ValueError(
                f"{key}.objective: found {line.objective!r}, expected an objective on aligned pairs "
                "(others go under train_baselines.runs)"
            )
        load_sampler(line.strategy, f"{key}.strategy")
        _check_sampler(key, line.strategy, line.objective)
    for name, run in params.train_baselines.runs.items():
        key = f"train_baselines.runs.{name}.objective"
        if _objective(run.objective, key).aligned:
            raise ValueError(
                f"{key}: found {run.objective!r}, which trains on aligned pairs; expected a baseline on single, "
                "clean or perfectly paired frames (others go under train_ablation.runs)"
            )
    names = ["denoiser", *params.train_ablation.runs, *params.train_baselines.runs]
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise ValueError(
            f"train_ablation.runs, train_baselines.runs: found {repeated[0]!r} twice, expected unique names other than "
            "'denoiser'"
        )


def _check_sampler(key: str, strategy: str, objective: str) -> None:
    effective = _objective(objective).samples
    kind = load_sampler(strategy).kind
    if kind in ("none", *effective):
        return
    fitting = [name for name in SAMPLERS if load_sampler(name).kind in ("none", *effective)]
    raise ValueError(
        f"{key}.strategy: found {strategy!r}, which has no effect under the objective {objective}; "
        f"expected one of {', '.join(fitting)}"
    )


def _check_network(params: Params) -> None:
    denoiser = params.train_denoiser
    member = load(NETWORKS, denoiser.network, "train_denoiser.network")
    try:
        check_arguments(member, denoiser.arguments, "train_denoiser.arguments")
    except ValueError as error:
        raise ValueError(f"{error} (train_denoiser.network is {denoiser.network})") from error
    try:
        with torch.device("meta"):
            multiple = multiple_of(build_network(denoiser.network, 1, denoiser.arguments))
    except ValueError as error:
        raise ValueError(f"train_denoiser.arguments: {error}") from error
    if denoiser.training.crop % multiple:
        raise ValueError(
            f"train_denoiser.training.crop: found {denoiser.training.crop}, expected a multiple of {multiple}, "
            f"which the network {denoiser.network} needs"
        )
    noise = params.synthesize.settings()
    if denoiser.last_layer == "stein" and not (noise.gaussian if denoiser.normalise else noise.one_gaussian):
        levels = "" if noise.sigma_max is None else " of several levels (sigma_max)"
        raise ValueError(
            f"train_denoiser.last_layer: found stein, expected auto or trained under the model {noise.model}{levels}: "
            "stein is for Gaussian noise, of one level unless train_denoiser.normalise is true"
        )


def _check_augmentation(params: Params) -> None:
    share = params.train_denoiser.rotate_colors
    if not share:
        return
    found = f"train_denoiser.rotate_colors: found {share}, expected 0"
    if params.synthesize.settings().at().signal_dependent:
        raise ValueError(f"{found} under noise that depends on brightness (synthesize.model)")
    lines = (line.objective for line in params.train_ablation.runs.values())
    for name in (params.train_denoiser.objective, *lines):
        if "source" in _objective(name).needs:
            raise ValueError(f"{found} under {name}, which compensates the exposure of each channel separately")


def _check_crops(params: Params) -> None:
    denoiser, available = params.train_denoiser, params.generate_pairs.crop
    crop = denoiser.training.crop
    if crop > available:
        raise ValueError(
            f"train_denoiser.training.crop: found {crop}, expected at most generate_pairs.crop ({available})"
        )
    if denoiser.subsample and 2 * crop - 1 > available:
        raise ValueError(
            f"train_denoiser.subsample: found {denoiser.subsample}, expected 0 where generate_pairs.crop "
            f"({available}) is less than {2 * crop - 1}, the span of every other pixel of a training crop"
        )
    for name in (denoiser.objective, *(run.objective for run in params.train_baselines.runs.values())):
        downscale = _objective(name).downscale
        if crop * downscale > available:
            raise ValueError(
                f"train_denoiser.training.crop: found {crop}, expected at most {available // downscale} under {name}, "
                f"which takes crops {downscale} times as large (generate_pairs.crop: {available})"
            )


def _check_benchmark(params: Params) -> None:
    for name, row in params.benchmark.methods.items():
        _check_method(f"benchmark.methods.{name}", row)
    if params.benchmark.methods and not params.benchmark_sets:
        raise ValueError("benchmark_sets: found none, expected at least one for benchmark.methods")


def _check_method(key: str, row: MethodParams) -> bool:
    """Check one row of a benchmark; return whether its file is weights."""
    try:
        method = method_name(row.file)
    except ValueError as error:
        raise ValueError(f"{key}.file: {error}") from error
    if method == DENOISER:
        if row.arguments:
            raise ValueError(f"{key}.arguments: found {row.arguments}, expected none for weights")
        return True
    check_arguments(load_method(method).denoise, row.arguments, f"{key}.arguments")
    return False


def _check_video(params: Params) -> None:
    video, known = params.benchmark_video, params.train_ian.aligners
    if len(set(video.sigma)) < len(video.sigma):
        raise ValueError(f"benchmark_video.sigma: found {video.sigma}, expected each level once")
    for name, row in video.methods.items():
        key = f"benchmark_video.methods.{name}"
        weights = _check_method(key, row)
        for option, value, rest in (("temporal", row.temporal, 0), ("aligner", row.aligner, None)):
            if value and not weights:
                raise ValueError(
                    f"{key}.{option}: found {value!r}, expected {rest}: {row.file} sees one frame at a time"
                )
        if row.told and not weights:
            raise ValueError(f"{key}.told: found true, expected false: a method is always told the level")
        if row.aligner is not None and not row.temporal:
            raise ValueError(f"{key}.aligner: found {row.aligner!r}, expected null with temporal 0")
        if row.aligner is not None and row.aligner not in known:
            raise ValueError(f"{key}.aligner: found {row.aligner!r}, expected one of {', '.join(sorted(known))}")
    if video.methods and not params.benchmark_videos:
        raise ValueError("benchmark_videos: found none, expected at least one for benchmark_video.methods")
