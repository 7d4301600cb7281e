"""The file in which the noise of scenes is kept: JSON, a profile for each scene by its title."""

import json
from collections.abc import Mapping
from pathlib import Path

from self2align.noise.profile import NoiseProfile
from self2align.runtime.scratch import write_atomically


def save_profiles(path: Path, profiles: Mapping[str, NoiseProfile]) -> None:
    """Write the noise of scenes."""
    write_atomically(path, json.dumps({title: one.record() for title, one in profiles.items()}, indent=1).encode())


def load_profiles(path: Path) -> dict[str, NoiseProfile]:
    """Return the noise of scenes by title.

    Raises
    ------
    ValueError
        If the file holds none.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        return {str(title): NoiseProfile.recorded(one) for title, one in records.items()}
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: found no noise of scenes ({error}), expected what measure_noise writes") from error
