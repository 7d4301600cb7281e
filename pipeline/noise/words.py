"""Measured noise in one plain line."""

import numpy as np

from self2align.noise.profile import NoiseProfile

DEPENDS = 1.25  # largest over smallest deviation: less is one strength for all brightnesses
SAID = 0.03  # correlation, or share of the variance: less goes unsaid


def in_words(profile: NoiseProfile) -> str:
    """Return strength, correlation of neighbours, and what frames, rows and the sensor share, in words."""
    deviations = 255 * np.sqrt(profile.variances)
    whole = 255 * float(np.sqrt(profile.variances.mean()))
    each = deviations.mean(0)
    parts = [f"sigma {whole:.3g} of 255"]
    if each.min() * DEPENDS < each.max():
        parts[0] += f" ({each[0]:.3g} in the darkest places, {each[-1]:.3g} in the brightest)"
    if profile.least:
        parts[0] += " or more: a codec repeats noise, which looks like the scene then"
    elif profile.error:
        parts[0] += f", within {profile.error / 2:.0%}" if profile.error < 1 else ", hardly known"
    if not profile.is_shared and abs(profile.neighbour) < SAID:
        parts.append("independent from pixel to pixel")
    else:
        parts.append(f"neighbouring pixels correlate at {profile.neighbour:.2f}, up to {profile.reach} px apart")
    if profile.along.size and profile.along[0] > SAID:
        reach = int(np.sum(profile.along > SAID))
        frames = "one frame" if reach == 1 else f"{reach} frames"
        parts.append(f"a codec carries {profile.along[0]:.0%} of it to the next frame and some over {frames}")
    if profile.rows > SAID:
        parts.append(f"rows share {profile.rows:.0%} of it")
    if profile.fixed > SAID:
        parts.append(f"{profile.fixed:.0%} of it is a fixed pattern of the sensor")
    return "; ".join(parts)
