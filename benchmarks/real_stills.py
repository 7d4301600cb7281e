r"""Single real pictures whose truth is known: CC15 (three cameras, developed to 8 bits) and W2S (a microscope).

::

    python benchmarks/real_stills.py bm3d shared/data/real work
    python benchmarks/real_stills.py denoise shared/data/real work shipped --weights starts/davis_levels.safetensors
    python benchmarks/real_stills.py train shared/data/real work neighbor2neighbor
    python benchmarks/real_stills.py denoise shared/data/real work neighbor2neighbor
    python benchmarks/real_stills.py table work

Sets are w2s, cc15, and w2s_middle, cc15_middle: of each picture the middle, since BM3D takes long for a whole one.

Every step continues where it stopped. Truth is the mean of hundreds of shots. Pictures of W2S were scaled one by one,
so the mean is scaled by the line that fits the noisy picture best. BM3D is told the covariance of the very noise that
it shall take off, real less mean. Single pictures have no neighbours: `train` takes an objective of single noisy frames
on all pictures of a set.
"""

import csv
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from told_bm3d import told_bm3d
from typer import Argument, Option, Typer

from self2align.denoising.denoiser import Denoiser
from self2align.evaluation.metrics import psnr, ssim
from self2align.images.files import read_image
from self2align.images.levels import to_levels
from self2align.noise.estimation.estimate import estimate_noise
from self2align.noise.model import NoiseSettings
from self2align.objectives import OBJECTIVES
from self2align.params.loading import load
from self2align.runtime.families import load as load_member
from self2align.runtime.progress import silent
from self2align.stores.codes import Coding
from self2align.training.crops import Crops
from self2align.training.denoiser import fit_denoiser
from self2align.training.settings import TRAINED

Values = NDArray[np.float32]
PROFILE = Path(__file__).parent.parent / "profiles" / "default.yaml"
CROP = 128  # px
MIDDLE = 192  # px a side
HEADER = ["set", "picture", "method", "psnr", "ssim", "seconds"]
application = Typer(help=__doc__)
Real = Annotated[Path, Argument(help="Folder with cc15 and w2s.")]
Work = Annotated[Path, Argument(help="Working folder.")]


@dataclass(frozen=True)
class Still:
    """A real picture, ``(C, H, W)``, white being 1.0, and its truth."""

    kind: str
    path: Path
    noisy: Values
    truth: Values


def stills(real: Path, kinds: str = "w2s,cc15") -> list[Still]:
    """Return all pictures of some sets."""
    found = []
    for kind in kinds.split(","):
        folder = kind.removesuffix("_middle")
        pattern = {"cc15": "*_real.png", "w2s": "noisy/*.tif"}[folder]
        for path in sorted((real / folder).glob(pattern)):
            other = (
                path.with_name(path.name.replace("_real", "_mean"))
                if folder == "cc15"
                else real / folder / "gt" / path.name
            )
            noisy, truth = (cut(values_of(one), kind) for one in (path, other))
            if folder == "w2s":
                slope, offset = np.polyfit(truth.ravel().astype(np.float64), noisy.ravel().astype(np.float64), 1)
                truth = (slope * truth + offset).astype(np.float32)
            found.append(Still(kind, path, noisy, truth))
    return found


def values_of(path: Path) -> Values:
    """Return a picture, ``(C, H, W)``, white being 1.0."""
    codes, white = read_image(path)
    return (codes / np.float32(white)).astype(np.float32)


