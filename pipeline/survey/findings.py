"""What `init` tells: what was seen of the footage, what was chosen for it, and how long the work will take."""

from self2align.noise.estimation import NoiseEstimate
from self2align.params.schema import Params
from self2align.report.contents import size_text
from self2align.survey.footage import Survey
from self2align.survey.pace import in_words, seconds
from self2align.survey.settings import Choices


def findings(seen: Survey, chosen: Choices, params: Params, profile: str) -> list[str]:
    """Return lines about the footage and its parameters."""
    times = seconds(params, seen.looks[0].frames, _scenes(seen, chosen))
    parts = ", ".join(f"{name} {in_words(value)}" for name, value in times.items())
    pairs = _scenes(seen, chosen) * chosen.targets * chosen.crops * 2
    lines = [
        f"Parameters for {seen.path}, made by `self2align init` from the profile {profile}.",
        f"Footage: {_footage(seen)}.",
        f"Motion: {seen.motion[0]:.1f} px a frame (median), {seen.motion[1]:.1f} px at the most moving twentieth.",
        *_noise(seen.noise.scaled(seen.looks[0].white / chosen.white if chosen.white else 1.0)),
        f"Held out to validate: {', '.join(chosen.held_out) or 'nothing, since there is one scene'}.",
        f"Time on this machine, as busy as it is now: about {in_words(sum(times.values()))} ({parts}), and reading "
        "and storing.",
        f"Pairs: at most {pairs}, {size_text(_store(params, seen, pairs))} of pairs.zarr before compression.",
    ]
    return [*lines, *(f"Look: {remark}." for remark in chosen.remarks)]


def _scenes(seen: Survey, chosen: Choices) -> int:
    return max(1, seen.scenes - len(chosen.held_out))


def _footage(seen: Survey) -> str:
    sizes = sorted({f"{look.height} x {look.width}" for look in seen.looks})
    bits = sorted({f"{look.bits} bits" for look in seen.looks})
    scenes = "one scene" if seen.scenes == 1 else f"{seen.scenes} scenes"
    return (
        f"{seen.kind}, {scenes} of about {seen.frames} frames, {', '.join(sizes)} px, {', '.join(bits)}, "
        f"{'gray' if seen.gray else 'RGB'}"
    )


def _noise(noise: NoiseEstimate) -> list[str]:
    kinds = {"gaussian": "read noise", "poisson": "shot noise", "poisson_gaussian": "shot and read noise"}
    shared = "one frame tells nothing of a pattern that frames share"
    if noise.fixed is not None:
        share = f"{max(noise.fixed, 0):.1%} of its variance"
        shared = f"frames share a pattern ({share})" if noise.fixed_pattern else f"frames share no pattern ({share})"
    correlated = "correlated" if noise.correlated else "not correlated"
    return [
        f"Noise: sigma {255 * noise.sigma:.3g} of 255, mostly {kinds[noise.kind]}; its variance at x is "
        f"{noise.gain:.3g} x + {noise.read:.3g}, white being 1.",
        f"Noise: {correlated} from pixel to pixel ({noise.unevenness:.2f}; white noise has 1); {shared}.",
    ]


def _store(params: Params, seen: Survey, pairs: int) -> int:
    """Return the bytes of a pair store, before compression; see `self2align.stores.pairs.table`."""
    crop, wide = params.generate_pairs.crop, params.generate_pairs.crop + 2 * params.generate_pairs.margin
    channels = 1 if seen.gray else 3
    return pairs * (channels * (crop**2 * 4 + wide**2 * 2) + crop**2 * 5)
