"""The report of `init`: the survey of the footage, the values chosen for it, and the computing time."""

import shlex

from self2align.media.containers import ANY, CONTAINERS
from self2align.noise.estimation.estimate import NoiseEstimate
from self2align.noise.profile import NoiseProfile
from self2align.noise.words import in_words
from self2align.params.schema import Params
from self2align.report.contents import size_text
from self2align.survey.footage import FootageSurvey
from self2align.survey.pace import duration_text, seconds, together
from self2align.survey.settings import CAMERA, Choices
from self2align.survey.unread import unread_note

RESOLVED = 1.2  # times the variance of rounding: less is no noise
LOOK = 4  # frames of the preview that is proposed
UNSURE = 0.2  # relative error of sigma: with more, its kind cannot be told


def findings(survey: FootageSurvey, chosen: Choices, params: Params, profile: str) -> list[str]:
    """Return lines about the footage and its parameters.

    Parameters
    ----------
    survey, chosen
        The footage, and the values for it.
    params
        The parameters with these values.
    profile
        Name of the profile that they come from.
    """
    first, scenes = survey.surveyed[0], max(1, survey.scenes - len(chosen.held_out))
    times = seconds(params, first.frames, scenes)
    parts = ", ".join(f"{name} {duration_text(value)}" for name, value in times.items())
    pairs = scenes * chosen.targets * chosen.crops * 2
    lines = [
        f"Parameters for {survey.path}, made by `self2align init` from the profile {profile}.",
        f"Footage: {_footage(survey)}.",
        f"Motion: {survey.motion[0]:.1f} px per frame (median), {survey.motion[1]:.1f} px (95 % quantile).",
        *_noise(survey.noise.scaled(first.white / chosen.white if chosen.white else 1.0), survey.profile),
        f"Held out for validation: {', '.join(chosen.held_out) or 'nothing, because there is only one scene'}.",
        f"Time on this machine: about {duration_text(together(times.values()))} ({parts}), plus reading and storing. "
        "Of a range the lower end is without other work on it, the upper end under its current load.",
        f"Pairs: at most {pairs}, {size_text(_store(params, survey, pairs))} in pairs.zarr before compression.",
    ]
    unread = unread_note(survey.kind, survey.path)
    remarks = [*chosen.remarks, *([unread] if unread else [])]
    return [*lines, *(f"Note: {remark}." for remark in remarks)]


def first_look(survey: FootageSurvey) -> str:
    """Return a line with the command that shows some denoised frames, which takes seconds, before all are denoised."""
    suffix = survey.path.suffix.lower()
    if survey.path.is_file() or survey.kind == "array":
        suffix = suffix if survey.kind != "video" or suffix in CONTAINERS else ANY
    else:
        suffix = ""  # a folder of files
    command = f"self2align denoise {shlex.quote(str(survey.path.resolve()))} clean{suffix} --preview {LOOK}"
    if survey.noise.correlated and not survey.gray:
        return f"to try first, before that: {command} --weights starts/{CAMERA}.safetensors"
    return f"to try first, after that: {command}"


def _footage(survey: FootageSurvey) -> str:
    sizes = sorted({f"{scene.height} x {scene.width}" for scene in survey.surveyed})
    bits = sorted({f"{scene.bits} bits" for scene in survey.surveyed})
    scenes = "one scene" if survey.scenes == 1 else f"{survey.scenes} scenes"
    return (
        f"{survey.kind}, {scenes} of about {survey.frames} frames, {', '.join(sizes)} px, {', '.join(bits)}, "
        f"{'gray' if survey.gray else 'RGB'}"
    )


def _noise(noise: NoiseEstimate, profile: NoiseProfile | None = None) -> list[str]:
    """Return what is known of the noise: between aligned frames where that was measured, else by flat places."""
    kinds = {"gaussian": "read noise", "poisson": "shot noise", "poisson_gaussian": "shot and read noise"}
    pattern = "a pattern that frames share cannot be measured from one frame"
    if noise.fixed is not None:
        share = f"{max(noise.fixed, 0):.1%} of its variance"
        pattern = f"frames share a pattern ({share})" if noise.fixed_pattern else f"frames share no pattern ({share})"
    correlated = "correlated" if noise.correlated else "not correlated"
    if noise.sigma**2 <= RESOLVED * noise.rounding or not noise.sigma:
        return [
            f"Noise: none beyond the rounding of values (sigma {255 * noise.sigma:.3g} of 255): nothing to train on."
        ]
    if profile is not None:
        # Flat places of single frames show less of noise that pixels share.
        return [f"Noise, between aligned frames: {in_words(profile)}; {pattern}."]
    kind = f"mostly {kinds[noise.kind]}" if noise.error < UNSURE else "of a kind that cannot be told"
    doubt = "" if noise.certain or noise.correlated else f" (within {noise.error:.0%})"
    return [
        f"Noise: sigma {255 * noise.sigma:.3g} of 255{doubt}, {kind}; variance at value x (white "
        f"is 1): {noise.gain:.3g} x + {noise.read:.3g}.",
        f"Noise: {correlated} from pixel to pixel ({noise.unevenness:.2f}; white noise has 1); {pattern}.",
    ]


def _store(params: Params, survey: FootageSurvey, pairs: int) -> int:
    """Return the size of a pair store before compression, in bytes; see `self2align.stores.pairs.table`."""
    crop, wide = params.generate_pairs.crop, params.generate_pairs.crop + 2 * params.generate_pairs.margin
    channels = 1 if survey.gray else 3
    return pairs * (channels * (crop**2 * 4 + wide**2 * 2) + crop**2 * 5)