def cut(picture: Values, kind: str) -> Values:
    """Return the part of a picture, ``(C, H, W)``, that a set has of it."""
    if not kind.endswith("_middle"):
        return picture
    top, left = ((side - MIDDLE) // 2 for side in picture.shape[1:])
    return picture[:, top : top + MIDDLE, left : left + MIDDLE]


class Rows:
    """Rows of measurements in WORK/stills.csv, kept over runs."""

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.path = work / "stills.csv"
        self.known: set[tuple[str, str, str]] = set()
        if self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                self.known = {(row["set"], row["picture"], row["method"]) for row in csv.DictReader(file)}

    def add(self, still: Still, method: str, result: Values, seconds: float) -> None:
        """Measure a result and write its row."""
        levels, truth = to_levels(result), to_levels(still.truth)
        cells = [still.kind, still.path.stem, method, f"{psnr(levels, truth):.3f}", f"{ssim(levels, truth):.4f}"]
        cells.append(f"{seconds:.1f}")
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([HEADER, cells] if new else [cells])
        print(*cells, flush=True)


@application.command()
def bm3d(real: Real, work: Work, kinds: Annotated[str, Option(help="Sets, with commas.")] = "w2s,cc15") -> None:
    """Measure the noisy pictures, and BM3D that is told the true covariance."""
    rows = Rows(work)
    for still in stills(real, kinds):
        if (still.kind, still.path.stem, "noisy") not in rows.known:
            rows.add(still, "noisy", still.noisy, 0.0)
        if (still.kind, still.path.stem, "BM3D, told the covariance") not in rows.known:
            began = time.perf_counter()
            made = told_bm3d(still.noisy, (still.noisy - still.truth)[None], 1.0, "np", True)
            rows.add(still, "BM3D, told the covariance", made, time.perf_counter() - began)


@application.command()
def train(
    real: Real,
    work: Work,
    objective: Annotated[str, Argument(help="neighbor2neighbor, noise2void or noise2self.")],
    kinds: Annotated[str, Option(help="Sets, with commas.")] = "w2s,cc15",
    steps: Annotated[int, Option(help="Training steps.")] = 1000,
    seed: Annotated[int, Option(help="Of all draws.")] = 0,
) -> None:
    """Train on the noisy pictures of a set alone."""
    chosen = load(PROFILE).train_denoiser.settings()
    settings = replace(chosen, objective=objective, training=replace(chosen.training, steps=steps))
    for kind in kinds.split(","):
        out = work / f"{objective}_{kind}.safetensors"
        if out.exists():
            continue
        work.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        scratch = work / f"{objective}_{kind}"
        scratch.mkdir(exist_ok=True)
        trained = fit_denoiser(
            f"{objective}-{kind}",
            load_member(OBJECTIVES, objective, "objective"),
            crops_of(stills(real, kind), settings.normalise, seed),
            settings=settings,
            last=TRAINED,
            noise=NoiseSettings("none", 5.0, None, 30.0),
            header={},
            scratch=scratch,
            out=out,
            bars=silent,
        )
        print(*trained.notes, trained.figures, f"{time.perf_counter() - began:.0f} s", sep="\n", flush=True)


def crops_of(pictures: list[Still], levelled: bool, seed: int) -> Crops:
    """Return pictures cut into squares; every eighth is for validation."""
    cuts, lines = [], []
    for still in pictures:
        noise = estimate_noise(still.noisy[None], 1 / 255)
        _, height, width = still.noisy.shape
        for top in range(0, height - CROP + 1, CROP):
            for left in range(0, width - CROP + 1, CROP):
                cuts.append(to_levels(still.noisy[:, top : top + CROP, left : left + CROP]))
                lines.append((noise.gain, noise.read))
    roles = np.array([number % 8 == 7 for number in range(len(cuts))], np.int8)
    gains, reads = np.array(lines, np.float32).T
    columns = {"noise_gain": gains.copy(), "noise_read": reads.copy()}
    codings = {"target": Coding("uint8", 1 / 255)}
    return Crops({"target": np.stack(cuts)}, codings, columns, roles, 0, None, {}, seed, levelled)


@application.command()
def denoise(
    real: Real,
    work: Work,
    method: Annotated[str, Argument(help="Name of the row.")],
    weights: Annotated[Path | None, Option(help="Denoiser; default: that of `train`, METHOD_SET there.")] = None,
    kinds: Annotated[str, Option(help="Sets, with commas.")] = "w2s,cc15",
    sigma: Annotated[bool, Option(help="Tell the true deviation of the noise.")] = False,
) -> None:
    """Measure the class `Denoiser`, which does what `self2align denoise` does from file to file."""
    rows, row = Rows(work), f"{method}, told sigma" if sigma else method
    known: dict[Path, Denoiser] = {}
    for still in stills(real, kinds):
        if (still.kind, still.path.stem, row) in rows.known:
            continue
        chosen = weights or work / f"{method}_{still.kind.removesuffix('_middle')}.safetensors"
        if chosen not in known:
            known[chosen] = Denoiser.load(chosen)
        began = time.perf_counter()
        true = 255 * float(np.std(still.noisy - still.truth)) if sigma else None
        made = known[chosen](to_levels(still.noisy), axes="CYX", sigma=true)
        rows.add(still, row, np.asarray(made, np.float32) / 255, time.perf_counter() - began)


@application.command()
def table(work: Work) -> None:
    """Print the means of each set, and write them to WORK/stills.md."""
    with (work / "stills.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = ["| set | method | pictures | dB | SSIM |", "|---|---|--:|--:|--:|"]
    for kind in sorted({row["set"] for row in rows}):
        for method in dict.fromkeys(row["method"] for row in rows if row["set"] == kind):
            part = [row for row in rows if (row["set"], row["method"]) == (kind, method)]
            means = [np.mean([float(row[name]) for row in part]) for name in ("psnr", "ssim")]
            lines.append(f"| {kind} | {method} | {len(part)} | {means[0]:.2f} | {means[1]:.3f} |")
    (work / "stills.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    application()
