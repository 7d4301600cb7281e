"""The benchmark of video in the report: its figures, ghosting, and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from self2align.evaluation.block_errors import Blocks, read_blocks
from self2align.methods.method import DENOISER, method_name
from self2align.report.inputs import VideoMethod
from self2align.report.tables import NOT_RUN, NOTHING, figure
from self2align.runtime.tables import read_json, read_rows

WORST = 0.01  # share of the blocks
LEAST = 1 / 12  # squared levels, of rounding to 8 bits; a smaller error counts as so much
Table = tuple[list[str], list[list[str]]]
TEXTS = ("set", "sequence", "sigma", "frames_sha256", "noise_sha256")


def ghosting(errors: Blocks, single: Blocks) -> float:
    """Return how much worse than single frames a method is where it does worst against them, dB.

    It is the ratio of the mean errors of both over those blocks of a sequence, one in a hundred, in which the method's
    error exceeds the single frame's most. 0 for equal results.

    Parameters
    ----------
    errors
        Of a method, for all frames of a sequence: ``(T, rows, columns)``; see `self2align.evaluation.block_errors`.
    single
        Of the denoiser of single frames, likewise.
    """
    flat, alone = (np.ravel(one).astype(np.float64) for one in (errors, single))
    worst = np.argsort(alone - flat, kind="stable")[: max(1, round(WORST * flat.size))]
    made, known = (max(float(one[worst].mean()), LEAST) for one in (flat, alone))
    return float(10 * np.log10(made / known))


@dataclass(frozen=True)
class VideoResults:
    """The figures of the benchmark of video.

    Attributes
    ----------
    figures
        Method -> set -> sigma -> ``sequences, frames, psnr, ssim, flicker``; or ``{"skipped": reason}``.
    rows
        Method -> its sequences, as text: ``set, sequence, sigma, frames, psnr, ...``.
    ghosts
        (method, set, sigma) -> ghosting, dB, mean over sequences.
    """

    figures: Mapping[str, Mapping[str, Any]]
    rows: Mapping[str, Sequence[Mapping[str, str]]]
    ghosts: Mapping[tuple[str, str, str], float]

    def tables(self) -> list[tuple[str, Table]]:
        """Return a title and a table for each set and level: PSNR, SSIM, flicker and ghosting of each method."""
        header = ["method", "PSNR, dB", "SSIM", "flicker", "ghosting, dB"]
        measured = [row for row in self.figures.values() if "skipped" not in row]
        found = []
        for test_set, sigma in dict.fromkeys((name, key) for row in measured for name in row for key in row[name]):
            sizes = next(row[test_set][sigma] for row in measured if test_set in row)
            count, frames = sizes["sequences"], sizes["frames"]
            many = f"1 sequence of {frames} frames" if count == 1 else f"{count} sequences of {frames} frames in all"
            title = f"{test_set}, sigma {sigma}, {many}"
            rows = [self._line(method, test_set, sigma) for method in self.figures]
            found.append((title, (header, rows)))
        return found

    def _line(self, method: str, test_set: str, sigma: str) -> list[str]:
        row = self.figures[method]
        if "skipped" in row:
            return [method, NOT_RUN, *[NOTHING] * 3]
        one = row.get(test_set, {}).get(sigma, {})
        cells = [figure(one.get(key), places) for key, places in (("psnr", 2), ("ssim", 3), ("flicker", 2))]
        return [method, *cells, figure(self.ghosts.get((method, test_set, sigma)), 2)]

    def details(self) -> list[tuple[str, Table]]:
        """Return titles and tables: PSNR by sequence, and what tells whether others had the same noisy frames."""
        if not any(self.rows.values()):
            return []
        known = {(name, _key(row)): row["psnr"] for name, rows in self.rows.items() for row in rows}
        keys = dict.fromkeys(_key(row) for rows in self.rows.values() for row in rows)
        scores = [
            [
                f"{test_set}/{sequence}",
                sigma,
                *(_psnr(known.get((name, (test_set, sequence, sigma)))) for name in self.rows),
            ]
            for test_set, sequence, sigma in keys
        ]
        digests = {
            f"{row['set']}/{row['sequence']}": [row["frames"], row["frames_sha256"], row["noise_sha256"]]
            for rows in self.rows.values()
            for row in rows
        }
        return [
            ("PSNR by sequence, dB", (["sequence", "sigma", *self.rows], scores)),
            (
                "SHA-256 of the clean frames, and of the noise at sigma 1",
                (["sequence", "frames", "clean", "noise"], [[name, *cells] for name, cells in digests.items()]),
            ),
        ]


def _psnr(text: str | None) -> str:
    return NOTHING if text is None else f"{float(text):.2f}"


def _key(row: Mapping[str, str]) -> tuple[str, str, str]:
    return row["set"], row["sequence"], row["sigma"]


def read_videos(folder: Path, methods: Mapping[str, VideoMethod]) -> VideoResults:
    """Return the figures that the stage `benchmark_video` left in a folder.

    Raises
    ------
    ValueError
        If a file is missing or damaged, or two methods had other frames or other noise.
    """
    figures = {name: read_json(folder / name / "metrics.json") for name in methods}
    measured = [name for name, row in figures.items() if "skipped" not in row]
    numbers = ("frames", "psnr", "ssim")
    rows = {name: read_rows(folder / name / "sequences.csv", texts=TEXTS, numbers=numbers) for name in measured}
    _check_digests(folder, rows)
    single = _singles(methods, measured)
    blocks = {name: read_blocks(folder / name / "blocks.safetensors") for name in {*single, *single.values()}}
    ghosts: dict[tuple[str, str, str], list[float]] = {}
    for name, reference in single.items():
        for row in rows[name]:
            title = "/".join(_key(row))
            pair = [blocks[one].get(title) for one in (name, reference)]
            if pair[0] is not None and pair[1] is not None and pair[0].shape == pair[1].shape:
                ghosts.setdefault((name, row["set"], row["sigma"]), []).append(ghosting(pair[0], pair[1]))
    return VideoResults(figures, rows, {key: float(np.mean(values)) for key, values in ghosts.items()})


def _singles(methods: Mapping[str, VideoMethod], measured: Sequence[str]) -> dict[str, str]:
    """Return for each measured row with neighbours the row of single frames to compare with.

    It is that of the same weights, or else the first one of weights.
    """
    alone = [name for name in measured if method_name(methods[name].file) == DENOISER and not methods[name].temporal]
    several = [name for name in measured if methods[name].temporal]
    same = {methods[name].file: name for name in reversed(alone)}
    return {name: same.get(methods[name].file, alone[0]) for name in several if alone}


def _check_digests(folder: Path, rows: Mapping[str, Sequence[Mapping[str, str]]]) -> None:
    known: dict[tuple[str, str], tuple[tuple[str, str], str]] = {}
    for name, lines in rows.items():
        for line in lines:
            digests = line["frames_sha256"], line["noise_sha256"]
            first = known.setdefault((line["set"], line["sequence"]), (digests, name))
            if first[0] != digests:
                raise ValueError(
                    f"{folder / name}: found other frames or noise for {line['set']}/{line['sequence']} than in "
                    f"{first[1]}, expected the same; `dvc repro` measures them again"
                )
