"""Aligners on DAVIS, each sequence tested once by networks that never saw it (four folds, 12 to train on, 4 to test).

``python benchmarks/davis_alignment.py run data/DAVIS/JPEGImages/480p results.csv --fold 0 --sigma 25 --scratch``
adds rows; ``python benchmarks/davis_alignment.py table results.csv`` prints the means over sequences.
"""

import csv
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from typer import Option, Typer

from self2align.alignment.aligner import estimate
from self2align.alignment.confidence import confidence, inconsistency
from self2align.alignment.dis import Dis
from self2align.alignment.ian import Ian
from self2align.alignment.losses.photometric import photometric
from self2align.alignment.losses.split import halves, split
from self2align.alignment.refined_dis import RefinedDis
from self2align.alignment.warp import inside, warp
from self2align.evaluation.alignment_measures import aligned_psnr, most_trusted, warped_noise
from self2align.images.files import read_image
from self2align.networks.unet import UNet
from self2align.noise.model import FrameDraw, NoiseSettings
from self2align.noise.synthesis import noisy_coding
from self2align.pairs.plan import frame_pairs
from self2align.params.loading import load
from self2align.runtime.seeding import generator
from self2align.runtime.workers import exact_threads
from self2align.training.feed import FrameFeed
from self2align.training.loop import train
from self2align.training.settings import TrainingSettings

FOLDS = 4
FRAMES = 24  # of each sequence, spread in neighbouring threes
COVERAGE = 0.85
COLUMNS = (
    "sigma",
    "offset",
    "method",
    "sequence",
    "psnr",
    "own",
    "visible",
    "ratio",
    "correlation",
    "ms",
    "training_s",
)
PROFILE = Path(__file__).parent.parent / "profiles" / "default.yaml"
application = Typer(help=__doc__)


class Fine(Dis):
    """DIS down to full size, with ten refinements."""

    def __init__(self, channels: int, *, blur: float) -> None:
        super().__init__(channels, blur=blur)
        self.flow.setFinestScale(0)
        self.flow.setVariationalRefinementIterations(10)


