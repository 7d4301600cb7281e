"""measure_noise: the noise of each scene, as it is known or measured between aligned frames."""

from pathlib import Path
from typing import Annotated

from typer import Option

SHOWN = 20  # scenes, as lines


def measure_noise(
    noisy: Annotated[Path, Option(help="Store of noisy frames.")],
    out: Annotated[Path, Option(help="File to write (.json).")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Measure noise by brightness and channel, over neighbouring pixels and channels, along the motion, and in rows."""
    from self2align.measuring.scenes import measure_scenes
    from self2align.noise.profiles import save_profiles
    from self2align.noise.words import in_words
    from self2align.params.loading import load
    from self2align.stages.screen import bar, say

    chosen = load(params)
    with bar("measuring noise") as progress:
        profiles = measure_scenes(noisy, chosen.measure_noise.targets, progress)
    save_profiles(out, profiles)
    for title, profile in list(profiles.items())[:SHOWN]:
        say(f"{title}: {in_words(profile)}")
