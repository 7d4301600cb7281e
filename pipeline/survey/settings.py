"""Parameters for footage: a profile, changed where what was seen of the footage asks for it."""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from self2align.alignment.dis import LEAST
from self2align.survey.footage import Survey

SAMPLE_SCENES = 10  # of the built-in sample, for which the profiles count targets and crops a scene
STORE = 4 * 2**30  # bytes of frames, before compression
FEWEST_FRAMES = 24
MARGINS = (16, 64)  # px
FARTHEST = 8  # frames
APART = 2.0  # px that the scene should move between two frames which share a pattern
SMALLEST = 96  # px: crops that the aligner can be trained on
DIM = 0.25  # of white, the brightest pixel
SHARED = 0.05  # of the noise's variance
STILL = 0.25  # px a frame
HELD_OUT = 5  # scenes at most


@dataclass(frozen=True)
class Choices:
    """What was chosen for footage.

    Attributes
    ----------
    aligner
        Key in ``train_ian.aligners``.
    offset, margin
        Frames between target and neighbour; px.
    targets, crops, crop
        Targets a scene, crops a target, px.
    max_frames
        Of a scene; None for all.
    white
        The value that stands for 1.0; None for that of the type.
    held_out
        Patterns of the scenes that validate.
    remarks
        What is odd, and what follows from it, a line each.
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


def read_profile(path: Path) -> CommentedMap:
    """Return a parameter file with its comments."""
    content = YAML().load(path.read_text(encoding="utf-8"))
    assert isinstance(content, CommentedMap)
    return content


def choose(seen: Survey, profile: CommentedMap) -> Choices:
    """Return what suits the footage.

    Raises
    ------
    ValueError
        When frames are smaller than a crop can be.
    """
    noise, side = seen.noise, min(seen.size)
    if side < LEAST:
        raise ValueError(f"{seen.path}: found frames of {side} px, expected at least {LEAST} px each way")
    most, offset = seen.motion[1], _offset(seen)
    crop = min(int(profile["generate_pairs"]["crop"]), side // 32 * 32)
    margin = min(max(-(-math.ceil(most * offset + 4) // 8) * 8, MARGINS[0]), MARGINS[1])
    targets, crops = _places(seen, profile["generate_pairs"], crop)
    room = int(STORE / (seen.scenes * math.prod(seen.size) * (1 if seen.gray else 3) * _bytes(seen)))
    max_frames = max(FEWEST_FRAMES, min(2 * targets, room))
    held_out = seen.parts[-min(HELD_OUT, max(1, len(seen.parts) // 10)) :] if len(seen.parts) > 1 else ()
    return Choices(
        aligner="dis" if noise.correlated or side < SMALLEST else "refined_dis",
        offset=offset,
        margin=margin,
        targets=targets,
        crops=crops,
        crop=crop,
        max_frames=max_frames if max_frames < seen.frames else None,
        white=_white(seen),
        held_out=held_out,
        remarks=tuple(_remarks(seen, offset)),
    )


def _offset(seen: Survey) -> int:
    """Return how many frames apart pairs are made: one, or so many that they no longer share noise."""
    usual = seen.motion[0]
    if usual < STILL:
        return 1
    if seen.noise.fixed_pattern:
        return min(FARTHEST, math.ceil(APART / usual))
    return next((lag for lag, share in seen.shared.items() if share <= SHARED), max(seen.shared))


def _places(seen: Survey, pairs: CommentedMap, crop: int) -> tuple[int, int]:
    """Return targets a scene and crops a target: in all as many crops as the profile takes from the sample."""
    usual = int(pairs["crops_per_target"])
    wanted = SAMPLE_SCENES * int(pairs["targets_per_scene"]) * usual / seen.scenes
    targets = min(seen.frames, math.ceil(wanted / usual))
    room = max(usual, 4 * math.prod(seen.size) // crop**2)
    return targets, min(max(round(wanted / targets), 2), room)


def _bytes(seen: Survey) -> int:
    return -(-max(look.bits for look in seen.looks) // 8)


def _white(seen: Survey) -> float | None:
    """Return the next power of two where the footage uses little of its type or more than it.

    Of integers it is the greatest of so many bits: a camera's white. Floats have a quarter to spare.

    What comes after takes values to be of the order of 1: confidence has a floor of a level or two of 255.
    """
    look = max(seen.looks, key=lambda look: look.brightest)
    if DIM <= look.brightest <= 1:
        return None
    brightest = look.brightest * look.white
    if look.bits == 32:
        return float(2.0 ** math.ceil(math.log2(1.25 * brightest)))
    return float(2.0 ** math.ceil(math.log2(round(brightest) + 1)) - 1)


def _remarks(seen: Survey, offset: int) -> list[str]:
    """Return what is odd about the footage, and what follows from it."""
    noise, (usual, most) = seen.noise, seen.motion
    lines = []
    if noise.correlated:
        lines.append(
            "neighbouring pixels share noise (demosaicing, compression): the aligner is dis, since the training of "
            "refined_dis takes noise to be independent from pixel to pixel, and so does leaving out every other pixel"
        )
    if noise.fixed_pattern and usual < STILL:
        lines.append(
            "frames share a pattern and the scene stands still: what both frames of a pair share cannot be removed, "
            "be it the scene or the sensor's fixed pattern; subtract a dark frame if you have one"
        )
    elif noise.fixed_pattern:
        lines.append(
            f"frames share a pattern of {noise.fixed:.0%} of the noise's variance: pairs are made {offset} frames "
            "apart, between which the scene moves and the pattern does not; a dark frame subtracted first would do more"
        )
    elif usual >= STILL and seen.shared[1] > SHARED:
        lines.append(
            f"neighbouring frames share {seen.shared[1]:.0%} of the noise's variance, as a codec or the camera's own "
            f"filter makes them: pairs are made {offset} frames apart, where it is {seen.shared[offset]:.0%}"
        )
    if most * offset + 4 > MARGINS[1]:
        lines.append(f"what moves by more than {MARGINS[1]} px from target to neighbour is left out of the training")
    if max(noise.clipped) > 0.05:
        lines.append(
            f"{max(noise.clipped):.0%} of the pixels are at an end of the range: what was cut off there is lost"
        )
    if _white(seen) is not None:
        bright = max(look.brightest for look in seen.looks)
        lines.append(
            f"the brightest pixel is {bright:.3g} of the type's white, so that 1.0 stands for {_white(seen):g}"
        )
    return lines


def apply(profile: CommentedMap, seen: Survey, chosen: Choices, threads: int) -> CommentedMap:
    """Change a profile, in place, into parameters for the footage; return it."""
    profile["ingest"]["color"] = "gray" if seen.gray else "rgb"
    profile["ingest"]["sources"] = _sources(seen, chosen)
    profile["benchmark_sets"] = CommentedMap()
    profile["benchmark_sets"].fa.set_flow_style()
    profile["synthesize"]["model"] = "none"
    aligners = profile["train_ian"]["aligners"]
    for name in [name for name in aligners if name != chosen.aligner]:
        del aligners[name]
    if chosen.aligner == "refined_dis":
        training = aligners["refined_dis"]["training"]
        training["crop"] = min(int(training["crop"]), min(seen.size) // 16 * 16)
        training["threads"] = threads
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
    # Every other pixel of noise that is correlated has another noise.
    if seen.noise.correlated or 2 * training["crop"] - 1 > chosen.crop:
        profile["train_denoiser"]["subsample"] = 0.0
    for section, key in (("train_baselines", "runs"), ("benchmark", "methods")):
        profile[section][key] = CommentedMap()
        profile[section][key].fa.set_flow_style()
    for section in list(profile)[1:]:
        profile.yaml_set_comment_before_after_key(section, before="\n")
    return profile


def written(content: CommentedMap, comment: str) -> str:
    """Return parameters as YAML, below a comment of one or more lines."""
    yaml = YAML()
    yaml.width = 1000
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    content.yaml_set_start_comment(comment + "\n")
    text = io.StringIO()
    yaml.dump(content, text)
    # Sections bring blank lines of their own, but for those that were replaced.
    return re.sub(r"\n{3,}", "\n\n", text.getvalue())


def _sources(seen: Survey, chosen: Choices) -> CommentedMap:
    path = str(seen.path.resolve())
    footage: dict[str, Any] = {"kind": seen.kind, "path": path}
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
    return sources


def _inline(items: Sequence[Any]) -> CommentedSeq:
    found = CommentedSeq(items)
    found.fa.set_flow_style()
    return found