def read(folder: Path) -> np.ndarray[Any, Any]:
    """Return the frames used of one sequence, in runs of three neighbours, ``(T, 3, H, W)``, uint8."""
    files = sorted(folder.glob("*.jpg"))
    starts = np.linspace(0, len(files) - 3, FRAMES // 3).astype(int)
    return np.stack([read_image(files[start + k])[0] for start in starts for k in range(3)])


def fit(
    network: nn.Module, loss: Any, scenes: list[Any], sigma: int, settings: TrainingSettings, steps: int | None
) -> float:
    """Train with the settings of a profile's aligner on neighbouring frames; return seconds."""
    coding = noisy_coding(NoiseSettings("gaussian", sigma, None, 1))
    runs = [{"frames": scene[at : at + 3]} for scene in scenes for at in range(0, len(scene), 3)]
    feed = FrameFeed(
        runs,
        [coding] * len(runs),
        {"target": ("frames", 0), "source": ("frames", 1)},
        crop=settings.crop,
        batch=settings.batch,
        seed=0,
        purpose="davis",
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, exact_threads(settings.threads):
        train(
            network,
            loss,
            feed,
            replace(settings, steps=steps or settings.steps),
            bfloat16=False,
            device=torch.device("cpu"),
            seed=0,
            purpose="davis",
            checkpoint=Path(scratch) / "checkpoint.safetensors",
            validation=[],
            watch=lambda *_: None,
        )
    network.eval()
    return time.monotonic() - began


def blind(network: nn.Module, batch: Any, generator: torch.Generator) -> Tensor:
    """Return Noise2Self's loss on a chessboard: the guide that aligning on denoised frames needs."""
    seen = int(torch.randint(2, (1,), generator=generator))
    sides = halves(batch["target"])
    return functional.mse_loss(network(sides[seen]), sides[1 - seen])


def clean_guided(guide: nn.Module, align: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return an aligner that works on frames that a guide has denoised."""

    def guided(frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        padded = functional.pad(frames, (0, -width % 32, 0, -height % 32), mode="reflect")
        parts = [sum(guide(side) for side in halves(one[None])) / 2 for one in padded]
        return torch.cat(parts)[..., :height, :width]

    return lambda target, source: align(guided(target), guided(source))


def chosen_methods(
    train_on: list[Any], sigma: int, scratch: bool, steps: int | None, crop: int | None, batch: int | None
) -> dict[str, tuple[Any, float]]:
    """Return methods by name, trained if they are trainable, with the seconds of their training."""
    torch.manual_seed(0)
    settings = load(PROFILE).train_ian.aligners
    profile = settings["refined_dis"].training
    assert profile is not None
    own = profile.settings()
    own = replace(own, crop=crop or own.crop, batch=batch or own.batch)
    ours = RefinedDis(3)
    seconds = fit(ours, split, train_on, sigma, own, steps)
    methods: dict[str, tuple[Any, float]] = {
        "unaligned": (lambda target, source: torch.zeros_like(target[:, :2]), 0.0),
        "DIS medium, blur 1.5": (Dis(3, blur=1.5), 0.0),
        "DIS medium, blur 1.0": (Dis(3, blur=1.0), 0.0),
        "DIS medium, clean": (Dis(3, blur=0.0), 0.0),
        "refined_dis": (ours, seconds),
    }
    if scratch:
        methods["DIS fast, blur 1.5"] = (Dis(3, blur=1.5, preset="fast"), 0.0)
        methods["DIS fine, blur 1.0"] = (Fine(3, blur=1.0), 0.0)
        methods["DIS fine, clean"] = (Fine(3, blur=0.0), 0.0)
        alone = RefinedDis(3, start="zero", levels=6)
        methods["refined_dis from zero"] = (
            alone,
            fit(alone, split, train_on, sigma, own, steps),
        )
        ian = Ian(3)
        methods["ian"] = (ian, fit(ian, photometric, train_on, sigma, settings["ian"].training.settings(), None))
        guide = UNet(3, width=24, depth=4, residual=False)
        spent = fit(guide, blind, train_on, sigma, own, steps)
        methods["DIS fine, denoised"] = (clean_guided(guide, Fine(3, blur=0.0)), spent)
    return methods


@torch.no_grad()
def visible(clean: list[Tensor]) -> Tensor:
    """Return 1 for the share of pixels where fine fields of the clean frames undo each other best, ``(1, H, W)``.

    All methods are compared on the same pixels. The pixels that an aligner itself trusts get easier the more hard ones
    it leaves out.
    """
    fields = Fine(3, blur=0.0)(torch.cat(clean), torch.cat(clean[::-1]))
    apart = inconsistency(fields[:1], fields[1:])
    return most_trusted(-apart.where(inside(fields[:1], *apart.shape[-2:]), apart.max() + 1), COVERAGE)


@torch.no_grad()
def measure(align: Any, clean: list[Tensor], noisy: list[Tensor], seen: Tensor, on_clean: bool) -> tuple[float, ...]:
    """Return dB over all pixels, those most trusted, those visible, noise ratio and correlation, ms for two fields."""
    first, second = clean if on_clean else noisy
    began = time.perf_counter()
    fields, expected = estimate(align, torch.cat([first, second]), torch.cat([second, first]))
    spent = 1000 * (time.perf_counter() - began)
    forward, backward = fields[:1], fields[1:]
    foreseen = None if expected is None else expected[:1]
    trust = confidence(noisy[0], noisy[1], warp(noisy[1], forward), forward, backward, foreseen)
    noise = warped_noise(noisy[0] - clean[0], noisy[1] - clean[1], forward)
    return (
        aligned_psnr(*clean, forward),
        aligned_psnr(*clean, forward, most_trusted(trust, COVERAGE)),
        aligned_psnr(*clean, forward, seen),
        *noise,
        spent,
    )


@application.command()
def run(
    frames: Path,
    out: Path,
    fold: Annotated[int, Option(min=0, max=FOLDS - 1)] = 0,
    sigma: int = 25,
    scratch: Annotated[bool, Option(help="Add the slower rows: from zero, IAN, fine and guided DIS.")] = False,
    steps: Annotated[int | None, Option(help="Training steps; default: those of the profile.")] = None,
    pairs: int = 4,
    crop: int | None = None,
    batch: int | None = None,
) -> None:
    """Train on 12 sequences, measure on 4, one and two frames apart; append to a CSV."""
    cv2.setNumThreads(2)
    torch.set_num_threads(2)
    names = sorted(path.name for path in frames.iterdir() if path.is_dir())
    noise = NoiseSettings("gaussian", sigma, None, 1)
    model, coding = noise.at(), noisy_coding(noise)
    held = {}
    for name in names:
        draw = FrameDraw(generator(0, "davis", name, sigma))
        held[name] = np.stack(
            [coding.encode(model.sample(frame / np.float32(255), draw)) for frame in read(frames / name)]
        )
    test = names[fold::FOLDS]
    methods = chosen_methods([held[name] for name in names if name not in test], sigma, scratch, steps, crop, batch)
    rows = []
    for name in test:
        clean = read(frames / name)
        for offset in (1, 2):
            starts = [at for at, _ in frame_pairs(FRAMES // 3, [0], pairs)]
            places = [(3 * at, 3 * at + offset) for at in starts]
            found: dict[str, list[tuple[float, ...]]] = {method: [] for method in methods}
            for pair in places:
                still = [torch.from_numpy(clean[f] / np.float32(255))[None] for f in pair]
                noisy = [torch.from_numpy(coding.decode(held[name][f]))[None] for f in pair]
                seen = visible(still)
                for method, (align, _) in methods.items():
                    found[method].append(measure(align, still, noisy, seen, "clean" in method))
            for method, (_, seconds) in methods.items():
                figures = [*np.mean(found[method], 0)[:5], np.median([one[5] for one in found[method]]), seconds]
                rows.append([sigma, offset, method, name, *(f"{value:.5f}" for value in figures)])
    new = not out.exists()
    with out.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *rows] if new else rows)
    table(out)


@application.command()
def table(results: Path) -> None:
    """Print means over sequences: dB of the means of each sequence."""
    with results.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for sigma, offset in sorted({(int(row["sigma"]), int(row["offset"])) for row in rows}):
        here = [row for row in rows if (int(row["sigma"]), int(row["offset"])) == (sigma, offset)]
        print(f"\nsigma {sigma}, {offset} apart, {len({row['sequence'] for row in here})} sequences\n")
        print("| method | all, dB | own 85 % | visible 85 % | noise ratio | correlation | ms, both | training, s |")
        print("| --- | --: | --: | --: | --: | --: | --: | --: |")
        for method in dict.fromkeys(row["method"] for row in here):
            values = [[float(row[name]) for name in COLUMNS[4:]] for row in here if row["method"] == method]
            psnr, own, same, ratio, correlation, ms, seconds = np.mean(values, 0)
            figures = (
                f"{psnr:.2f} | {own:.2f} | {same:.2f} | {ratio:.3f} | {correlation:.4f} | {ms:.0f} | {seconds:.0f}"
            )
            print(f"| {method} | {figures} |")


if __name__ == "__main__":
    application()
