"""Figures that others published for the benchmark's protocol; the report keeps them apart from its own measurements.

All are for Gaussian noise of sigma 25 on RGB images, means over all repeats and images. N2N with 32.41 / 31.04 /
31.37 dB is in the paper and also a record; it is listed once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from self2align.report.tables import NOT_RUN, NOTHING

SETS = ("kodak", "bsd300", "set14")
SIGMA = 25.0

# PSNR (dB) and SSIM on each of SETS, as printed in Self2Align's paper (Wang 2022), including those that it cites.
PAPER = {
    "BM3D": ((31.87, 0.868), (30.48, 0.861), (30.88, 0.854)),
    "DIP": ((27.20, 0.720), (26.38, 0.708), (27.16, 0.758)),
    "Self2Self": ((31.28, 0.864), (29.86, 0.849), (30.08, 0.839)),
    "Self2Align": ((28.63, 0.795), (29.69, 0.840), (28.53, 0.807)),
    "DnCNN": ((30.45, 0.909), (29.03, 0.895), (30.20, 0.918)),
    "N2N": ((32.41, 0.884), (31.04, 0.878), (31.37, 0.868)),
}
# What each system of PAPER is here: a method, or traits of the training of weights.
SYSTEMS = {
    "BM3D": {"method": "bm3d"},
    "DIP": {"method": "dip"},
    "Self2Self": {"method": "self2self"},
    "Self2Align": {"objective": "self2align", "strategy": "adaptive", "score": "ssim"},
    "DnCNN": {"objective": "n2c", "network": "dncnn"},
    "N2N": {"objective": "n2n"},
}
# PSNR (dB): the best self-supervised training on still images, and Neighbor2Neighbor with and without fresh noise.
RECORDS = {
    "best self-supervised (Laine19, Prompt-SID)": (32.45, 31.16, 31.45),
    "Neighbor2Neighbor": (32.08, 30.79, 31.09),
    "Neighbor2Neighbor, one frozen noise per image": (31.81, 30.59, 30.56),
}
# PSNR (dB) of the paper's Table 2, by the strategy's name here.
ABLATION = {
    "adaptive": (28.63, 29.69, 28.53),
    "ssim": (25.83, 26.41, 25.44),
    "fixed": (24.21, 24.66, 23.45),
}


def comparable_sets(sets: Sequence[str], *, model: str, sigma: float, color: str) -> dict[str, int]:
    """Return the test sets with published figures, each with its index in `SETS`.

    Parameters
    ----------
    sets
        Names, in order; not case-sensitive.
    model, sigma
        Of the noise; sigma on the scale 0 to 255.
    color
        "rgb" or "gray".
    """
    if model != "gaussian" or sigma != SIGMA or color != "rgb":
        return {}
    return {name: SETS.index(name.lower()) for name in sets if name.lower() in SETS}


def rows_of_systems(methods: Mapping[str, Mapping[str, str]]) -> dict[str, str | None]:
    """Return the row of the benchmark for each system of the paper; None if there is none.

    Parameters
    ----------
    methods
        Row -> ``method``, and for weights trained here ``network, objective, strategy, score``.
    """
    return {
        system: next((name for name, found in methods.items() if traits.items() <= found.items()), None)
        for system, traits in SYSTEMS.items()
    }


def systems_table(
    results: Mapping[str, Mapping[str, Any]],
    sets: Sequence[str],
    places: Mapping[str, int],
    systems: Mapping[str, str | None],
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: every system of the paper, as measured here and as printed in the paper.

    The cell of a system that was not run says so; no published figure replaces it.

    Parameters
    ----------
    results
        Method -> set -> ``psnr`` (dB) and ``ssim``; or ``{"skipped": reason}``.
    sets
        In order.
    places
        `comparable_sets`: sets with a second column, of published figures.
    systems
        `rows_of_systems`.
    """
    header = ["system", "row of Table 1"]
    for name in sets:
        header += [f"{name}, measured here", *([f"{name}, published"] if name in places else [])]
    rows = []
    for system, method in systems.items():
        found, cells = results.get(method or "", {}), []
        for name in sets:
            cells.append(_cell(found[name]["psnr"], found[name]["ssim"]) if name in found else NOT_RUN)
            if name in places:
                cells.append(_cell(*PAPER[system][places[name]]))
        rows.append([system, method or NOTHING, *cells])
    return header, rows


def _cell(psnr: float, ssim: float) -> str:
    return f"{psnr:.2f} / {ssim:.3f}"


def records_table(places: Mapping[str, int]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: the PSNR, dB, that others published, on each comparable set."""
    rows = [[system, *(f"{values[place]:.2f}" for place in places.values())] for system, values in RECORDS.items()]
    return ["system", *places], rows


def published_ablation(places: Mapping[str, int]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: the paper's Table 2, the PSNR, dB, of each strategy on each comparable set."""
    rows = [[strategy, *(f"{values[place]:.2f}" for place in places.values())] for strategy, values in ABLATION.items()]
    return ["strategy", *places], rows
