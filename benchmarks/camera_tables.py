"""Measurements of methods on camera clips, kept in files, and tables of them."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from camera_clips import MEASURES, Score

HEADER = ("clip", "method", "part", "frame", *MEASURES, "seconds", "settings")
FORMATS = {"psnr": ".2f", "ssim": ".3f", "blotches": ".2f"}
Row = Mapping[str, str]


class Rows:
    """Measurements in a file, a line for each clip, method, part of the frame and frame; kept over runs.

    Parameters
    ----------
    path
        CSV; written when the first is added.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._known = path, {}
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    self._keep(row)

    def _keep(self, row: Row) -> None:
        self._known.setdefault((row["clip"], row["method"]), []).append(row)

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Return whether a method, the second word, was measured on a clip, the first."""
        return key in self._known

    @property
    def methods(self) -> list[str]:
        """Return the names of all methods, in the order of the file."""
        return list(dict.fromkeys(method for _, method in self._known))

    def add(
        self,
        clip: str,
        method: str,
        scores: Mapping[tuple[str, int], Score],
        seconds: float = 0.0,
        settings: object = None,
    ) -> None:
        """Write the scores of a method, by part and frame."""
        told = [f"{seconds:.2f}", json.dumps(settings)]
        lines = [[clip, method, part, str(frame), *one.cells(), *told] for (part, frame), one in scores.items()]
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([HEADER, *lines] if new else lines)
        for line in lines:
            self._keep(dict(zip(HEADER, line, strict=True)))
        shown = [one for (part, _), one in scores.items() if part == "window"]
        means = [f"{np.mean([getattr(one, name) for one in shown]):.3f}" for name in MEASURES]
        print(f"{clip}: {method}: {' / '.join(means)}, {seconds:.2f} s a frame {told[1]}", flush=True)

    def mean(self, clip: str, method: str, part: str, measure: str, frames: Sequence[int]) -> float | None:
        """Return the mean of a measure over frames; None if one of them was not measured."""
        rows = self._known.get((clip, method), [])
        found = {int(row["frame"]): float(row[measure]) for row in rows if row["part"] == part}
        return float(np.mean([found[frame] for frame in frames])) if set(frames) <= found.keys() else None


def table_of(
    sources: Mapping[str, Rows],
    clips: Sequence[str],
    part: str,
    measure: str,
    frames: Sequence[int],
    rivals: Sequence[str],
    own: str,
) -> list[str]:
    """Return the lines of a table: a row for each clip, a column for each method that has it on all of these frames.

    Parameters
    ----------
    sources
        Method -> its measurements, in the order of columns.
    clips, part, measure, frames
        As in `Rows`; means are over the frames.
    rivals, own
        Methods, and the one that is compared with the best of them in a last column: by how much it is better. The
        best of all is bold.
    """
    better = -1 if measure == "blotches" else 1

    def mean(clip: str, method: str) -> float | None:
        return sources[method].mean(clip, method, part, measure, frames)

    methods = [method for method in sources if any(mean(clip, method) is not None for clip in clips)]
    heads = ["clip", *methods, f"{own}, better by"]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'--:|' * (len(heads) - 1)}"]
    for clip in clips:
        known = {name: value for name in methods if (value := mean(clip, name)) is not None}
        ranked = {name: better * value for name, value in known.items() if name in (*rivals, own)}
        shown = [f"{known[name]:{FORMATS[measure]}}" if name in known else "" for name in methods]
        if ranked:
            first = methods.index(max(ranked, key=lambda name: ranked[name]))
            shown[first] = f"**{shown[first]}**"
        lead = own in ranked and len(ranked) > 1
        margin = ranked[own] - max(value for name, value in ranked.items() if name != own) if lead else None
        shown.append("" if margin is None else f"{margin:+{FORMATS[measure]}}")
        title = clip.removesuffix(".mp4").replace("_crf", ", CRF ").replace("_", ", ")
        lines.append(f"| {' | '.join([title, *shown])} |")
    return lines
