"""Parameters for footage: a profile, with the values that the survey decides."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from self2align.alignment.dis import LEAST
from self2align.survey.footage import FootageSurvey

SAMPLE_SCENES = 10  # scenes of the built-in sample; the profiles state targets and crops for these
FRAME_STORE = 4 * 2**30  # bytes of stored frames, before compression
MIN_FRAMES = 24  # frames per scene
MARGINS = (16, 64)  # least and largest margin, px
MAX_OFFSET = 8  # frames
PATTERN_MOTION = 2.0  # px that the scene should move between frames that share a pattern
MIN_TRAINABLE = 96  # px: the smallest crops that the default aligner trains on
# Of starts/: an aligner trained on white noise and on that of cameras. It serves as it is: of the weights that were
# trained on white noise alone, more training on the footage itself gained nothing (docs/decisions/alignment.md).
MOTION = "davis_motion"
CAMERA = "davis_camera"  # a denoiser of RGB
SHORTER, ADAPTING_RATE = 3, 3e-4  # so many times fewer steps from there, and at which learning rate
DIM = 0.25  # of white: a brightest pixel below this asks for another white
SHARED_NOISE = 0.05  # of the noise's variance: frames that share more are not paired
STILL = 0.25  # px per frame: less counts as no motion
MAX_HELD_OUT = 5  # scenes


@dataclass(frozen=True)
class Choices:
    """Values chosen for footage.

    Attributes
    ----------
    aligner
        Key in ``train_ian.aligners``.
    offset
        Frames between target and neighbour.
    margin
        px around a crop.
    targets, crops, crop
        Targets per scene, crops per target, size of a crop in px.
    max_frames
        Frames per scene; None for all.
    white
        The value that stands for 1.0; None for the default of the data type.
    held_out
        Patterns of the validation scenes.
    remarks
        Unusual properties of the footage and what follows from them, one line each.
    """

    aligner: str
    offset: int
    margin: int
    targets: int
    crops: int
    crop: int
    max_frames: int | None
    white: float | None
    held_out: tuple[str, ...]
    remarks: tuple[str, ...]


def choose(survey: FootageSurvey, profile: CommentedMap) -> Choices:
    """Return the values that suit the footage.

    Raises
    ------
    ValueError
        If frames are smaller than the smallest possible crop.
    """
    side = min(survey.size)
    if side < LEAST:
        raise ValueError(f"{survey.path}: found frames of {side} px, expected at least {LEAST} px each way")
    largest, offset = survey.motion[1], _offset(survey)
    crop = min(int(profile["generate_pairs"]["crop"]), side // 32 * 32)
    margin = min(max(-(-math.ceil(largest * offset + 4) // 8) * 8, MARGINS[0]), MARGINS[1])
    targets, crops = _targets_and_crops(survey, profile["generate_pairs"], crop)
    frame = math.prod(survey.size) * (1 if survey.gray else 3) * _bytes_per_value(survey)
    max_frames = max(MIN_FRAMES, min(2 * targets, int(FRAME_STORE / (survey.scenes * frame))))
    held_out: tuple[str, ...] = ()
    if len(survey.parts) > 1:
        held_out = survey.parts[-min(MAX_HELD_OUT, max(1, len(survey.parts) // 10)) :]
    return Choices(
        aligner="dis" if side < MIN_TRAINABLE else "refined_dis",
        offset=offset,
        margin=margin,
        targets=targets,
        crops=crops,
        crop=crop,
        max_frames=max_frames if max_frames < survey.frames else None,
        white=_white(survey),
        held_out=held_out,
        remarks=tuple(_remarks(survey, offset)),
    )


def _offset(survey: FootageSurvey) -> int:
    """Return the frames between target and neighbour: 1, or as many as it takes until they share no noise."""
    usual = survey.motion[0]
    if usual < STILL:
        return 1
    if survey.noise.fixed_pattern:
        return min(MAX_OFFSET, math.ceil(PATTERN_MOTION / usual))
    return next((lag for lag, share in survey.shared.items() if share <= SHARED_NOISE), max(survey.shared))


def _targets_and_crops(survey: FootageSurvey, pairs: CommentedMap, crop: int) -> tuple[int, int]:
    """Return targets per scene and crops per target; in total as many crops as the profile takes from the sample."""
    usual = int(pairs["crops_per_target"])
    total = SAMPLE_SCENES * int(pairs["targets_per_scene"]) * usual / survey.scenes
    targets = min(survey.frames, math.ceil(total / usual))
    most = max(usual, 4 * math.prod(survey.size) // crop**2)
    return targets, min(max(round(total / targets), 2), most)


def _bytes_per_value(survey: FootageSurvey) -> int:
    return 2 if survey.kind == "video" else -(-max(scene.bits for scene in survey.surveyed) // 8)


def _white(survey: FootageSurvey) -> float | None:
    """Return another white for footage that uses little of its type's range, or exceeds it; else None.

    It is the next power of two: for integers the largest value of that many bits, which is the white of a camera; for
    floats with a quarter to spare. Later stages expect values of the order of 1: confidence has a floor of one or two
    levels of 255.
    """
    scene = max(survey.surveyed, key=lambda scene: scene.brightest)
    # Video is stored with what it has above white.
    if scene.brightest >= DIM and (scene.brightest <= 1 or survey.kind == "video"):
        return None
    brightest = scene.brightest * scene.white
    if scene.bits == 32:
        return float(2.0 ** math.ceil(math.log2(1.25 * brightest)))
    return float(2.0 ** math.ceil(math.log2(round(brightest) + 1)) - 1)


def _remarks(survey: FootageSurvey, offset: int) -> list[str]:
    """Return unusual properties of the footage and what follows from them."""
    noise, (usual, largest) = survey.noise, survey.motion
    lines = list(survey.told)
    lines += [f"{scene.name}: {scene.evidence.note}" for scene in survey.surveyed if scene.evidence.note]
    outliers = sum(scene.outliers for scene in survey.surveyed)
    if outliers:
        lines.append(
            f"{outliers} values lie far beyond all others (hot pixels, cosmic rays): they do not count for white, and "
            "are filled from around them for training"
        )
    if any(scene.interlaced for scene in survey.surveyed):
        lines.append(
            "frames are interlaced: lines of two moments alternate. They are aligned as whole frames, which fails "
            "where things move. Deinterlace the footage first, one frame for each field (`ffmpeg -i IN -vf bwdif OUT`)"
        )
    if noise.correlated:
        lines.append(
            "neighbouring pixels share noise (demosaicing, compression). The aligner is one that was trained on such "
            f"noise (init: {MOTION})"
            + (
                ""
                if survey.gray
                else f", and the training of the denoiser starts from one as well (init: {CAMERA}), which denoises "
                f"without training (--weights starts/{CAMERA}.safetensors)"
            )
        )
    if noise.fixed_pattern and usual < STILL:
        lines.append(
            "frames share a pattern and the scene does not move. Training cannot remove what both frames of a pair "
            "share, and a still scene cannot be told from a fixed pattern of the sensor. A dark frame takes that off: "
            "synthesize.fixed_pattern, and denoise --fixed-pattern"
        )
    elif noise.fixed_pattern:
        lines.append(
            f"frames share a pattern of {noise.fixed:.0%} of the noise's variance. Pairs are {offset} frames apart: "
            f"the scene moves between them, the pattern does not. It can be taken off: self2align pattern "
            f"{survey.path} pattern.npz; or take a dark frame (synthesize.fixed_pattern, denoise --fixed-pattern)"
        )
    elif usual >= STILL and survey.shared[1] > SHARED_NOISE:
        lines.append(
            f"neighbouring frames share {survey.shared[1]:.0%} of the noise's variance, as a codec or an in-camera "
            f"filter causes it. Pairs are {offset} frames apart, where the share is {survey.shared[offset]:.0%}"
        )
    if largest * offset + 4 > MARGINS[1]:
        lines.append(
            f"some pixels move by more than {MARGINS[1]} px between target and neighbour; training leaves them out"
        )
    if max(noise.clipped) > 0.05:
        lines.append(f"{max(noise.clipped):.0%} of the pixels are clipped; detail there is lost")
    white = _white(survey)
    if white is not None:
        brightest = max(scene.brightest for scene in survey.surveyed)
        lines.append(f"the brightest pixel is {brightest:.3g} of the type's white. white: {white:g}")
    return lines


def apply(profile: CommentedMap, survey: FootageSurvey, chosen: Choices, threads: int) -> CommentedMap:
    """Change a profile, in place, into parameters for the footage; return it.

    Parameters
    ----------
    profile
        From `read_profile`.
    survey, chosen
        The footage, and the values for it.
    threads
        CPU threads of the trainings.
    """
    profile["ingest"]["color"] = "gray" if survey.gray else "rgb"
    profile["ingest"]["sources"] = _sources(survey, chosen)
    profile["benchmark_sets"] = _empty()
    profile["benchmark_videos"] = _empty()
    profile["synthesize"].update(model="none", sigma_max=None)
    profile["benchmark"]["sigma"] = None
    aligners = profile["train_ian"]["aligners"]
    for name in [name for name in aligners if name != chosen.aligner]:
        del aligners[name]
    if chosen.aligner == "refined_dis":
        training = aligners["refined_dis"]["training"]
        training["crop"] = min(int(training["crop"]), min(survey.size) // 16 * 16)
        training["threads"] = threads
        if survey.noise.correlated:
            aligners["refined_dis"].update(init=MOTION, loss="none", training=None)
            aligners["refined_dis"].ca.items.pop("loss", None)  # the comment on the loss
    profile["generate_pairs"].update(
        aligner=chosen.aligner,
        offsets=_inline([chosen.offset]),
        targets_per_scene=chosen.targets,
        crops_per_target=chosen.crops,
        crop=chosen.crop,
        margin=chosen.margin,
    )
    training = profile["train_denoiser"]["training"]
    training["crop"], training["threads"] = min(int(training["crop"]), chosen.crop), threads
    if survey.noise.correlated:
        if not survey.gray:
            profile["train_denoiser"]["init"] = CAMERA
            training.update(steps=int(training["steps"]) // SHORTER, learning_rate=ADAPTING_RATE)
    elif survey.noise.kind != "gaussian":
        # The noise that recorrupted_neighbours adds is Gaussian.
        profile["train_denoiser"]["objective"] = "aligned_neighbours"
    if 2 * training["crop"] - 1 > chosen.crop:
        profile["train_denoiser"]["subsample"] = 0.0
    for section, key in (("train_baselines", "runs"), ("benchmark", "methods"), ("benchmark_video", "methods")):
        profile[section][key] = _empty()
    for section in list(profile)[1:]:
        profile.yaml_set_comment_before_after_key(section, before="\n")
    return profile


def _sources(survey: FootageSurvey, chosen: Choices) -> CommentedMap:
    path = str(survey.path.resolve())
    footage: dict[str, Any] = {"kind": survey.kind, "path": path}
    held_out = CommentedMap(footage)
    if chosen.held_out:
        footage |= {"glob": _inline(["*"]), "exclude": _inline(chosen.held_out)}
        held_out |= {"glob": _inline(chosen.held_out), "roles": _inline(["validation"])}
    footage["roles"] = _inline(["align", "pairs"])
    sources = CommentedMap({"footage": CommentedMap(footage)})
    if chosen.held_out:
        sources["held_out"] = held_out
    for source in sources.values():
        if chosen.max_frames is not None:
            source["max_frames"] = chosen.max_frames
        if chosen.white is not None:
            source["white"] = chosen.white
        if survey.axes is not None:
            source["axes"] = survey.axes
        if survey.skip_damaged:
            source["skip_damaged"] = True
    return sources


def _empty() -> CommentedMap:
    mapping = CommentedMap()
    mapping.fa.set_flow_style()
    return mapping


def _inline(items: Sequence[Any]) -> CommentedSeq:
    sequence = CommentedSeq(items)
    sequence.fa.set_flow_style()
    return sequence
