"""Texts that are read: parameters, lists of scenes, the figures of earlier stages."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from self2align.params.loading import load
from self2align.params.schema import Params
from self2align.report.measures import scores_png
from self2align.report.reading import read_alignment, read_curve, read_histogram, read_means, read_pairs, read_scores
from self2align.runtime.tables import read_json
from self2align.sources.source import Selection, choose
from tests.bytes.mutation import Draw, mutate, mutate_json, mutate_yaml
from tests.bytes.outcomes import Outcome, attempt

ROOT = Path(__file__).parents[2]
PROFILES = ("params.yaml", "profiles/default.yaml", "profiles/quality.yaml")


@cache
def _profile(name: str) -> bytes:
    return (ROOT / name).read_bytes()


def params_case(draw: Draw, folder: Path) -> Iterator[Outcome]:
    """Read one mutated file of parameters."""
    path = folder / "params.yaml"
    path.write_bytes(mutate_yaml(_profile(PROFILES[int(draw.integers(len(PROFILES)))]), draw))
    yield attempt("load", lambda: load(path), lambda params: _parameter_faults(path, params), str(path))


def _parameter_faults(path: Path, params: Params) -> str:
    if (path.parent / "pwned").exists() or Path("pwned").exists():
        return "a tag ran a command"
    try:
        told: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError):
        return ""  # YAML 1.1 knows other numbers and dates
    found = params.model_dump()
    wrong = [key for key, value in told.items() if not _within(value, found.get(key))]
    return f"other values than another reader finds: {', '.join(wrong)}" if wrong else ""


def _within(told: Any, found: Any) -> bool:
    if isinstance(told, dict) and isinstance(found, dict):
        return all(_within(value, found.get(key)) for key, value in told.items())
    if isinstance(told, list) and isinstance(found, (list, tuple)):
        return len(told) == len(found) and all(map(_within, told, found))
    # YAML 1.1 reads 1e-3 as text, and 1:30 as a number.
    return bool(told == found) or isinstance(told, str) or isinstance(found, str)


_NAMES = [f"{group}/{number:04d}" for group in ("00001", "00002", "\u03a9 x", "a:b") for number in range(4)]


def list_case(draw: Draw, folder: Path) -> Iterator[Outcome]:
    """Choose scenes by a mutated list."""
    path = folder / "list.txt"
    whole = "\n".join(_NAMES[::2]).encode()
    path.write_bytes(mutate(whole, ".txt", draw, ["\n".join(_NAMES[1::3]).encode()]))
    told = Selection(glob=["@list.txt"])

    def right(chosen: list[str]) -> str:
        lines = {line.strip() for line in path.read_text(encoding="utf-8").splitlines()} - {""}
        lost = [line for line in lines if not any(name in line or line in name for name in chosen)]
        return f"lines are passed over: {lost[:3]}" if lost or not set(chosen) <= set(_NAMES) else ""

    yield attempt("choose", lambda: choose(_NAMES, told, folder), right, str(path))


_CURVE = b"step,loss,learning_rate,validation\n100,0.5,0.001,\n200,0.25,0.001,0.3\n"
_IMAGES = b"set,image,repeat,psnr,ssim,seconds\nkodak,a,0,30.1,0.9,1\nkodak,b,0,31.2,0.91,1\n"
_SCORES = b"from,to,ssim,ssim_filtered\n0.0,0.5,3,4\n0.5,1.0,9,8\n"
_FIGURES = b'{"unaligned": {"epe": 1.5, "pairs": 3}, "dis": {"epe": 0.5, "pairs": 3}}'
_PAIRS = (
    b'{"pairs": [{"scene": "s", "target_frame": 1, "source_frame": 2, "ssim": 0.5, "ssim_filtered": 0.4, '
    b'"confidence": 0.9, "pictures": [["target", "a.png"]]}]}'
)


def figures_case(draw: Draw, folder: Path) -> Iterator[Outcome]:
    """Read mutated figures of earlier stages."""
    others = [_CURVE, _IMAGES, _SCORES]
    files = {
        "curve.csv": mutate(_CURVE, ".csv", draw, others),
        "dncnn/images.csv": mutate(_IMAGES, ".csv", draw, others),
        "scores.csv": mutate(_SCORES, ".csv", draw, others),
        "metrics.json": mutate_json(_FIGURES, draw),
        "pairs.json": mutate_json(_PAIRS, draw),
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "a.png").write_bytes(b"x")
    ways = {
        "curve": lambda: read_curve(folder / "curve.csv", "c"),
        "scores": lambda: read_scores(folder, ["dncnn"]),
        "means": lambda: read_means(folder, ["dncnn"]),
        "rows": lambda: scores_png(read_histogram(folder / "scores.csv")),
        "alignment": lambda: read_alignment(folder, ["dis"]),
        "json": lambda: read_json(folder / "metrics.json"),
        "pairs": lambda: read_pairs(folder),
    }
    for name, work in ways.items():
        yield attempt(name, work, lambda _: "", str(folder))
