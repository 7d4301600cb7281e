"""Videos: as many frames as FFmpeg decodes, of which it has nothing to complain, or a refusal."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.survey.footage import survey_footage
from tests.bytes import judges
from tests.bytes.outcomes import Outcome, attempt
from tests.bytes.pictures import frames_of, mutated, network


def film_case(group: str, draw: np.random.Generator, folder: Path) -> Iterator[Outcome]:
    source, whole = mutated(group, draw, folder)
    data, result = source.read_bytes(), folder / "out.mkv"
    run = network(3)

    def judged(frames: list[NDArray[Any]], notes: list[str]) -> str:
        wanted, complaint = judges.film_frames(source)
        before = _before(whole, source.suffix)
        if len(frames) != len(wanted):
            return f"{len(frames)} frames, {len(wanted)} by FFmpeg ({complaint})"
        # What FFmpeg complains of may lie beside the frames.
        same = len(wanted) == len(before) and all(map(np.array_equal, wanted, before))
        if complaint and not same and not any("damage" in note for note in notes):
            return f"FFmpeg says without a word of ours: {complaint}"
        if whole.startswith(data) and len(frames) < len(before) and source.suffix != ".y4m":
            return f"{len(frames)} of {len(before)} frames of a file that is cut short"
        return ""

    def denoised(_: Any) -> str:
        frames, _complaint = judges.film_frames(result)
        return judged(frames, run.notes)

    yield attempt("denoise", lambda: run(source, result, sigma=3.0, codec="ffv1"), denoised, str(source), result)
    yield attempt("train video", lambda: frames_of("video", source), lambda frames: judged(frames, []), str(source))
    if draw.random() < 0.25:
        yield attempt("survey", lambda: survey_footage(source), lambda _: "", str(source))


@cache
def _before(whole: bytes, suffix: str) -> list[NDArray[Any]]:
    """Return the frames of a file before it was mutated."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"whole{suffix}"
        path.write_bytes(whole)
        return judges.film_frames(path)[0]
