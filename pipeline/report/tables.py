"""Tables of figures as rows of text, for Markdown and for the terminal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOTHING = "–"  # noqa: RUF001
NOT_RUN = "not run"
Mark = Callable[[str], str]


def bold(text: str) -> str:
    """Return a text in bold, in Markdown."""
    return f"**{text}**"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown: the first column left-aligned, the others right-aligned."""
    marks = ["---", *["--:"] * (len(header) - 1)]
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (header, marks, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(value: float | None, places: int) -> str:
    """Return a number with ``places`` decimals; a dash for None."""
    return NOTHING if value is None else f"{value:.{places}f}"


def gain(value: float, reference: float) -> str:
    """Return the signed difference of two numbers, each rounded to two decimals as in the table."""
    return f"{round(value, 2) - round(reference, 2):+.2f}"


def skipped_lines(results: Mapping[str, Any]) -> list[str]:
    """Return a line for each of some results that did not run, with the reason."""
    return [
        f"- {name}: {NOT_RUN}: {row['skipped']}"
        for name, row in results.items()
        if isinstance(row, Mapping) and "skipped" in row
    ]


def benchmark_table(
    results: Mapping[str, Mapping[str, Any]], sets: Sequence[str], noisy: str | None, mark: Mark = bold
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of Table 1: PSNR and SSIM of every method on every set.

    Parameters
    ----------
    results
        Method -> set -> ``psnr`` (dB) and ``ssim``; or ``{"skipped": reason}``.
    sets
        In order.
    noisy
        The method that gains are relative to; None for no gains.
    mark
        Highlights the best value of each column; values that look equal are both the best.
    """
    measured = {method: row for method, row in results.items() if "skipped" not in row}
    reference = measured.get(noisy or "")
    header = ["method"]
    for name in sets:
        header += [f"{name}, PSNR / SSIM", *([f"over {noisy}, dB"] if reference else [])]
    best = {
        (name, key): max((round(row[name][key], places) for row in measured.values() if name in row), default=0.0)
        for name in sets
        for key, places in (("psnr", 2), ("ssim", 3))
    }
    rows = []
    for method, row in results.items():
        line = [method]
        for name in sets:
            found = row.get(name)
            cells = (
                [
                    figure(found[key], places)
                    if round(found[key], places) < best[name, key]
                    else mark(figure(found[key], places))
                    for key, places in (("psnr", 2), ("ssim", 3))
                ]
                if found
                else []
            )
            line.append(" / ".join(cells) or (NOT_RUN if "skipped" in row else NOTHING))
            if reference:
                known = found and name in reference and method != noisy
                line.append(gain(found["psnr"], reference[name]["psnr"]) if found and known else NOTHING)
        rows.append(line)
    return header, rows


@dataclass(frozen=True)
class AblationLine:
    """One line of the ablation table: its sampler, and its row of the benchmark, if any."""

    objective: str
    strategy: str
    score: str
    probability: float
    method: str | None


def ablation_table(
    lines: Sequence[AblationLine], results: Mapping[str, Mapping[str, Any]], sets: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of Table 2: PSNR and SSIM under each sampler; ``results`` as in `benchmark_table`."""
    header = ["objective", "strategy", "by", *(f"{name}, PSNR / SSIM" for name in sets)]
    rows = []
    for line in lines:
        by = {"none": "", "fixed": f"p = {line.probability:g}"}.get(line.strategy, line.score)
        if line.strategy.endswith("_map"):
            by = "confidence"
        found = results.get(line.method or "", {})
        cells = [
            f"{found[name]['psnr']:.2f} / {found[name]['ssim']:.3f}" if name in found else NOTHING for name in sets
        ]
        rows.append([line.objective, line.strategy, by, *cells])
    return header, rows


def alignment_table(measures: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: the alignment measures of each aligner.

    Parameters
    ----------
    measures
        Aligner -> ``psnr, psnr_confident`` (dB), ``coverage``, ``endpoint_error`` (px), ``noise_ratio``,
        ``noise_correlation``; values may be None; or ``{"skipped": reason}``.
    """
    header = [
        "aligner",
        "PSNR, dB",
        "where confident, dB",
        "confidence",
        "endpoint error, px",
        "noise ratio",
        "noise correlation",
    ]
    rows = []
    for name, row in measures.items():
        covered = row.get("coverage")
        rows.append(
            [
                name,
                figure(row.get("psnr"), 2),
                figure(row.get("psnr_confident"), 2),
                NOTHING if covered is None else f"{covered:.0%}",
                figure(row.get("endpoint_error"), 2),
                figure(row.get("noise_ratio"), 3),
                figure(row.get("noise_correlation"), 4),
            ]
        )
    return header, rows


def scene_table(
    rows: Sequence[Mapping[str, str]], aligners: Sequence[str], most: int = 20
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: aligned PSNR, dB, one row per scene and one column per aligner.

    Parameters
    ----------
    rows
        With ``aligner``, ``scene`` and ``psnr`` (text, may be empty).
    aligners
        In order.
    most
        Scenes at most; a last row counts the others.
    """
    known = {(row["scene"], row["aligner"]): row["psnr"] for row in rows}
    scenes = list(dict.fromkeys(row["scene"] for row in rows))
    lines = []
    for scene in scenes[:most]:
        values = [known.get((scene, aligner), "") for aligner in aligners]
        lines.append([scene, *(figure(float(value), 2) if value else NOTHING for value in values)])
    if len(scenes) > most:
        lines.append([f"... and {len(scenes) - most} more", *[""] * len(aligners)])
    return ["scene", *aligners], lines


def spread_table(spreads: Mapping[str, Mapping[str, float]]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: mean, median, and 5th and 95th percentile of each quantity."""
    rows = [
        [name, *(figure(spread.get(key), 3) for key in ("mean", "median", "p05", "p95"))]
        for name, spread in spreads.items()
    ]
    return ["", "mean", "median", "5 % below", "5 % above"], rows


def pair_table(pairs: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: the spreads of a pair store's scores and exposure, as far as they are known."""
    return spread_table({name: pairs[name] for name in _SPREADS if name in pairs})


_SPREADS = ("ssim", "ssim_filtered", "gain", "offset")


def training_table(runs: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: the final figures of each training.

    Parameters
    ----------
    runs
        Name -> ``objective, steps, pairs, parameters, loss, validation``, and ``psnr, ssim`` on held-out frames; values
        may be missing.
    """
    rows = []
    for name, run in runs.items():
        counts = [f"{run[key]:,}" if isinstance(run.get(key), int) else NOTHING for key in _COUNTS]
        losses = [figure(run.get(key), 5) for key in ("loss", "validation")]
        held_out = [figure(run.get(key), places) for key, places in (("psnr", 2), ("ssim", 3))]
        rows.append([name, str(run.get("objective", NOTHING)), *counts, *losses, *held_out])
    return ["training", "objective", *_COUNTS, "loss", "validation", "held-out PSNR, dB", "held-out SSIM"], rows


_COUNTS = ("steps", "pairs", "parameters")
